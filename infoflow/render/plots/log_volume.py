"""The exact log-volume along the depth, beside its surrogate and its random twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infoflow.render.plots.sheet import (
    FLAGGED,
    SURROGATE,
    TRAINED,
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
)
from infoflow.render.view import Facts, gather
from infoflow.report import Report
from infoflow.words import counted


@dataclass(frozen=True)
class _Point:
    """One layer; every number a channel (divided by the full rank), None where it is absent."""

    name: str
    density: float | None
    error: float
    over_rank: float | None
    infinite: bool
    surrogate: float | None
    twin: float | None
    twin_spread: float


def draw(report: Report) -> list[Figure]:
    """One page: the profile of all layers with a log-volume."""
    points = [point for facts in gather(report)[0] if (point := _point(facts)) is not None]
    if not points:
        raise NothingToDraw("no layer has a log-volume")
    names = [point.name for point in points]
    figure = sheet(WIDE, 84, _caption(report, points))
    axes = figure.subplots()
    _twins(axes, points)
    _series(axes, points, lambda point: point.surrogate, color=SURROGATE, marker="s",
            linestyle=":", label="block c₁₁ or log|det W_sq| (lower bound)")  # fmt: skip
    _densities(axes, points)
    hatch_layers(axes, [i for i, point in enumerate(points) if point.infinite], "rank lost: −∞")
    mark_flagged(axes, names, flagged(report))
    axes.set_ylabel("log-volume a channel (nats)")
    if not any(_numbers(point) for point in points):
        axes.set_yticks([])
    figure.legend(loc="outside upper center", ncols=3)
    name_layers(figure, [axes], names)
    return [figure]


def _point(facts: Facts) -> _Point | None:
    volume = facts.volume
    if volume is None:
        return None
    width = 0.0 if volume.low is None or volume.high is None else volume.high - volume.low
    rank, over = facts.value("rank"), facts.volume_over_rank
    over_rank = over.value / rank if rank and over and over.value is not None else None
    twin = "random-twin.log-volume"
    return _Point(
        name=facts.layer.name,
        density=facts.a_channel(volume),
        error=width / 2 / facts.full_rank,
        over_rank=over_rank if volume.value is None else None,
        infinite=volume.is_minus_infinity,
        surrogate=facts.a_channel(facts.bound),
        twin=facts.a_channel(facts.row(twin, "expected-mean")),
        twin_spread=facts.a_channel(facts.row(twin, "expected-standard-deviation")) or 0.0,
    )


def _numbers(point: _Point) -> list[float]:
    numbers = (point.density, point.over_rank, point.surrogate, point.twin)
    return [number for number in numbers if number is not None]


def _series(
    axes: Axes,
    points: Sequence[_Point],
    number: Callable[[_Point], float | None],
    *,
    color: str,
    marker: str,
    linestyle: str,
    label: str,
) -> None:
    """A line with markers, broken where a layer has no number."""
    values = [number(point) for point in points]
    if all(value is None for value in values):
        return
    axes.plot(
        range(len(points)),
        [float("nan") if value is None else value for value in values],
        color=color,
        marker=marker,
        linestyle=linestyle,
        linewidth=0.8,
        markersize=_size(len(points)),
        label=label,
    )


def _size(count: int) -> float:
    return 3.5 if count <= 60 else 2.0 if count <= 150 else 1.2


def _densities(axes: Axes, points: Sequence[_Point]) -> None:
    _series(axes, points, lambda point: point.density, color=TRAINED, marker="o",
            linestyle="-", label="exact log-volume")  # fmt: skip
    sure = [(i, p.density, p.error) for i, p in enumerate(points) if p.density is not None]
    if sure:
        places, values, errors = zip(*sure, strict=True)
        axes.errorbar(places, values, yerr=errors, fmt="none", ecolor=TRAINED, elinewidth=0.8,
                      capsize=1.5 if len(points) <= 60 else 0)  # fmt: skip
    over = [(i, p.over_rank) for i, p in enumerate(points) if p.over_rank is not None]
    if over:
        places, values = zip(*over, strict=True)
        axes.plot(
            places, values,
            linestyle="none", marker="o", markerfacecolor="white", markeredgecolor=FLAGGED,
            markersize=_size(len(points)) + 1, zorder=5, label="over its rank (exact: −∞)",
        )  # fmt: skip


def _twins(axes: Axes, points: Sequence[_Point]) -> None:
    known = [(i, p.twin, p.twin_spread) for i, p in enumerate(points) if p.twin is not None]
    if not known:
        return
    _series(axes, points, lambda point: point.twin, color=TWIN, marker="_", linestyle="-",
            label="random twin, expected")  # fmt: skip
    for place, mean, spread in known:
        axes.fill_between([place - 0.3, place + 0.3], mean - 2 * spread, mean + 2 * spread,
                          color=TWIN_LIGHT, linewidth=0, zorder=0.8)  # fmt: skip


def _caption(report: Report, points: Sequence[_Point]) -> str:
    methods = {
        row.method
        for row in report.rows(measure="log-volume.density", statistic="value")
        if row.method
    }
    drawn = {point.name for point in points}
    left_out = [
        layer
        for layer in report.layers
        if layer.kind != "normalisation" and layer.name not in drawn
    ]
    assumed = sum(
        layer.geometry.startswith("assumed") for layer in report.layers if layer.name in drawn
    )
    return sentences(
        (
            f"{file_name(report)}: Σ log σ of a layer and position of its output, divided by its "
            f"full rank (n = {counted(len(points), 'layer')}; dense layers whole)",
            f"Estimator: {methods.pop()}; bars are 95 % intervals"
            if len(methods) == 1
            else "Bars are 95 % intervals; each layer's estimator stands in its row of the CSV",
            "Grey bands: two standard deviations of a random layer of the same spread"
            if any(point.twin_spread for point in points)
            else "",
            f"{counted(assumed, 'layer')} under an assumed geometry" if assumed else "",
            f"{counted(len(left_out), 'layer')} without a log-volume left out" if left_out else "",
        )
    )
