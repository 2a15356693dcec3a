"""What a terminal shows of an ensemble: its entropy as a sum, and tables."""

from __future__ import annotations

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.render import ensemble
from infoflow.render.ensemble import TextTable
from infoflow.render.terminal_columns import Shown, table_of
from infoflow.render.text import printable
from infoflow.report import Report

_WORDS = frozenset({"label", "prediction"})
"""Columns of words, which begin at the left."""


def tables(report: Report, width: int) -> list[tuple[str, Table, str]]:
    """Title, table and note of each table of an ensemble; nothing of one network."""
    found = ensemble.tables(report)
    samples = ensemble.sample_table(report) if found else None
    return [(one.title, _drawn(one, width), one.note) for one in [*found, *filter(None, [samples])]]


def _drawn(one: TextTable, width: int) -> Table:
    names = [Text(printable(row[0]), _style(row[0])) for row in one.rows]
    columns = [Shown(-1, _broken(one.head[0]), names, "left")]
    for place, head in enumerate(one.head[1:], start=1):
        cells = [Text(printable(row[place])) for row in one.rows]
        columns.append(Shown(place, _broken(head), cells, "left" if head in _WORDS else "right"))
    return table_of(columns, max((cell_len(name.plain) for name in names), default=5), width)


def _style(name: str) -> str:
    return "bold" if name == ensemble.WHOLE else ""


def _broken(head: str) -> str:
    """A heading with its unit below."""
    return "\n".join(head.rsplit(", ", 1))
