"""The sparsity pattern of a matrix: its non-zeros, or their density where cells are coarse."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from infoflow.render.pattern import Pattern, Side
from infoflow.render.plots.sheet import TRAINED, WIDE, drawable, page, sentences
from infoflow.render.text import percent
from infoflow.words import counted

LONGEST, SHORTEST = 120.0, 50.0
"""Millimetres that the sides of the map have between them."""
LEFT, ABOVE, UNDER, RIGHT, SCALE = 19.0, 5.0, 13.0, 6.0, 22.0
TICKS = 8


def draw(pattern: Pattern, title: str) -> Figure:
    """One map of the matrix, row 0 at the top.

    Args:
        pattern: Of the matrix.
        title: Begins the caption: of what file and layer the matrix is.
    """
    wide, high = _sides(pattern)
    single = pattern.is_exact
    width = max(LEFT + wide + RIGHT + (0 if single else SCALE), WIDE / 2)
    figure, below = page(width, ABOVE + high + UNDER, _caption(pattern, title))
    total = ABOVE + high + UNDER + below

    def place(left: float, long: float) -> Axes:
        """Axes beside each other, from millimetres."""
        low = 1 - (ABOVE + high) / total
        return figure.add_axes((left / width, low, long / width, high / total))

    axes = place(LEFT, wide)
    rows, columns = pattern.rows.length, pattern.columns.length
    cells = np.ma.masked_equal(pattern.cells, 0.0)
    colours = ListedColormap([TRAINED]) if single else matplotlib.colormaps["cividis_r"]
    held = pattern.cells[pattern.cells > 0]
    # Cells at the edges may be narrower than the others and stand out.
    most = float(np.quantile(held, 0.99)) if held.size else 1.0
    image = axes.imshow(
        cells, cmap=colours, norm=Normalize(0.0, most), aspect="auto",
        extent=(0, columns, rows, 0), interpolation="nearest",
    )  # fmt: skip
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(True)
    _name(axes, "y", pattern.rows)
    _name(axes, "x", pattern.columns)
    if not single and pattern.nonzeros:
        scale = place(LEFT + wide + 4, 2.2)
        beyond = "max" if held.max() > most else "neither"
        bar = figure.colorbar(image, cax=scale, extend=beyond)
        bar.outline.set_linewidth(0.4)
        scale.set_label("<colorbar>")
        scale.set_ylabel("share of non-zeros in a cell")
    return figure


def _sides(pattern: Pattern) -> tuple[float, float]:
    """Width and height of the map in millimetres: the matrix's own, very long ones shortened."""
    rows, columns = pattern.rows.length, pattern.columns.length
    longest = max(rows, columns)
    wide, high = (max(SHORTEST, LONGEST * n / longest) for n in (columns, rows))
    return wide, high


def _name(axes: Axes, which: str, side: Side) -> None:
    """Ticks at the beginnings of channels (of rows of positions, for a filter), and the label."""
    length = side.block
    count = side.length // length
    step = _step(count)
    shown = range(0, count, step)
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_ticks([index * length for index in shown], [f"{index:,}" for index in shown])
    axis.set_label_text(drawable(side.label))


def _step(count: int) -> int:
    """1, 2 or 5 times a power of ten, or a power of two where that divides the count."""
    least = -(-count // TICKS)
    power = 1
    while power < least:
        power *= 2
    if count % power == 0:
        return power
    ten = 1
    while True:
        for factor in (1, 2, 5):
            if factor * ten >= least:
                return factor * ten
        ten *= 10


def _caption(pattern: Pattern, title: str) -> str:
    rows, columns = pattern.rows.length, pattern.columns.length
    share = pattern.nonzeros / (rows * columns) if rows * columns else 0.0
    height, width = pattern.cells.shape
    cells = f"Each cell stands for {rows / height:.3g} × {columns / width:.3g} entries"
    return sentences(
        (
            f"{drawable(title)}: {rows:,} × {columns:,}, "
            f"{counted(pattern.nonzeros, 'non-zero')} ({percent(share)})",
            "Blue is an entry that is not zero" if pattern.is_exact else cells,
            "" if pattern.is_exact else "White holds none",
        )
    )
