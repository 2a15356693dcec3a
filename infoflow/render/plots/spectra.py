"""The singular values of every layer over their largest, coloured by depth."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from infoflow.render.plots.sheet import (
    WIDE,
    NothingToDraw,
    file_name,
    label,
    sentences,
    sheet,
    spanned,
)
from infoflow.render.text import raised
from infoflow.report import Report, Series
from infoflow.words import counted

FLOOR = 1e-8
"""Shares of the largest singular value below this are rounding, and left off the axis."""


def draw(report: Report) -> list[Figure]:
    """One page: a line a layer."""
    order = {layer.name: place for place, layer in enumerate(report.layers)}
    spectra = [s for s in report.series if s.name == "spectrum" and s.layer in order]
    spectra.sort(key=lambda series: order[series.layer])
    curves = {series.layer: curve for series in spectra if (curve := _curve(series))}
    if not curves:
        raise NothingToDraw("no layer has a spectrum with a singular value above zero")
    figure = sheet(WIDE, 74, _caption(report, spectra, curves))
    axes = figure.subplots()
    scale, palette = Normalize(0, max(len(curves) - 1, 1)), matplotlib.colormaps["cividis"]
    for place, (xs, ys) in enumerate(curves.values()):
        axes.plot(
            xs, ys,
            color=palette(scale(place)), linewidth=1.0 if len(curves) <= 30 else 0.6,
            marker="o" if len(xs) == 1 else "", markersize=3,
        )  # fmt: skip
    lowest = min(min(ys) for _, ys in curves.values())
    axes.set_yscale("log")
    axes.set_ylim(max(lowest, FLOOR) / 1.5, 1.5)
    axes.yaxis.set_major_formatter(FuncFormatter(_power))
    if lowest > 0.02:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, place: ""))
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the layer's singular values, largest first")
    axes.set_ylabel("singular value over the largest (ratio)")
    if len(curves) > 1:
        _name_colours(figure, ScalarMappable(scale, palette), list(curves))
    else:
        axes.set_title(label(next(iter(curves)), 60))
    return [figure]


def _curve(series: Series) -> tuple[list[float], list[float]] | None:
    values = [value or 0.0 for value in series.values]
    if not values or max(values) <= 0:
        return None
    largest = max(values)
    shares = ((place + 0.5) / len(values) for place in range(len(values)))
    pairs = [(x, v / largest) for x, v in zip(shares, values, strict=True) if v / largest >= FLOOR]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _name_colours(figure: Figure, colours: ScalarMappable, names: Sequence[str]) -> None:
    step = -(-len(names) // 14)
    places = list(range(0, len(names), step))
    bar = figure.colorbar(colours, ax=figure.axes, pad=0.02, aspect=30, ticks=places)
    bar.set_ticklabels([label(names[place]) for place in places])
    bar.set_label("layer, from input to output" + (f" (1 in {step} named)" if step > 1 else ""))
    bar.ax.invert_yaxis()
    bar.outline.set_linewidth(0.4)


def _power(value: float, place: int | None) -> str:
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    if int(exponent) in (-1, 0, 1):
        return f"{value:g}"
    power = f"10{raised(int(exponent))}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def _caption(
    report: Report, spectra: Sequence[Series], curves: dict[str, tuple[list[float], list[float]]]
) -> str:
    counts = [len(series.values) for series in spectra]
    cut = [s for s in spectra if s.layer in curves and len(curves[s.layer][0]) < len(s.values)]
    notes = {series.note for series in spectra if series.note}
    return sentences(
        (
            f"{file_name(report)}: singular values of {counted(len(curves), 'layer')}, each over "
            "its largest, so that scale does not matter and only the shape is seen "
            f"(n = {spanned(counts)} values shown a layer)",
            f"Estimator: {notes.pop()}" if len(notes) == 1 else "",
            f"Values below 10⁻⁸ or exactly zero are left out, in {counted(len(cut), 'layer')}"
            if cut
            else "",
            f"{counted(len(spectra) - len(curves), 'layer')} all zero and left out"
            if len(spectra) > len(curves)
            else "",
        )
    )
