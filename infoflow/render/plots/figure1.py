"""Box plots of log|c₁₁| along the depth, the trained network beside its random twin.

After Figure 1 of Meni et al., Entropy-based guidance of deep neural networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from infoflow.render.plots.sheet import (
    TRAINED,
    TRAINED_LIGHT,
    TWIN,
    TWIN_LIGHT,
    WIDE,
    NothingToDraw,
    file_name,
    flagged,
    hatch_layers,
    mark_flagged,
    name_layers,
    sentences,
    sheet,
    spanned,
)
from infoflow.render.view import Facts, gather
from infoflow.report import Report
from infoflow.words import counted

MEASURE = "entropy-change.c11"
TWIN_MEASURE = "random-twin.c11"
RASTER_FROM = 2000
"""Outliers from which on they are drawn as pixels in a vector file, which would be too large."""


@dataclass(frozen=True)
class Box:
    """A box plot of one layer, whiskers and outliers after Tukey."""

    place: int
    low: float
    q1: float
    median: float
    q3: float
    high: float
    mean: float
    outliers: tuple[float, ...] = ()


def draw(report: Report) -> list[Figure]:
    """One page: trained on the left, expected of random weights on the right."""
    layers = [
        facts
        for facts in gather(report)[0]
        if facts.row(MEASURE, "count") or facts.row(MEASURE, "mean")
    ]
    names = [facts.layer.name for facts in layers]
    if not layers:
        raise NothingToDraw("no layer has filter slices (log|c₁₁| is defined for convolutions)")
    trained = [box for place, facts in enumerate(layers) if (box := _trained(facts, place))]
    twins = [box for place, facts in enumerate(layers) if (box := _twin(facts, place))]
    infinite = [place for place, facts in enumerate(layers) if facts.all_zero]
    if not trained and not twins and not infinite:
        raise NothingToDraw("no layer has statistics of log|c₁₁|")
    figure = sheet(WIDE, 88, _caption(report, layers, twins))
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    _boxes(left, trained, TRAINED, TRAINED_LIGHT, len(names))
    _boxes(right, twins, TWIN, TWIN_LIGHT, len(names))
    hatch_layers(left, infinite, "every c₁₁ is zero: −∞")
    mark_flagged(left, names, flagged(report))
    _initialisation(right, layers)
    left.set_title("trained", color=TRAINED, fontweight="bold")
    right.set_title("random twin, expected", color=TWIN, fontweight="bold")
    for axes in (left, right):
        axes.set_ylabel("log|c₁₁| of a slice (nats)")
        axes.yaxis.set_tick_params(labelleft=True)
    if not twins:
        right.text(0.5, 0.5, "no random twin", transform=right.transAxes, ha="center")
    if not trained and not twins:
        left.set_yticks([])
    _legend(figure, left, right)
    name_layers(figure, (left, right), names)
    return [figure]


def _trained(facts: Facts, place: int) -> Box | None:
    def value(*statistics: str) -> float | None:
        found = (facts.value(MEASURE, statistic) for statistic in statistics)
        return next((number for number in found if number is not None), None)

    box = _box(
        place,
        (
            value("whisker-low", "minimum"),
            value("q1"),
            value("median"),
            value("q3"),
            value("whisker-high", "maximum"),
            value("mean"),
        ),
    )
    series = facts.series.get("c11.outliers")
    far = tuple(number for number in series.values if number is not None) if series else ()
    return box and replace(box, outliers=far)


def _twin(facts: Facts, place: int) -> Box | None:
    def value(statistic: str) -> float | None:
        return facts.value(TWIN_MEASURE, f"expected-{statistic}")

    q1, q3 = value("q1"), value("q3")
    if q1 is None or q3 is None:
        return None
    # log|x| of a continuous x has no least value, so the lower whisker is expected at the fence;
    # the upper one depends on the number of slices.
    return _box(place, (q1 - 1.5 * (q3 - q1), q1, value("median"), q3, q3, value("mean")))


def _box(place: int, parts: Sequence[float | None]) -> Box | None:
    """The box, or None where a part of it is missing."""
    low, q1, median, q3, high, mean = (math.nan if part is None else part for part in parts)
    box = Box(place, low, q1, median, q3, high, mean)
    return None if None in parts else box


def _boxes(axes: Axes, boxes: Sequence[Box], dark: str, light: str, count: int) -> None:
    """Boxes, whiskers, means and outliers, each kind as one artist, however many layers.

    (``Axes.bxp`` makes eight a layer, and loads pyplot with its global state.)
    """
    if not boxes:
        return
    # Outlines of a hundred boxes would run into each other.
    thin = 0.7 if count <= 30 else 0.5 if count <= 80 else 0.3
    size = 2.5 if count <= 30 else 1.8 if count <= 80 else 1.2
    xs = [box.place for box in boxes]
    ends = [(box.place - 0.31, box.place + 0.31) for box in boxes]
    axes.vlines(xs, [b.low for b in boxes], [b.q1 for b in boxes], dark, linewidth=thin)
    axes.vlines(xs, [b.q3 for b in boxes], [b.high for b in boxes], dark, linewidth=thin)
    if count <= 40:
        caps = [(box.place, box.low) for box in boxes]
        caps += [(box.place, box.high) for box in boxes if box.high > box.q3]
        lefts, rights = [x - 0.16 for x, _ in caps], [x + 0.16 for x, _ in caps]
        axes.hlines([end for _, end in caps], lefts, rights, dark, linewidth=thin)
    axes.bar(
        xs, [b.q3 - b.q1 for b in boxes], 0.62, [b.q1 for b in boxes],
        facecolor=light, edgecolor=dark, linewidth=thin,
    )  # fmt: skip
    lefts, rights = [left for left, _ in ends], [right for _, right in ends]
    axes.hlines([b.median for b in boxes], lefts, rights, dark, linewidth=2 * thin, zorder=3)
    axes.plot(
        xs, [b.mean for b in boxes],
        linestyle="none", marker="D", markerfacecolor="black", markeredgecolor="white",
        markeredgewidth=0.3, markersize=1.4 * size, zorder=4,
    )  # fmt: skip
    far = [(box.place, number) for box in boxes for number in box.outliers]
    axes.plot(
        [x for x, _ in far], [y for _, y in far],
        linestyle="none", marker="o", markerfacecolor="none", markeredgecolor=dark,
        markeredgewidth=0.35, markersize=size, alpha=0.7, rasterized=len(far) > RASTER_FROM,
    )  # fmt: skip


def _initialisation(axes: Axes, layers: Sequence[Facts]) -> None:
    """Where the mean stood before training, if the architecture's own initialisation is known."""
    known = {
        place: mean
        for place, facts in enumerate(layers)
        if (mean := facts.value(TWIN_MEASURE, "initialisation-mean")) is not None
    }
    if known:
        axes.plot(
            list(known), list(known.values()),
            linestyle="none", marker="_", color="black", markersize=5, markeredgewidth=0.9,
            label="mean at initialisation", zorder=5,
        )  # fmt: skip


