"""What the plots of a comparison share: an axis of layers from top to bottom, figures a channel."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from infoflow.comparison.comparison import Comparison
from infoflow.render.comparison.view import LayerView, gather, linear
from infoflow.render.plots.sheet import TEXT_SIZE, NothingToDraw, label
from infoflow.render.text import printable, shortened

A_LAYER = 4.2
"""Millimetres of a layer's row, where there is room."""
TALLEST = 200.0
"""Millimetres of the rows of all layers, at most."""


def in_depth(comparison: Comparison) -> list[LayerView]:
    """The linear layers from input to output.

    Raises:
        NothingToDraw: There are none.
    """
    views = sorted(linear(gather(comparison)), key=lambda view: view.layer.place)
    if not views:
        raise NothingToDraw("no layer is common to all files")
    return views


def height_of(count: int) -> float:
    """Millimetres of so many rows."""
    return max(min(count * A_LAYER, TALLEST), 5 * A_LAYER)


def name_rows(axes: Axes, views: Sequence[LayerView], height: float) -> None:
    """Name the layers down the y axis, thinned where rows are lower than a line of text."""
    room = height / max(len(views), 1) * 72 / 25.4
    step = max(int(-(-1.15 * TEXT_SIZE // room)), 1)
    places = range(0, len(views), step)
    axes.set_yticks(list(places), [label(views[place].layer.name) for place in places])
    axes.tick_params(axis="y", length=0)
    if step > 1:
        axes.set_ylabel(f"layer, from input to output (1 in {step} named)")


def files_text(comparison: Comparison) -> str:
    """The files and what they are, to begin a caption."""
    snapshots = comparison.snapshots
    ends = " to ".join(shortened(printable(snapshots[i].label), 50) for i in (0, -1))
    known = next((one.architecture for one in snapshots if one.architecture), "")
    between = f", {len(snapshots)} files" if len(snapshots) > 2 else ""
    if between and numbered(comparison):
        between += ", each with the step in its name"
    return f"{ends}{between}" + (f" ({printable(known)})" if known else "")


def steps_word(comparison: Comparison) -> str:
    """What the axis of the files is."""
    return "step" if numbered(comparison) else "file, as given"


def numbered(comparison: Comparison) -> bool:
    """Whether the steps are numbers in the files' names, and not their places."""
    return comparison.settings.get("order") == "the number in the names"
