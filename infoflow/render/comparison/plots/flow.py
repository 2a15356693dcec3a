"""Flow through training: layers × files as heat maps of what changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infoflow.comparison.comparison import WEIGHT_CHANGE, Change, Comparison
from infoflow.render.comparison.plots.rows import (
    a_channel,
    files_text,
    height_of,
    in_depth,
    name_rows,
    steps_word,
)
from infoflow.render.comparison.view import LayerView
from infoflow.render.plots.sheet import (
    FLAGGED,
    POINT,
    TEXT_SIZE,
    WIDE,
    NothingToDraw,
    sentences,
    sheet,
    text_width,
)
from infoflow.render.text import counted

_ABSENT = "#DDDDDD"
_ACROSS = 3
"""Maps abreast."""


@dataclass(frozen=True)
class _Map:
    """One heat map: (layers, files) of numbers, NaN where there is none, and where it is −∞."""

    title: str
    cells: NDArray[np.float64]
    lost: NDArray[np.bool_]
    signed: bool


def draw(comparison: Comparison) -> list[Figure]:
    """One page of small multiples, three abreast."""
    if len(comparison.snapshots) < 3:
        raise NothingToDraw("there are two files; three or more make a flow")
    views = in_depth(comparison)
    maps = [one for one in _maps(comparison, views) if one.lost.any() or _known(one).any()]
    if not maps:
        raise NothingToDraw("no layer has a figure in all files")
    height = height_of(len(views))
    down = -(-len(maps) // _ACROSS)
    page = min(down * (height + 30), 240.0)
    figure = sheet(WIDE, page, _caption(comparison, views, maps))
    across = min(_ACROSS, len(maps))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(maps):
            axes.set_visible(False)
            continue
        _draw(figure, axes, maps[place])
        below = place + across >= len(maps)
        _name_files(axes, comparison, WIDE / across - 26, named=below)
        axes.tick_params(labelbottom=below)
    for row in grid:
        name_rows(figure, row[0], views, min(height, page / down - 30))
    return [figure]


def _known(one: _Map) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.isfinite(one.cells)
    return found


def _maps(comparison: Comparison, views: Sequence[LayerView]) -> list[_Map]:
    def first(layer: str, place: int) -> Change | None:
        return comparison.row(layer, WEIGHT_CHANGE, "relative", second=place)

    def previous(layer: str, place: int) -> Change | None:
        return comparison.row(layer, WEIGHT_CHANGE, "relative", first=place - 1, second=place)

    def volume(layer: str, place: int) -> Change | None:
        return comparison.row(layer, "log-volume.density", second=place) or comparison.row(
            layer, "log-volume", second=place
        )

    def corner(layer: str, place: int) -> Change | None:
        return comparison.row(layer, "entropy-change.c11", "mean", second=place)

    def stable(layer: str, place: int) -> Change | None:
        return comparison.row(layer, "stable-rank", second=place)

    return [
        _gather(comparison, views, "weight: relative change\nfrom the first file", first, None),
        _gather(comparison, views, "weight: relative change\nfrom the file before", previous, None),
        _gather(comparison, views, "log-volume a channel\nminus the first's (nats)", volume, _gap),
        _gather(comparison, views, "mean log|c₁₁|\nminus the first's (nats)", corner, _difference),
        _gather(comparison, views, "stable rank over\nthe first's, minus 1", stable, _relative),
    ]


Reckoned = Callable[[Change, LayerView], float | None]


def _gather(
    comparison: Comparison,
    views: Sequence[LayerView],
    title: str,
    find: Callable[[str, int], Change | None],
    figure: Reckoned | None,
) -> _Map:
    count = len(comparison.snapshots)
    cells = np.full((len(views), count), np.nan)
    lost = np.zeros((len(views), count), dtype=bool)
    for line, view in enumerate(views):
        for place in range(1, count):
            row = find(view.layer.name, place)
            if row is None:
                continue
            value = row.change if figure is None else figure(row, view)
            lost[line, place] = row.is_infinite
            lost[line, 0] = row.was_infinite
            if value is not None:
                cells[line, place] = value
                cells[line, 0] = 0.0
    return _Map(title, cells, lost, signed=figure is not None)


def _gap(row: Change, view: LayerView) -> float | None:
    before, after = a_channel(row, view.row("rank", "full"))
    return None if before is None or after is None else after - before


def _difference(row: Change, view: LayerView) -> float | None:
    return row.change


def _relative(row: Change, view: LayerView) -> float | None:
    return row.change / row.before if row.change is not None and row.before else None


def _draw(figure: Figure, axes: Axes, one: _Map) -> None:
    known = one.cells[np.isfinite(one.cells)]
    most = float(np.abs(known).max()) if known.size and known.any() else 1.0
    scale = Normalize(-most if one.signed else 0.0, most)
    colours = matplotlib.colormaps["RdBu_r" if one.signed else "cividis"].with_extremes(bad=_ABSENT)
    rows, columns = one.cells.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    image = axes.imshow(
        np.ma.masked_invalid(one.cells), cmap=colours, norm=scale, aspect="auto", extent=extent
    )
    if one.lost.any():
        marked = np.ma.masked_where(~one.lost, np.ones_like(one.cells))
        axes.imshow(
            marked, cmap=matplotlib.colors.ListedColormap([FLAGGED]), aspect="auto", extent=extent
        )
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_title(one.title, linespacing=1.15)
    bar = figure.colorbar(image, ax=axes, fraction=0.06, pad=0.02, aspect=30)
    bar.outline.set_linewidth(0.4)


def _name_files(axes: Axes, comparison: Comparison, width: float, *, named: bool) -> None:
    """The steps along the x axis, thinned until they do not touch; the last is always there."""
    words = [f"{one.step:,}" for one in comparison.snapshots]
    count = len(words)
    room = width * POINT / count
    widest = max(map(text_width, words)) + 0.8 * TEXT_SIZE
    step = max(int(-(-widest // room)), 1)
    places = list(range(count - 1, -1, -step))[::-1]
    axes.set_xticks(places, [words[place] for place in places])
    if named:
        axes.set_xlabel(steps_word(comparison))


def _caption(comparison: Comparison, views: Sequence[LayerView], maps: Sequence[_Map]) -> str:
    absent = any((~np.isfinite(one.cells) & ~one.lost)[:, 1:].any() for one in maps)
    return sentences(
        (
            f"{files_text(comparison)}: what changed in n = {counted(len(views), 'layer')} "
            "(rows, from input to output), a column a file, evenly spaced",
            "Relative change ‖B − A‖ / ‖A‖, Frobenius norms; log-volume over the full rank",
            "Red is above the first file, blue below" if any(one.signed for one in maps) else "",
            "Vermilion: −∞" if any(one.lost.any() for one in maps) else "",
            "Grey: no figure" if absent else "",
        )
    )
