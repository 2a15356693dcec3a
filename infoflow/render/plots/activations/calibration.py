"""The reliability diagram of the outputs, and how sure the network is."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infoflow.findings.miscalibrated import Bin, reliability, scatter
from infoflow.render.data_words import output_rows, output_text
from infoflow.render.plots.activations.sites import head
from infoflow.render.plots.sheet import (
    FLAGGED,
    TRAINED,
    WIDE,
    NothingToDraw,
    sentences,
    sheet,
)
from infoflow.report import Report


def draw(report: Report) -> list[Figure]:
    """One page: accuracy over confidence on the left, the samples by confidence on the right."""
    bins = reliability(report.series)
    if not bins:
        raise NothingToDraw("the report has no reliability diagram (it needs labels)")
    figure = sheet(WIDE, 74, _caption(report, bins))
    left, right = figure.subplots(1, 2)
    _reliability(left, bins, _count(report))
    _confidence(right, bins, _count(report))
    figure.legend(loc="outside upper center", ncols=4)
    return [figure]


def _count(report: Report) -> int:
    series = next(one for one in report.series if one.name == "reliability" and not one.layer)
    return series.shape[0]


def _middles(bins: Sequence[Bin], count: int) -> list[float]:
    return [(int(min(c, 1 - 1e-9) * count) + 0.5) / count for c, _, _ in bins]


def _reliability(axes: Axes, bins: Sequence[Bin], count: int) -> None:
    middles, wide = _middles(bins, count), 0.92 / count
    axes.bar(middles, [a for _, a, _ in bins], wide, color=TRAINED, label="accuracy")
    gaps = [(min(c, a), abs(c - a)) for c, a, _ in bins]
    axes.bar(middles, [gap for _, gap in gaps], wide, [low for low, _ in gaps], facecolor="none",
             edgecolor=FLAGGED, linewidth=0.8, label="gap to the confidence")  # fmt: skip
    axes.plot([0, 1], [0, 1], color="#444444", linewidth=0.7, linestyle="--",
              label="as sure as right")  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title("reliability")


def _confidence(axes: Axes, bins: Sequence[Bin], count: int) -> None:
    axes.bar(_middles(bins, count), [100 * s for *_, s in bins], 0.92 / count, color=TRAINED)
    axes.set_xlim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("samples (%)")
    axes.set_title("confidence")


def _caption(report: Report, bins: Sequence[Bin]) -> str:
    figures = "; ".join(f"{words} {output_text(row)}" for words, row in output_rows(report))
    chance = scatter(bins, report.data.samples if report.data else 0)
    return sentences(
        (
            head(report, f"calibration of the outputs in {len(bins)} bins that hold samples"),
            f"Outputs: {figures}" if figures else "",
            f"Perfect confidences would read a calibration error of about {100 * chance:.1f} % at "
            "this n" if chance else "",
        )
    )  # fmt: skip
