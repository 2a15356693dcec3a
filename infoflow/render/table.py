"""The table of layers, as cells: which columns there are, and how long networks fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from infoflow.render.activations import of_activations
from infoflow.render.text import cell, number, printable
from infoflow.render.view import Facts, gather
from infoflow.report import Measurement, Report
from infoflow.words import shape_text

FOLD_FROM = 40
_INDEX = re.compile(r"(?<![^._])[0-9]+(?![^.])")
"""An index of a block or module: a whole component of a name, or the digits after ``_``."""


@dataclass(frozen=True)
class Column:
    """A column: its heading (two lines), and what fills it.

    Of columns that do not all fit, those of the highest ``rank`` are left out first.
    """

    heading: str
    row: Callable[[Facts], Measurement | None]
    decimals: int
    rank: int
    of_layer: bool = True


CORNER = Column("log|c₁₁|\na slice", lambda one: one.row("entropy-change.c11", "mean"), 2, 1, False)
SPREAD = Column(
    "spread\na slice", lambda one: one.row("entropy-change.c11", "standard-deviation"), 2, 7, False
)
RANDOM = Column("random\nz", lambda one: one.row("random-twin.z-mean"), 1, 3, False)
BOUND = Column("block c₁₁\nlog|det|", lambda one: one.bound, 1, 4)
VOLUME = Column("log-\nvolume", lambda one: one.volume, 1, 0)
COLUMNS = (
    CORNER,
    SPREAD,
    RANDOM,
    BOUND,
    VOLUME,
    Column("scale-\nfree", lambda one: one.row("log-volume.density.scale-free"), 1, 8),
    Column("stable\nrank", lambda one: one.row("stable-rank"), 1, 9),
    Column("spectral\nnorm", lambda one: one.row("spectral-norm"), 2, 10),
    Column("condition\nnumber", lambda one: one.row("condition-number"), 0, 11),
)
SHAPE, RANK, PROFILE = 5, 2, 6
"""Ranks of the columns that are no measure: the shape, the rank, the bar along the depth."""


@dataclass(frozen=True)
class Row:
    """One line of the table; ``layers`` are the names folded into it."""

    name: str
    shape: str
    cells: tuple[str, ...]
    rank: str
    profile: float | None
    layers: tuple[str, ...]


def columns(layers: Sequence[Facts]) -> list[Column]:
    """The columns that have something to show."""
    return [column for column in COLUMNS if any(column.row(facts) for facts in layers)]


def _asked(report: Report) -> list[Column]:
    """A column for each measure that was asked for by name and has none of its own."""
    words = set(report.settings.get("measures", "all").split(","))
    if words & {"paper", "default", "all"}:
        return []
    own = {row.measure for facts in gather(report)[0] for c in COLUMNS if (row := c.row(facts))}
    names = dict.fromkeys(
        row.measure for row in report.measurements if not of_activations(row.measure)
    )
    new = [name for name in names if name not in own | {"rank"}]
    return [Column(_heading(name), _first_row(name), 2, 20 + i) for i, name in enumerate(new)]


def _heading(name: str) -> str:
    stem, _, last = name.rpartition(".")
    return f"{stem}.\n{last}" if stem else name


def _first_row(name: str) -> Callable[[Facts], Measurement | None]:
    """What a table shows of a measure: its value, else its mean, else its count."""

    def row(facts: Facts) -> Measurement | None:
        found = (facts.row(name, statistic) for statistic in ("value", "mean", "count"))
        return next((one for one in found if one), None)

    return row


def rows(report: Report, *, unfold: bool, norms: bool) -> tuple[list[Column], list[Row]]:
    """The columns with something to show, and the lines of the table, long networks folded.

    Args:
        report: What was found.
        unfold: One line for each layer, however many.
        norms: Whether normalisation layers get lines of their own.
    """
    every, _ = gather(report)
    shown = columns(every) + _asked(report)
    return shown, [_row(shown, group) for group in groups(every, unfold=unfold, norms=norms)]


def groups(every: Sequence[Facts], *, unfold: bool, norms: bool) -> list[list[Facts]]:
    """The layers of each line: in a long network those of one name but for indices, and shape."""
    layers = [facts for facts in every if norms or facts.layer.kind != "normalisation"] or every
    found: dict[tuple[str, tuple[int, ...]], list[Facts]] = {}
    folding = len(layers) > FOLD_FROM and not unfold
    for facts in layers:
        name = facts.layer.name
        pattern = _INDEX.sub("*", name) if folding else name
        found.setdefault((pattern, facts.layer.shape), []).append(facts)
    return list(found.values())


def cell_text(group: Sequence[Facts], column: Column) -> str:
    """What a column shows of a layer, or the median of several."""
    found = [row for facts in group if (row := column.row(facts))]
    if len(found) <= 1:
        return cell(next(iter(found), None), column.decimals)
    if any(row.is_minus_infinity for row in found):
        return "−∞…"
    numbers = [row.value for row in found if row.value is not None]
    return number(median(numbers) if numbers else None, column.decimals)


def rank_text(group: Sequence[Facts]) -> str:
    """Rank over full rank of a layer, or of that one of several which lost most."""
    pairs = [facts.rank for facts in group if facts.rank]
    if not pairs:
        return cell(next((row for facts in group if (row := facts.row("rank"))), None), 0)
    rank, full = min(pairs, key=lambda pair: pair[0] / max(pair[1], 1))
    return f"{rank:.0f}/{full:.0f}"


def _common(names: Sequence[str]) -> str:
    """The name that several share, with ``*`` for the indices in which they differ.

    >>> _common(["layer1.0.conv1", "layer1.1.conv1"])
    'layer1.*.conv1'
    """
    parts = [re.split(f"({_INDEX.pattern})", name) for name in names]
    return "".join(same[0] if len(set(same)) == 1 else "*" for same in zip(*parts, strict=True))


def line_name(group: Sequence[Facts]) -> str:
    """What a line calls its layers."""
    names = [facts.layer.name for facts in group]
    return printable(names[0] if len(names) == 1 else f"{_common(names)} ({len(names)})")


def _row(shown: Sequence[Column], group: Sequence[Facts]) -> Row:
    names = tuple(facts.layer.name for facts in group)
    return Row(
        name=line_name(group),
        shape=shape_text(group[0].layer.shape),
        cells=tuple(cell_text(group, column) for column in shown),
        rank=rank_text(group),
        profile=group[0].a_channel(group[0].volume),
        layers=names,
    )
