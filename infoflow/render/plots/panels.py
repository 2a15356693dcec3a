"""Pages of small heat maps on one scale of colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infoflow.render.plots.sheet import NARROW, WIDE, label, sheet

A_PAGE = 16
SIDE = 49.0
"""Height of a row of panels, in millimetres."""


@dataclass(frozen=True)
class Panel:
    """One map. ``extent`` is its number of rows and columns before it was aggregated."""

    name: str
    subtitle: str
    cells: NDArray[np.float64]
    extent: tuple[int, int]


def pages(
    panels: Sequence[Panel],
    *,
    scale: tuple[float, float],
    unit: str,
    rows: str,
    columns: str,
    absent: str,
    extend: str,
    caption: Callable[[str], str],
) -> list[Figure]:
    """Sixteen panels a page; the same scale on all pages, so that they compare.

    Args:
        panels: One a layer; NaN cells have the colour ``absent``.
        scale: Numbers at the two ends of the colours.
        unit: What the colours say.
        rows: What a row of a map is.
        columns: What a column is.
        absent: Colour of a cell without a number.
        extend: Ends of the scale beyond which there are numbers: ``neither``, ``min``, …
        caption: From the phrase that tells the page (``page 1 of 3``, or nothing) to the caption.
    """
    count = -(-len(panels) // A_PAGE)
    colours = matplotlib.colormaps["cividis"].with_extremes(bad=absent)
    figures = []
    for number in range(count):
        shown = panels[number * A_PAGE : (number + 1) * A_PAGE]
        small = len(panels) <= 2
        across = 2 if small else 4
        down = -(-len(shown) // across)
        page = f"page {number + 1} of {count}" if count > 1 else ""
        figure = sheet(NARROW if small else WIDE, down * SIDE + 14, caption(page))
        grid = figure.subplots(down, across, squeeze=False)
        image = None
        for axes, panel in zip(grid.flat, shown, strict=False):
            image = axes.imshow(
                panel.cells, cmap=colours, norm=Normalize(*scale), aspect="auto",
                extent=(0, panel.extent[1], panel.extent[0], 0),
            )  # fmt: skip
            _frame(axes, panel)
        for axes in grid.flat[len(shown) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel(rows)
        for place in range(min(across, len(shown))):
            last = (len(shown) - 1 - place) // across
            grid[last, place].set_xlabel(columns)
        assert image is not None
        bar = figure.colorbar(
            image, ax=list(grid.flat[: len(shown)]), location="top", label=unit,
            extend=extend, aspect=40, shrink=0.5, pad=0.02,
        )  # fmt: skip
        bar.outline.set_linewidth(0.4)
        figures.append(figure)
    return figures


def _frame(axes: Axes, panel: Panel) -> None:
    axes.set_title(f"{label(panel.name, 22)}\n{panel.subtitle}", linespacing=1.2)
    axes.grid(False)
    axes.set_box_aspect(1)
    axes.set_xticks([0, panel.extent[1]])
    axes.set_yticks([0, panel.extent[0]])
    axes.spines[["top", "right"]].set_visible(True)


def matrix(shape: Sequence[int], values: Sequence[float | None]) -> NDArray[np.float64]:
    """A map as an array, NaN where there is no number."""
    return np.array(
        [np.nan if value is None else value for value in values], dtype=np.float64
    ).reshape(tuple(shape))
