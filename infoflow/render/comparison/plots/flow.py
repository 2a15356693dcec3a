"""Flow through training: layers × files as heat maps of what changed."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from infoflow.comparison.comparison import Comparison
from infoflow.render.comparison.flow import FlowMap, maps
from infoflow.render.comparison.plots.rows import (
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
from infoflow.words import counted

_ABSENT = "#DDDDDD"
_ACROSS = 3
"""Maps abreast."""
_TALLEST = 240.0
"""Millimetres of a page's maps."""


def draw(comparison: Comparison) -> list[Figure]:
    """One page of small multiples, three abreast."""
    if len(comparison.snapshots) < 3:
        raise NothingToDraw("there are two files; three or more make a flow")
    views = in_depth(comparison)
    drawn = maps(comparison, views)
    if not drawn:
        raise NothingToDraw("no layer has a figure in all files")
    down = -(-len(drawn) // _ACROSS)
    height = min(height_of(len(views)), _TALLEST / down - 30)
    figure = sheet(WIDE, down * (height + 30), _caption(comparison, views, drawn))
    across = min(_ACROSS, len(drawn))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(drawn):
            axes.set_visible(False)
            continue
        _draw(figure, axes, drawn[place])
        _name_files(axes, comparison, WIDE / across - 26)
        axes.tick_params(labelbottom=True)
        axes.tick_params(axis="y", length=0)
    for row in grid:
        name_rows(row[0], views, height)
    return [figure]


def _draw(figure: Figure, axes: Axes, one: FlowMap) -> None:
    reach, beyond = one.reach
    scale = Normalize(-reach if one.signed else 0.0, reach)
    colours = matplotlib.colormaps["RdBu_r" if one.signed else "cividis"].with_extremes(bad=_ABSENT)
    cells = np.array(
        [[np.nan if value is None else value for value in row] for row in one.cells], dtype=float
    )
    image = axes.imshow(np.ma.masked_invalid(cells), cmap=colours, norm=scale, aspect="auto")
    for line, row in enumerate(one.lost):
        for column in (place for place, gone in enumerate(row) if gone):
            axes.add_patch(
                Rectangle(
                    (column - 0.5, line - 0.5), 1, 1,
                    facecolor="white", edgecolor=FLAGGED, hatch="//////", linewidth=0,
                )
            )  # fmt: skip
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_title(one.title, linespacing=1.15)
    extend = "neither" if not beyond else "both" if one.signed else "max"
    bar = figure.colorbar(image, ax=axes, fraction=0.06, pad=0.02, aspect=30, extend=extend)
    bar.outline.set_linewidth(0.4)


def _name_files(axes: Axes, comparison: Comparison, width: float) -> None:
    """The steps along the x axis, thinned until they do not touch; the last is always there."""
    words = [f"{one.step:,}" for one in comparison.snapshots]
    count = len(words)
    room = width * POINT / count
    widest = max(map(text_width, words)) + 0.8 * TEXT_SIZE
    step = max(int(-(-widest // room)), 1)
    places = list(range(count - 1, -1, -step))[::-1]
    axes.set_xticks(places, [words[place] for place in places])
    axes.set_xlabel(steps_word(comparison))


def _caption(comparison: Comparison, views: Sequence[LayerView], drawn: Sequence[FlowMap]) -> str:
    lost = any(any(map(any, one.lost)) for one in drawn)
    absent = any(
        value is None and not gone
        for one in drawn
        for row, gones in zip(one.cells, one.lost, strict=True)
        for value, gone in zip(row, gones, strict=True)
    )
    return sentences(
        (
            f"{files_text(comparison)}: what changed in n = {counted(len(views), 'layer')} "
            "(rows, from input to output), a column a file, evenly spaced",
            "Relative change ‖B − A‖ / ‖A‖, Frobenius norms; log-volume over the full rank",
            "Red is above the first file, blue below" if any(one.signed for one in drawn) else "",
            "Pointed ends of a scale: a few values lie beyond, up to "
            + ", ".join(f"{max(map(abs, one.known)):.2g}" for one in drawn if one.reach[1])
            if any(one.reach[1] for one in drawn)
            else "",
            "Hatched: −∞" if lost else "",
            "Grey: no figure" if absent else "",
        )
    )