def _legend(figure: Figure, left: Axes, right: Axes) -> None:
    handles: list[Any] = [
        Patch(facecolor=TRAINED_LIGHT, edgecolor=TRAINED, label="quartiles and median"),
        Line2D([], [], linestyle="none", marker="D", color="black", markersize=3, label="mean"),
        Line2D(
            [], [],
            linestyle="none", marker="o", markerfacecolor="none", markeredgecolor=TRAINED,
            markersize=3, label="outlier",
        ),
    ]  # fmt: skip
    for axes in (left, right):
        handles += axes.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", ncols=6)


def _caption(report: Report, layers: Sequence[Facts], twins: Sequence[Box]) -> str:
    counts = [n for facts in layers if (n := facts.value(MEASURE, "count"))]
    slices = f"n = {spanned(counts)} slices a layer" if counts else ""
    zeros = [n for facts in layers if (n := facts.value(MEASURE, "zeros"))]
    # "Gaussian twin (why) of the layer's own standard deviation 0.041": the end differs a layer.
    families = {
        row.method.partition(" of the layer")[0]
        for row in report.rows(measure=TWIN_MEASURE, statistic="expected-mean")
        if row.method
    }
    family = families.pop() if len(families) == 1 else "twin of each layer's own family"
    shares = [
        share
        for facts in layers
        if (share := facts.value(TWIN_MEASURE, "expected-outlier-share")) is not None
    ]
    dense = sum(layer.kind == "dense" for layer in report.layers)
    return sentences(
        (
            f"{file_name(report)}: log|c₁₁| of every filter slice, {slices}",
            "Whiskers reach to the last slice within 1.5 interquartile ranges of the box (Tukey); "
            "circles are slices beyond, at most 200 a layer",
            f"Exact zeros, {sum(zeros):,.0f} in {counted(len(zeros), 'layer')}, are left out of "
            "the boxes"
            if zeros
            else "",
            f"Right: closed form, {family}, of each layer's own standard deviation; no upper "
            "whiskers, which depend on n"
            + (f"; {_percent(shares)} of slices expected below the whiskers" if shares else "")
            if twins
            else "",
            f"{counted(dense, 'dense layer')} without slices left out" if dense else "",
        )
    )


def _percent(shares: Sequence[float]) -> str:
    low, high = f"{100 * min(shares):.1f}", f"{100 * max(shares):.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"
