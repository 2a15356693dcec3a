"""The network as a whole along the files: lines of its means."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from infoflow.comparison.comparison import Comparison
from infoflow.render.comparison.flow import lines
from infoflow.render.comparison.plots.rows import files_text, in_depth, steps_word
from infoflow.render.plots.sheet import TRAINED, WIDE, NothingToDraw, sentences, sheet
from infoflow.words import counted


def draw(comparison: Comparison) -> list[Figure]:
    """One page of small line charts."""
    if len(comparison.snapshots) < 3:
        raise NothingToDraw("there are two files; three or more make lines")
    drawn = lines(comparison, in_depth(comparison))
    if not drawn:
        raise NothingToDraw("no layer has a figure in all files")
    left_out = max(line.left_out for line in drawn)
    caption = sentences(
        (
            f"{files_text(comparison)}: means over the layers that have a number in every file",
            "Log-volume and stable rank over the full rank",
            f"{counted(left_out, 'layer')} left out of a line for want of a number"
            if left_out
            else "",
        )
    )
    figure = sheet(WIDE, 56, caption)
    steps = [one.step for one in comparison.snapshots]
    for axes, line in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        known = [(s, v) for s, v in zip(steps, line.values, strict=True) if v is not None]
        axes.plot(*zip(*known, strict=True), color=TRAINED, marker="o", markersize=2.5)
        axes.set_title(line.title, linespacing=1.15)
        axes.set_xlabel(steps_word(comparison))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    return [figure]
