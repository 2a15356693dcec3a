"""The layers of a file as a table in a terminal: what they are, nothing measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.render.text import printable, shortened
from infoflow.report import LayerSummary
from infoflow.words import shape_text

_NAME_WIDTH = 20
_GAP = 2


@dataclass(frozen=True)
class _Column:
    """A column; of those that do not fit, the highest ``rank`` goes first."""

    heading: str
    rank: int
    cell: Callable[[LayerSummary], str]


_COLUMNS = (
    _Column("kind", 0, lambda layer: layer.kind),
    _Column("shape", 1, lambda layer: shape_text(layer.shape)),
    _Column("dtype", 6, lambda layer: layer.dtype),
    _Column("stride", 3, lambda layer: shape_text(layer.stride) if layer.stride else ""),
    _Column("groups", 4, lambda layer: str(layer.groups) if layer.stride else ""),
    _Column("input", 2, lambda layer: shape_text(layer.input_size) if layer.input_size else ""),
    _Column("geometry", 5, lambda layer: layer.geometry),
)


def layer_list(layers: Sequence[LayerSummary], width: int) -> tuple[Table, tuple[str, ...]]:
    """A line a layer, names shortened in the middle where they are long.

    Returns:
        The table, and the headings of the columns that are left out because the terminal is narrow
        (those that say nothing of any layer are left out anyway).
    """
    filled = [(one, [printable(one.cell(layer)) for layer in layers]) for one in _COLUMNS]
    filled = [(column, cells) for column, cells in filled if any(cells)]
    names = [printable(layer.name) for layer in layers]
    longest = max(map(cell_len, ["layer", *names]))
    kept = list(filled)
    while (room := _room(kept, width)) < min(longest, _NAME_WIDTH) and len(kept) > 1:
        kept.remove(max(kept, key=lambda one: one[0].rank))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True)
    for column, _ in kept:
        table.add_column(column.heading, no_wrap=True)
    for place, name in enumerate(names):
        cells = [Text(cells[place]) for _, cells in kept]
        table.add_row(Text(shortened(name, max(room, 8))), *cells)
    left_out = tuple(column.heading for column, _ in filled if (column, _) not in kept)
    return table, left_out


def _room(kept: Sequence[tuple[_Column, list[str]]], width: int) -> int:
    """Columns of the terminal that are left for names."""
    used = (max(map(cell_len, [column.heading, *cells])) + _GAP for column, cells in kept)
    return width - sum(used) - _GAP
