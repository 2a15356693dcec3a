"""The network as a whole along the files: lines of its means."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from infoflow.comparison.comparison import WEIGHT_CHANGE, Change, Comparison
from infoflow.render.comparison.plots.rows import files_text, in_depth, steps_word
from infoflow.render.comparison.view import LayerView
from infoflow.render.plots.sheet import TRAINED, WIDE, NothingToDraw, sentences, sheet
from infoflow.render.text import counted


@dataclass(frozen=True)
class Line:
    """A figure of the network in each file, None where it has none."""

    title: str
    values: tuple[float | None, ...]
    left_out: int
    """Layers without a number in some file, which are in no mean."""


def lines(comparison: Comparison, views: Sequence[LayerView]) -> list[Line]:
    """The means that there are numbers for: only of layers with a number in every file."""
    found = [
        _relative(comparison, views),
        _mean(comparison, views, "log-volume a channel\n(nats)", _volume, by_rank=True),
        _mean(comparison, views, "log|c₁₁| of a slice\n(nats)", _corner),
        _mean(comparison, views, "stable rank over the\nfull rank", _stable, by_rank=True),
    ]
    return [line for line in found if sum(value is not None for value in line.values) > 1]


def draw(comparison: Comparison) -> list[Figure]:
    """One page of small line charts."""
    if len(comparison.snapshots) < 3:
        raise NothingToDraw("there are two files; three or more make lines")
    drawn = lines(comparison, in_depth(comparison))
    if not drawn:
        raise NothingToDraw("no layer has a figure in all files")
    figure = sheet(WIDE, 56, _caption(comparison, drawn))
    steps = [one.step for one in comparison.snapshots]
    for axes, line in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        known = [(s, v) for s, v in zip(steps, line.values, strict=True) if v is not None]
        axes.plot(*zip(*known, strict=True), color=TRAINED, marker="o", markersize=2.5)
        axes.set_title(line.title, linespacing=1.15)
        axes.set_xlabel(steps_word(comparison))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    return [figure]


Find = Callable[[Comparison, str, int], Change | None]


def _volume(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "log-volume.density", second=place) or comparison.row(
        layer, "log-volume", second=place
    )


def _corner(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "entropy-change.c11", "mean", second=place)


def _stable(comparison: Comparison, layer: str, place: int) -> Change | None:
    return comparison.row(layer, "stable-rank", second=place)


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
    count = len(comparison.snapshots)
    if not paths:
        return Line(title, (None,) * count, left_out)
    means = tuple(sum(column) / len(paths) for column in zip(*paths, strict=True))
    return Line(title, means, left_out)


def _relative(comparison: Comparison, views: Sequence[LayerView]) -> Line:
    """Root mean square over layers of the relative change from the first file."""
    values: list[float | None] = [0.0]
    left_out = 0
    for place in range(1, comparison.last + 1):
        rows = [
            comparison.row(view.layer.name, WEIGHT_CHANGE, "relative", second=place)
            for view in views
        ]
        known = [row.change for row in rows if row is not None and row.change is not None]
        left_out = max(left_out, len(rows) - len(known)) if known else left_out
        squares = sum(one**2 for one in known)
        values.append(math.sqrt(squares / len(known)) if known else None)
    if all(value is None for value in values[1:]):
        values[0] = None
    title = "relative change from the\nfirst, root mean square"
    return Line(title, tuple(values), left_out)


def _caption(comparison: Comparison, drawn: Sequence[Line]) -> str:
    left_out = max(line.left_out for line in drawn)
    return sentences(
        (
            f"{files_text(comparison)}: means over the layers that have a number in every file",
            "Log-volume and stable rank over the full rank",
            f"{counted(left_out, 'layer')} left out of a line for want of a number"
            if left_out
            else "",
        )
    )
