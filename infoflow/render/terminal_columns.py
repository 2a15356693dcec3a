"""Columns of a table in a terminal, of which those that do not fit are left out by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.render.text import shortened

NAME_WIDTH = 20
"""Of the first column, what is kept at least where a name is longer."""

_LEAST_NAME = 8


@dataclass(frozen=True)
class Shown:
    """A column as it will be printed; of several that do not fit, the highest rank goes first."""

    rank: int
    heading: str
    cells: list[Text]
    justify: Literal["left", "right"] = "right"
    of_layer: bool = False

    @property
    def width(self) -> int:
        """Of the widest line."""
        lines = [*self.heading.split("\n"), *(cell.plain for cell in self.cells)]
        return max(cell_len(line) for line in lines)


def fitting(shown: Sequence[Shown], longest: int, width: int) -> tuple[list[Shown], int]:
    """The columns that fit beside a readable name, and the width that is left for names.

    Args:
        shown: The columns, that of the names first; it always stays.
        longest: Width of the longest name.
        width: Of the window.
    """
    kept = list(shown)
    while True:
        rule = 3 if any(column.of_layer for column in kept) else 0
        used = sum(column.width + 2 for column in kept[1:]) + rule
        room = width - used - 2
        if room >= min(longest, NAME_WIDTH) or len(kept) <= 2:
            return kept, max(min(room, longest), _LEAST_NAME)
        kept.remove(max(kept[1:], key=lambda column: column.rank))


def table_of(shown: Sequence[Shown], longest: int, width: int) -> Table:
    """A table of the columns that fit, without a rule between them."""
    kept, room = fitting(shown, longest, width)
    table = empty_table()
    for column in kept:
        table.add_column(column.heading, justify=column.justify, no_wrap=True, vertical="bottom")
    names, *others = (column.cells for column in kept)
    for index, name in enumerate(names):
        first = Text(shortened(name.plain, room), style=name.style)
        table.add_row(first, *(cells[index] for cells in others))
    return table


def empty_table() -> Table:
    """A table with a rule below its headings and no frame."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
