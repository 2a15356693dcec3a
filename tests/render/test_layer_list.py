"""The table of `infoflow layers` at several widths."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from infoflow.render.layer_list import layer_list
from infoflow.report import LayerSummary

SHORT = LayerSummary("a", "dense", (4, 8), "float32", 32, geometry="none needed")
CONVOLUTION = LayerSummary(
    "b", "convolution", (8, 4, 3, 3), "float32", 288, (1, 1), (1, 1), 1, (32, 32), "known"
)
LONG = replace(SHORT, name="encoder." + "module." * 41 + "proj")


def rendered(layers, width):
    table, left_out = layer_list(layers, width)
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(table)
    return stream.getvalue().splitlines(), left_out


@pytest.mark.parametrize("width", range(40, 150, 5))
def test_a_line_a_layer_and_whole_headings_at_every_width(width):
    lines, left_out = rendered([SHORT, CONVOLUTION, LONG], width)
    assert len(lines) == 5
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    shown = lines[0].split()
    assert {*shown, *left_out} == {
        *("layer", "kind", "shape", "dtype", "stride", "groups", "input", "geometry")
    }  # fmt: skip
    assert lines[-1].startswith("encoder.")
    assert "…" in lines[-1]
    assert "proj " in lines[-1]
    assert "…" not in "".join(lines[:-1])


def test_what_no_layer_has_is_no_column():
    lines, left_out = rendered([SHORT], 200)
    assert lines[0].split() == ["layer", "kind", "shape", "dtype", "geometry"]
    assert not left_out


def test_control_characters_are_escaped():
    lines, _ = rendered([replace(SHORT, name="a\x1b[2J")], 100)
    assert "\\x1b[2J" in lines[2]
