"""Along three or more files: what the pictures of a sequence show, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infoflow.comparison.comparison import WEIGHT_CHANGE, Change, Comparison
from infoflow.render.comparison.view import LayerView

Numbers = tuple[float | None, ...]


@dataclass(frozen=True)
class FlowMap:
    """A number for each layer (row) and file (column).

    Args:
        title: What the numbers are, on two lines.
        cells: The numbers, None where there is none.
        lost: Where the figure is −∞.
        signed: Whether zero is the middle, and not the least.
    """

    title: str
    cells: tuple[Numbers, ...]
    lost: tuple[tuple[bool, ...], ...]
    signed: bool

    @property
    def known(self) -> list[float]:
        """The numbers that there are after the first file."""
        return [value for row in self.cells for value in row[1:] if value is not None]

    @property
    def reach(self) -> tuple[float, bool]:
        """The largest modulus to give a colour of its own, and whether some lie beyond.

        A few values far beyond the rest take the end of the scale, so that the rest differ.
        """
        sizes = sorted(abs(value) for value in self.known if value)
        if not sizes:
            return 1.0, False
        bulk = 3 * sizes[int(0.9 * (len(sizes) - 1))]
        return (bulk, True) if bulk < sizes[-1] else (sizes[-1], False)


@dataclass(frozen=True)
class Line:
    """A figure of the network in each file.

    ``left_out`` counts layers that have no number in some file, and are in no mean.
    """

    title: str
    values: Numbers
    left_out: int


def maps(comparison: Comparison, views: Sequence[LayerView]) -> list[FlowMap]:
    """The maps that there are numbers for; rows in the order of ``views``."""
    found = [
        _map(comparison, views, "weight: relative change\nfrom the first file", _first, None),
        _map(comparison, views, "weight: relative change\nfrom the file before", _previous, None),
        _map(comparison, views, "log-volume a channel\nminus the first’s (nats)", _volume, _gap),
        _map(comparison, views, "mean log|c₁₁|\nminus the first’s (nats)", _corner, _difference),
        _map(comparison, views, "stable rank over\nthe first’s, minus 1", _stable, _relative),
    ]
    return [one for one in found if one.known or any(map(any, one.lost))]


def lines(comparison: Comparison, views: Sequence[LayerView]) -> list[Line]:
    """The means that there are numbers for: only of layers with a number in every file."""
    found = [
        _spread(comparison, views),
        _mean(comparison, views, "log-volume a channel\n(nats)", _volume, by_rank=True),
        _mean(comparison, views, "log|c₁₁| of a slice\n(nats)", _corner),
        _mean(comparison, views, "stable rank over the\nfull rank", _stable, by_rank=True),
    ]
    return [line for line in found if sum(value is not None for value in line.values) > 1]


def a_channel(row: Change | None, full: Change | None) -> tuple[float | None, float | None]:
    """A figure before and after, divided by the layer's full rank where that is known."""
    if row is None:
        return None, None
    by = (full.after or full.before or 1.0) if full else 1.0
    before = None if row.before is None else row.before / by
    return before, None if row.after is None else row.after / by


Find = Callable[[Comparison, str, int], Change | None]
Reckon = Callable[[Change, LayerView], float | None]


def _first(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, WEIGHT_CHANGE, "relative", second=place)


def _previous(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, WEIGHT_CHANGE, "relative", first=place - 1, second=place)


def _volume(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "log-volume.density", second=place) or comparison.row(
        layer, "log-volume", second=place
    )


def _corner(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "entropy-change.c11", "mean", second=place)


def _stable(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "stable-rank", second=place)


def _gap(row: Change, view: LayerView) -> float | None:
    before, after = a_channel(row, view.row("rank", "full"))
    return None if before is None or after is None else after - before


def _difference(row: Change, view: LayerView) -> float | None:
    return row.change


def _relative(row: Change, view: LayerView) -> float | None:
    return row.change / row.before if row.change is not None and row.before else None


def _map(
    comparison: Comparison,
    views: Sequence[LayerView],
    title: str,
    find: Find,
    reckon: Reckon | None,
) -> FlowMap:
    cells: list[Numbers] = []
    lost: list[tuple[bool, ...]] = []
    for view in views:
        rows = [find(comparison, view.layer.name, p) for p in range(1, comparison.last + 1)]
        values = [
            None if row is None else row.change if reckon is None else reckon(row, view)
            for row in rows
        ]
        known = [*values, *(row.before for row in rows if row)]
        start = 0.0 if any(value is not None for value in known) else None
        was = any(row.was_infinite for row in rows if row)
        cells.append((None if was else start, *values))
        lost.append((was, *(row is not None and row.is_infinite for row in rows)))
    return FlowMap(title, tuple(cells), tuple(lost), signed=reckon is not None)


def _mean(
    comparison: Comparison,
    views: Sequence[LayerView],
    title: str,
    find: Find,
    *,
    by_rank: bool = False,
) -> Line:
    """The mean over layers that have a number in every file."""
    paths: list[list[float]] = []
    left_out = 0
    for view in views:
        rows = [find(comparison, view.layer.name, p) for p in range(1, comparison.last + 1)]
        if all(row is None for row in rows):
            continue
        full = view.row("rank", "full") if by_rank else None
        over = (full.after or 1.0) if full else 1.0
        ends = [rows[0].before if rows[0] else None, *(row.after if row else None for row in rows)]
        known = [value / over for value in ends if value is not None]
        if len(known) < len(ends):
            left_out += 1
        else:
            paths.append(known)
    if not paths:
        return Line(title, (None,) * len(comparison.snapshots), left_out)
    means = tuple(sum(column) / len(paths) for column in zip(*paths, strict=True))
    return Line(title, means, left_out)


def _spread(comparison: Comparison, views: Sequence[LayerView]) -> Line:
    """Root mean square over layers of the relative change from the first file."""
    values: list[float | None] = []
    left_out = 0
    for place in range(1, comparison.last + 1):
        rows = [_first(comparison, view.layer.name, place) for view in views]
        known = [row.change for row in rows if row is not None and row.change is not None]
        left_out = max(left_out, len(rows) - len(known)) if known else left_out
        squares = sum(one**2 for one in known)
        values.append(math.sqrt(squares / len(known)) if known else None)
    start = 0.0 if any(value is not None for value in values) else None
    title = "relative change from the\nfirst, root mean square"
    return Line(title, (start, *values), left_out)
