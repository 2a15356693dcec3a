"""What all plots of activations share: the curves of a chain, captions, names of sites."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from infoflow.render.activations import Information, SiteFacts, estimator
from infoflow.render.plots.sheet import TRAINED, TWIN_LIGHT, file_name
from infoflow.report import Report

FALL, RISE, UNTOLD = "#0072B2", "#D55E00", "#888888"
"""Of a step: blue, vermillion and grey tell apart without red against green."""

FROM_INPUT = "site, from input to output"
FROM_OUTPUT = "site, from output to input"
CAPS_UP_TO = 60


def errors(axes: Axes, found: Sequence[tuple[float, Information]], colour: str) -> None:
    """The 95 % intervals of information at its places."""
    known = [(x, one.value, one.interval) for x, one in found]
    bars = [(x, v, ends) for x, v, ends in known if v is not None and ends is not None]
    if bars:
        axes.errorbar(
            [x for x, _, _ in bars],
            [v for _, v, _ in bars],
            yerr=[[max(v - ends[0], 0.0) for _, v, ends in bars],
                  [max(ends[1] - v, 0.0) for _, v, ends in bars]],
            fmt="none", ecolor=colour, elinewidth=0.7,
            capsize=1.5 if len(bars) <= CAPS_UP_TO else 0, zorder=3,
        )  # fmt: skip


def nulls(axes: Axes, found: Sequence[tuple[float, Information]]) -> None:
    """Grey bands: where permuted samples read."""
    bands = [(x, one.null_band) for x, one in found if one.null_band is not None]
    for number, (x, band) in enumerate(bands):
        axes.fill_between(
            [x - 0.45, x + 0.45], *band, color=TWIN_LIGHT, linewidth=0, zorder=0.8,
            label="null: samples permuted, 95 %" if number == 0 else "",
        )  # fmt: skip


def points(axes: Axes, found: Sequence[tuple[float, float]], label: str, *, line: bool = True,
           colour: str = TRAINED, marker: str = "o", hollow: bool = False) -> None:  # fmt: skip
    """Marks at their places, joined where they are of one chain."""
    if found:
        axes.plot(
            [x for x, _ in found], [value for _, value in found],
            linestyle="-" if line else "none", color=colour, marker=marker, linewidth=0.8,
            markerfacecolor="white" if hollow else colour, markeredgewidth=0.7,
            markersize=3.5 if len(found) <= CAPS_UP_TO else 2.0, label=label, zorder=4,
        )  # fmt: skip


def data_text(report: Report) -> str:
    """The data in a caption: ``n = 1,000 samples of mnist (test)``."""
    data = report.data
    if data is None:
        return ""
    split = f" ({data.split})" if data.split else ""
    return f"n = {data.samples:,} samples of {data.name}{split}"


def head(report: Report, words: str) -> str:
    """How a caption begins: the file, what is shown, on what data."""
    data = data_text(report)
    return f"{file_name(report)}: {words}{', ' if data else ''}{data}"


def estimator_text(sites: Sequence[SiteFacts], measure: str) -> str:
    """The estimator in a caption, ``""`` where no method is known."""
    method = estimator(sites, measure)
    return f"Estimator: {method}" if method else ""
