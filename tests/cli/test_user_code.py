"""A user's file that raises: their traceback, then our sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")

CODE = """
import infoflow.cli, infoflow.cli.app
from infoflow.data import open_data
infoflow.cli.app.app = lambda **options: open_data("mine.py:batches")
infoflow.cli.main()
"""


def test_their_traceback_and_our_sentence(tmp_path):
    (tmp_path / "mine.py").write_text("def batches():\n    raise ValueError('no way')  # here\n")
    result = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "raise ValueError('no way')  # here" in result.stderr
    assert lines[-1] == "infoflow: mine.py:batches failed: ValueError: no way."
