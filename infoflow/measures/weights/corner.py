"""Entropy change of single filter slices: log|c₁₁|, its statistics, and their total.

ENT's argument completes the valid convolution of one slice (one kernel of one output and one
input channel) to a triangular matrix with c₁₁ = weight[o, i, 0, 0] on every diagonal place of a
valid output position (Corollary 6, eq. 15). A layer's profile is the distribution of log|c₁₁|
over its slices (ENT, Figure 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.measures.weights.determinant import to_numpy
from infoflow.report import MINUS_INFINITY, Measurement, Series

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject

KINDS = frozenset({"convolution", "transposed convolution"})
_C11 = "entropy-change.c11"
_TOTAL = "entropy-change.c11-total"
_UNIT = "nats a slice"
_CELLS = 64
_OUTLIERS = 200
_BINS = 40


@dataclass(frozen=True)
class Corners:
    """log|c₁₁| of a layer's slices.

    Args:
        logs: As the slices are stored, (rows, columns); −inf where c₁₁ is exactly zero.
        finite: The others, ascending.
        zeros: Number of exact zeros.
    """

    logs: np.ndarray[Any, Any]
    finite: np.ndarray[Any, Any]
    zeros: int


@dataclass(frozen=True)
class Box:
    """Tukey's box plot: whiskers are the extreme values within 1.5 interquartile ranges."""

    q1: float
    median: float
    q3: float
    whisker_low: float
    whisker_high: float
    outliers_low: int
    outliers_high: int


def corners_of(weight: Any) -> Corners:
    """log|weight[o, i, 0, …]| of every stored slice.

    Args:
        weight: (rows, columns, *kernel); with groups, the stored columns only. Only the
            corners are converted.
    """
    corner = to_numpy(weight[(slice(None), slice(None), *([0] * (weight.ndim - 2)))])
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(corner))
    finite = np.sort(logs[np.isfinite(logs)], axis=None)
    return Corners(logs, finite, logs.size - finite.size)


def corners(subject: Subject) -> Corners:
    """The subject's corners, computed once."""
    memory = vars(subject)
    if "corners" not in memory:
        memory["corners"] = corners_of(subject.layer.weight)
    found: Corners = memory["corners"]
    return found


def box(ascending: np.ndarray[Any, Any]) -> Box:
    """Quartiles (numpy's linear interpolation), whiskers and outliers of sorted values."""
    q1, median, q3 = (float(q) for q in np.quantile(ascending, [0.25, 0.5, 0.75]))
    reach = 1.5 * (q3 - q1)
    low = int(np.searchsorted(ascending, q1 - reach, "left"))
    high = int(np.searchsorted(ascending, q3 + reach, "right"))
    return Box(
        q1,
        median,
        q3,
        float(ascending[low]),
        float(ascending[high - 1]),
        low,
        ascending.size - high,
    )


