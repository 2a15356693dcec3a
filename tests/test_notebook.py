"""A report at the end of a notebook's cell is shown as HTML, by the real IPython."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("import infoflow")
import sys
sys.path.insert(0, {root!r})
from tests.render.reports import example_report
data, _ = shell.display_formatter.format(example_report(layers=3))
print(data["text/html"][:60])
print(sorted(data))
"""


def test_reports_are_shown_as_html_in_a_notebook():
    pytest.importorskip("IPython")
    from tests.cases import SAMPLES

    result = subprocess.run(
        [sys.executable, "-c", CODE.format(root=str(SAMPLES.parent))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '<iframe title="infoflow report"' in result.stdout
    assert "text/plain" in result.stdout
