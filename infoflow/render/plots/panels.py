"""Pages of small heat maps on one scale of colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from infoflow.render.plots.sheet import NARROW, POINT, WIDE, fitted, page

A_PAGE = 16
# Millimetres: a panel, what stands around it, and the strip of the scale above all.
SIDE = 30.0
CELL_WIDTH = 44.5
CELL_HEIGHT = 47.0
LEFT = 11.5
TITLE = 10.0
SCALE = 15.0
UNDER = 6.0


@dataclass(frozen=True)
class Panel:
    """One map. ``extent`` is its number of rows and columns before it was aggregated."""

    name: str
    subtitle: str
    cells: NDArray[np.float64]
    extent: tuple[int, int]


@dataclass(frozen=True)
class Key:
    """How the maps are to be read: one for all pages, so that they compare.

    Args:
        scale: Numbers at the two ends of the colours.
        unit: What the colours say.
        rows: What a row of a map is.
        columns: What a column is.
        absent: Colour of a cell without a number.
        empty: What a map without any number says.
        extend: Ends of the scale beyond which there are numbers: ``neither``, ``both``, …
        caption: From the phrase that tells the page (``, page 1 of 3``, or nothing) to the caption.
    """

    scale: tuple[float, float]
    unit: str
    rows: str
    columns: str
    absent: str
    empty: str
    extend: str
    caption: Callable[[str], str]


def pages(panels: Sequence[Panel], key: Key) -> list[Figure]:
    """Sixteen panels a page, four abreast; one or two on a page of a single column's width."""
    count = -(-len(panels) // A_PAGE)
    return [
        _page(
            panels[number * A_PAGE : (number + 1) * A_PAGE],
            key,
            NARROW if len(panels) <= 2 else WIDE,
            f", page {number + 1} of {count}" if count > 1 else "",
        )
        for number in range(count)
    ]


def _page(panels: Sequence[Panel], key: Key, width: float, phrase: str) -> Figure:
    across = int(width // CELL_WIDTH)
    down = -(-len(panels) // across)
    height = SCALE + down * CELL_HEIGHT + UNDER
    figure, below = page(width, height, key.caption(phrase))
    total = height + below

    def place(left: float, top: float, wide: float, high: float) -> Axes:
        """Axes at millimetres from the left and from the top."""
        return figure.add_axes((left / width, 1 - (top + high) / total, wide / width, high / total))

    images = []
    for number, panel in enumerate(panels):
        row, column = divmod(number, across)
        left = column * width / across + LEFT
        axes = place(left, SCALE + row * CELL_HEIGHT + TITLE, SIDE, SIDE)
        images.append(_draw(axes, panel, key))
        if column == 0:
            axes.set_ylabel(key.rows)
        if number + across >= len(panels):
            axes.set_xlabel(key.columns)
    long = 60.0 if width == NARROW else 90.0
    scale = place((width - long) / 2, 9, long, 2.2)
    bar = figure.colorbar(images[0], cax=scale, orientation="horizontal", extend=key.extend)
    scale.set_label("<colorbar>")  # as matplotlib calls those that it makes itself
    bar.outline.set_linewidth(0.4)
    scale.xaxis.set_ticks_position("top")
    scale.xaxis.set_label_position("top")
    scale.set_xlabel(key.unit)
    return figure


def _draw(axes: Axes, panel: Panel, key: Key) -> AxesImage:
    colours = matplotlib.colormaps["cividis"].with_extremes(bad=key.absent)
    rows, columns = panel.extent
    image = axes.imshow(
        panel.cells,
        cmap=colours,
        norm=Normalize(*key.scale),
        aspect="auto",
        extent=(0, columns, rows, 0),
    )
    name = fitted(panel.name, (CELL_WIDTH - 6) * POINT)
    axes.set_title(f"{name}\n{panel.subtitle}", linespacing=1.2, pad=7)
    if not np.isfinite(panel.cells).any():
        axes.text(columns / 2, rows / 2, key.empty, ha="center", va="center")
    axes.grid(False)
    axes.set_xticks([0, columns])
    axes.set_yticks([0, rows])
    axes.spines[["top", "right"]].set_visible(True)
    return image


def matrix(shape: Sequence[int], values: Sequence[float | None]) -> NDArray[np.float64]:
    """A map as an array, NaN where there is no number."""
    numbers = [np.nan if value is None else value for value in values]
    return np.array(numbers, dtype=np.float64).reshape(tuple(shape))
