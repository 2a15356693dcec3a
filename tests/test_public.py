"""The public names, lazily imported, and the two twins of their table."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import infoflow


def test_every_public_name_is_there():
    for name in infoflow.__all__:
        assert getattr(infoflow, name) is not None
    assert infoflow.__version__.count(".") == 2
    assert set(infoflow.__all__) <= set(dir(infoflow))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="analyse"):
        _ = infoflow.analyse


def test_the_table_and_its_typed_twin_agree():
    tree = ast.parse(Path(infoflow.__file__).read_text("utf-8"))
    typed = {
        (alias.name, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "infoflow.notebook"
        for alias in node.names
        if alias.asname
    }
    assert typed == set(infoflow._PUBLIC.items())
    assert sorted(infoflow._PUBLIC) == sorted(infoflow.__all__)


def test_importing_infoflow_loads_nothing_heavy():
    code = (
        "import infoflow, sys; print([m for m in ('numpy', 'torch', 'rich') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