def valid_positions(layer: Layer) -> int | None:
    """Number of valid output positions, None where the input's size is unknown.

    Π ⌊(n − r·(p−1) − 1)/s⌋ + 1 without padding, as ENT counts: a padded row has taps outside the
    input. A transposed convolution is the adjoint of a valid convolution that has one output
    position for each position of *its* input, so it counts those.
    """
    geometry = layer.geometry
    if geometry is None or geometry.input_size is None:
        return None
    if geometry.transposed:
        return math.prod(geometry.input_size)
    kernel: tuple[int, ...] = tuple(layer.weight.shape[2:])
    return math.prod(
        max(0, (n - r * (p - 1) - 1) // s + 1)
        for n, p, s, r in zip(
            geometry.input_size, kernel, geometry.stride, geometry.dilation, strict=True
        )
    )


def _c11(subject: Subject) -> Iterator[Measurement]:
    found, name = corners(subject), subject.layer.name
    values, zeros = found.finite, found.zeros
    method = f"log|c₁₁| of the {values.size:,} slices where it is not zero (ENT eq. 15)"
    note = f"{zeros:,} exact zeros (−∞) are left out" if zeros else ""

    def row(
        statistic: str, value: float | None, unit: str = _UNIT, remark: str = note
    ) -> Measurement:
        return Measurement(name, _C11, statistic, value, unit, method=method, note=remark)

    yield row("count", values.size, "count")
    yield row("zeros", zeros, "count", "")
    statistics = ("mean", "minimum", "q1", "median", "q3", "maximum", "whisker-low", "whisker-high")
    if not values.size:
        none = f"{MINUS_INFINITY}: c₁₁ is exactly zero in all {zeros:,} slices"
        yield from (row(s, None, remark=none) for s in statistics)
        lacking = f"no spread: c₁₁ is exactly zero in all {zeros:,} slices"
        yield row("standard-deviation", None, remark=lacking)
        yield from (row(s, 0, "count") for s in ("outliers-low", "outliers-high"))
        return
    tukey = box(values)
    numbers = (
        float(values.mean()),
        float(values[0]),
        tukey.q1,
        tukey.median,
        tukey.q3,
        float(values[-1]),
        tukey.whisker_low,
        tukey.whisker_high,
    )
    yield from (row(s, number) for s, number in zip(statistics, numbers, strict=True))
    if values.size > 1:
        yield row("standard-deviation", float(values.std(ddof=1)))
    else:
        yield row("standard-deviation", None, remark="one slice has no spread")
    yield row("outliers-low", tukey.outliers_low, "count")
    yield row("outliers-high", tukey.outliers_high, "count")


def _total(subject: Subject) -> Iterator[Measurement]:
    found, layer = corners(subject), subject.layer
    positions = valid_positions(layer)
    value, note, method = None, "", ""
    if positions is None:
        note = "not computed: the size of the layer's input is not known"
    elif positions == 0:
        note = "not computed: the kernel is larger than the layer's input"
    else:
        which = "positions of its input" if layer.kind.startswith("tr") else "valid positions"
        method = f"{positions:,} {which}, unpadded, times the sum over slices (ENT eq. 15)"
        if found.zeros:
            note = (
                f"{MINUS_INFINITY}: c₁₁ is exactly zero in {found.zeros:,} of "
                f"{found.logs.size:,} slices"
            )
        else:
            value = positions * float(found.finite.sum())
    yield Measurement(layer.name, _TOTAL, "value", value, "nats", method=method, note=note)


def _series(subject: Subject) -> Iterator[Series]:
    found, name = corners(subject), subject.layer.name
    means = _aggregated(found.logs)
    cells = tuple(None if math.isnan(mean) else float(mean) for mean in means.ravel())
    note = "" if means.shape == found.logs.shape else "means over neighbouring channels"
    yield Series(name, "c11", _UNIT, means.shape, cells, note)
    values = found.finite
    if not values.size:
        return
    tukey = box(values)
    outliers = np.concatenate(
        [values[: tukey.outliers_low], values[values.size - tukey.outliers_high :]]
    )
    shown = outliers
    if outliers.size > _OUTLIERS:
        shown = outliers[np.linspace(0, outliers.size - 1, _OUTLIERS).astype(int)]
    note = f"{shown.size} of {outliers.size:,}" if shown.size < outliers.size else ""
    yield Series(name, "c11.outliers", _UNIT, shown.shape, tuple(map(float, shown)), note)
    counts, edges = np.histogram(values, bins=_BINS)
    numbers = (*map(float, edges[:-1]), *map(float, counts))
    yield Series(name, "c11.histogram", _UNIT, (2, _BINS), numbers, "left edges, then counts")


def _aggregated(logs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Means of the finite values over at most 64 × 64 blocks of channels; NaN where none is."""
    finite = np.isfinite(logs)
    sums, counts = np.where(finite, logs, 0.0), finite.astype(np.float64)
    for axis, size in enumerate(logs.shape):
        bins = min(size, _CELLS)
        starts = np.arange(bins) * size // bins
        sums, counts = (np.add.reduceat(part, starts, axis=axis) for part in (sums, counts))
    with np.errstate(invalid="ignore"):
        means: np.ndarray[Any, Any] = sums / np.where(counts == 0, np.nan, counts)
    return means


MEASURES = (
    Measure(
        name=_C11,
        symbol="log|c₁₁|",
        unit=_UNIT,
        needs="weights",
        kinds=KINDS,
        group="paper",
        summary="entropy change of every filter slice, as a distribution",
        source="ENT Corollary 6, eq. 15, Figure 1",
        compute=_c11,
        series=_series,
    ),
    Measure(
        name=_TOTAL,
        symbol="Σ log|c₁₁|",
        unit="nats",
        needs="weights",
        kinds=KINDS,
        group="paper",
        summary="entropy change of all slices over all valid output positions",
        source="ENT Corollary 6, eq. 15",
        compute=_total,
    ),
)
