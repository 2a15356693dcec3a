"""The table of layers, as cells: which columns there are, and how long networks fold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from infoflow.render.text import cell, number, printable, shape_text
from infoflow.report import LayerSummary, Report

FOLD_FROM = 40
_INDEX = re.compile(r"(?<![^._])[0-9]+(?![^.])")
"""An index of a block or module: a whole component of a name, or the digits after ``_``."""


@dataclass(frozen=True)
class Column:
    """A column: its heading (two lines), and what fills it.

    ``sources`` are tried in order; the first measure that the layer has fills the cell. Of columns
    that do not all fit, those of the highest ``rank`` are left out first.
    """

    heading: str
    sources: tuple[tuple[str, str], ...]
    decimals: int
    rank: int
    of_layer: bool = True


COLUMNS = (
    Column("log|c₁₁|\na slice", (("entropy-change.c11", "mean"),), 2, 1, of_layer=False),
    Column("spread\na slice", (("entropy-change.c11", "standard-deviation"),), 2, 7, False),
    Column("random\nz", (("random-twin.z-mean", "value"),), 1, 3, of_layer=False),
    Column(
        "block c₁₁\nlog|det|",
        (("entropy-change.block-c11", "value"), ("entropy-change.logdet", "value")),
        1,
        4,
    ),
    Column("log-\nvolume", (("log-volume.density", "value"), ("log-volume", "value")), 1, 0),
    Column("scale-\nfree", (("log-volume.density.scale-free", "value"),), 1, 8),
    Column("stable\nrank", (("stable-rank", "value"),), 1, 9),
    Column("spectral\nnorm", (("spectral-norm", "value"),), 2, 10),
    Column("condition\nnumber", (("condition-number", "value"),), 0, 11),
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


def columns(report: Report) -> list[Column]:
    """The columns that have something to show."""
    measured = {(row.measure, row.statistic) for row in report.measurements}
    return [column for column in COLUMNS if any(source in measured for source in column.sources)]


def rows(report: Report, shown: Sequence[Column], *, unfold: bool, norms: bool) -> list[Row]:
    """The lines of the table, long networks folded.

    Args:
        report: What was found.
        shown: The columns.
        unfold: One line for each layer, however many.
        norms: Whether normalisation layers get lines of their own.
    """
    layers = [layer for layer in report.layers if norms or layer.kind != "normalisation"]
    layers = layers or list(report.layers)
    groups: dict[tuple[str, tuple[int, ...]], list[LayerSummary]] = {}
    folding = len(layers) > FOLD_FROM and not unfold
    for layer in layers:
        pattern = _INDEX.sub("*", layer.name) if folding else layer.name
        groups.setdefault((pattern, layer.shape), []).append(layer)
    return [_row(report, shown, group) for group in groups.values()]


def _common(names: Sequence[str]) -> str:
    """The name that several share, with ``*`` for the indices in which they differ.

    >>> _common(["layer1.0.conv1", "layer1.1.conv1"])
    'layer1.*.conv1'
    """
    parts = [re.split(f"({_INDEX.pattern})", name) for name in names]
    return "".join(same[0] if len(set(same)) == 1 else "*" for same in zip(*parts, strict=True))


def _row(report: Report, shown: Sequence[Column], group: list[LayerSummary]) -> Row:
    names = tuple(layer.name for layer in group)
    name = names[0] if len(names) == 1 else f"{_common(names)} ({len(names)})"
    return Row(
        name=printable(name),
        shape=shape_text(group[0].shape),
        cells=tuple(_cell(report, names, column) for column in shown),
        rank=_rank(report, names),
        profile=_profile(report, group[0]),
        layers=names,
    )


def _cell(report: Report, names: tuple[str, ...], column: Column) -> str:
    for measure, statistic in column.sources:
        found = [row for name in names if (row := report.row(name, measure, statistic))]
        if found:
            numbers = [row.value for row in found if row.value is not None]
            if len(found) == 1:
                return cell(found[0], column.decimals)
            infinite = any(row.is_minus_infinity for row in found)
            return (
                "−∞…" if infinite else number(median(numbers) if numbers else None, column.decimals)
            )
    return ""


def _rank(report: Report, names: tuple[str, ...]) -> str:
    pairs = [
        (rank.value, full.value)
        for name in names
        if (rank := report.row(name, "rank"))
        and (full := report.row(name, "rank", "full"))
        and rank.value is not None
        and full.value is not None
    ]
    if not pairs:
        return ""
    lowest = min(pairs, key=lambda pair: pair[0] / max(pair[1], 1))
    return f"{lowest[0]:.0f}/{lowest[1]:.0f}"


def _profile(report: Report, layer: LayerSummary) -> float | None:
    """Exact log-volume a channel: the figure that compares layers of different widths."""
    full = report.row(layer.name, "rank", "full")
    volume = report.row(layer.name, "log-volume.density") or report.row(layer.name, "log-volume")
    if not (full and full.value and volume) or volume.value is None:
        return None
    return volume.value / full.value
