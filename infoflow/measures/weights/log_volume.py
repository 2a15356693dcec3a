"""The exact log-volume of a layer: Σ log σᵢ, rank first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.measures.measure import Measure
from infoflow.measures.weights.folded import folded_rows
from infoflow.measures.weights.scale import root_mean_square
from infoflow.measures.weights.subject import LINEAR, SPECTRAL, Subject
from infoflow.report import MINUS_INFINITY, Measurement
from infoflow.spectra import circular_log_volume, slice_densities

DENSE = frozenset({"dense"})
CONVOLUTIONS = LINEAR - DENSE
MOST_POSITIONS = 1 << 20
"""Of a circular operator whose every frequency is looked at: an image of 1024 × 1024."""
SLICE_TOLERANCE, FAST_SLICE_TOLERANCE = 1e-2, 1e-1


def unit(subject: Subject) -> str:
    """``nats`` for a matrix; a convolution's figures are a position."""
    return "nats" if len(subject.layer.weight.shape) == 2 else "nats per position"


def log_volume_rows(subject: Subject) -> Iterator[Measurement]:
    """Σ log σᵢ over all min(N, d) singular values of a dense weight (N, d), in nats.

    ½ log det(WWᵀ): the change in volume of the map restricted to the complement of its kernel; at
    least log|det W_sq| (Cauchy–Binet). −∞ below full rank; no value for an update of
    low rank, which is so by its making.
    """
    whole = subject.layer.whole
    if whole and subject.kernel.rank_channels < min(whole[:2]):
        # Not told as −∞, which reports read as a loss: no update of low rank has any other.
        note = (
            f"not computed: an update of rank {subject.kernel.rank_channels} at most, of "
            f"{min(whole[:2])}, loses the rest by its making; see log-volume.over-rank"
        )
        name = subject.layer.name
        yield Measurement(name, "log-volume", "value", None, unit(subject), note=note)
        return
    density = subject.density
    yield Measurement(
        subject.layer.name,
        "log-volume",
        "value",
        density.value,
        unit(subject),
        method=f"Σ log σᵢ, {density.method}",
        note=density.note,
    )


def density_rows(subject: Subject) -> Iterator[Measurement]:
    """Log-volume a position, (2π)^(−d) ∫ Σ log σᵢ(K̂(θ)) dθ, with its 95 % interval.

    A position is one of the coarse grid: of the output, of the input for a transposed layer.
    """
    density = subject.density
    exact = density.low == density.high
    where = "input" if subject.kernel.transposed else "output"
    yield Measurement(
        subject.layer.name,
        "log-volume.density",
        "value",
        density.value,
        unit(subject),
        low=None if exact else density.low,
        high=None if exact else density.high,
        method=f"{density.method}; a position of the {where}",
        note=density.note,
    )


def over_rank_rows(subject: Subject) -> Iterator[Measurement]:
    """Σ log of the ``rank`` largest singular values: the log-volume over the layer's rank.

    Below full rank it stands beside the −∞; at full rank it is the log-volume itself; absent at
    rank 0. It depends on what counts as zero: the note gives rank, tolerance and gap.
    """
    density, rank = subject.density, subject.rank
    convolution = subject.layer.kind in CONVOLUTIONS
    exact = density.over_low == density.over_high
    note = f"over rank {rank.rank} of {rank.full}, tolerance {rank.tolerance:.2g}"
    if rank.gap is not None:
        note += f", gap {rank.gap:.3g}"
    if density.over_rank is None:
        note = "absent at rank 0: every weight is exactly zero"
    yield Measurement(
        subject.layer.name,
        "log-volume.density.over-rank" if convolution else "log-volume.over-rank",
        "value",
        density.over_rank,
        unit(subject),
        low=None if exact else density.over_low,
        high=None if exact else density.over_high,
        method=density.method,
        note=note,
    )


def scale_free_rows(subject: Subject) -> Iterator[Measurement]:
    """Density − k·log(root mean square weight), k = groups · min(rows, columns).

    Weight decay alone lowers a log-volume: c·W has k·log c more. This figure does not change.
    """
    density, k = subject.density, subject.rank.full
    value = low = high = None
    if density.value is not None and density.low is not None and density.high is not None:
        shift = k * float(np.log(root_mean_square(subject.layer.weight)))
        value, low, high = density.value - shift, density.low - shift, density.high - shift
    exact = density.low == density.high
    yield Measurement(
        subject.layer.name,
        "log-volume.density.scale-free",
        "value",
        value,
        unit(subject),
        low=None if exact else low,
        high=None if exact else high,
        method=f"log-volume − {k}·log(root mean square weight); {density.method}",
        note=density.note,
    )


def circular_rows(subject: Subject) -> Iterator[Measurement]:
    """Total log-volume of the circular operator on the layer's own input size, in nats."""
    layer, geometry = subject.layer, subject.layer.geometry
    name = "log-volume.circular"
    if geometry is None or geometry.input_size is None:
        note = "not computed: the size of the layer's input is not known (--input-size)"
        yield Measurement(layer.name, name, "value", None, "nats", note=note)
        return
    positions = subject.kernel.positions(geometry.input_size)
    method = f"circular, {' × '.join(map(str, positions))} positions, distinct frequencies"
    if not subject.rank.is_full:
        note = f"{MINUS_INFINITY}: {subject.rank.sentence}"
        yield Measurement(layer.name, name, "value", None, "nats", method=method, note=note)
        return
    if math.prod(positions) > MOST_POSITIONS:
        note = (
            f"not computed: more than {MOST_POSITIONS:,} positions; log-volume.density times their "
            "number comes close"
        )
        yield Measurement(layer.name, name, "value", None, "nats", method=method, note=note)
        return
    found = circular_log_volume(subject.kernel, subject.rank, geometry.input_size)
    note = (
        f"{MINUS_INFINITY}: singular at {found.singular} of the {found.frequencies} frequencies of "
        f"this grid (tolerance {subject.rank.tolerance:.2g})"
    )
    if found.value is not None:
        note = _circular_note(subject, geometry.input_size, geometry.padding_mode)
    yield Measurement(layer.name, name, "value", found.value, "nats", method=method, note=note)


def _circular_note(subject: Subject, size: tuple[int, ...], padding_mode: str) -> str:
    notes = [subject.rank.sentence]
    if padding_mode != "circular":
        notes.append(f"the layer pads with {padding_mode}: its borders differ")
    stride = subject.kernel.stride
    if not subject.kernel.transposed and any(n % s for n, s in zip(size, stride, strict=True)):
        notes.append("the input is rounded up to a multiple of the stride")
    return "; ".join(filter(None, notes))


def slice_rows(subject: Subject) -> Iterator[Measurement]:
    """Density of every filter slice as a single-channel layer: its distribution, in nats.

    The exact companion of log|c₁₁| a slice, which never exceeds it (Jensen). Slices of exact
    zeros are −∞: left out and counted in the note.
    """
    tolerance = FAST_SLICE_TOLERANCE if subject.fast else SLICE_TOLERANCE
    estimate = slice_densities(subject.kernel, subject.generator("slices"), tolerance=tolerance)
    values = estimate.mean[np.isfinite(estimate.mean)]
    zeros = estimate.mean.size - values.size
    note = f"{zeros} of {estimate.mean.size} slices are exactly zero (−∞)" if zeros else ""
    method = f"{estimate.method}, ± {estimate.half:.2g} a slice (95 %, root mean square)"
    statistics: dict[str, Callable[[NDArray[np.float64]], np.floating[Any]]] = {
        "mean": np.mean,
        "q1": lambda v: np.quantile(v, 0.25),
        "median": np.median,
        "q3": lambda v: np.quantile(v, 0.75),
        "minimum": np.min,
        "maximum": np.max,
    }
    for statistic, function in statistics.items():
        yield Measurement(
            subject.layer.name,
            "log-volume.density.slice",
            statistic,
            float(function(values)) if values.size else None,
            "nats per position",
            method=method,
            note=note if values.size else f"{MINUS_INFINITY}: every slice is exactly zero",
        )


LOG_VOLUME = Measure(
    name="log-volume",
    symbol="Σ log σᵢ",
    unit="nats",
    needs="spectrum",
    kinds=SPECTRAL - CONVOLUTIONS,
    group="default",
    summary="exact change in volume of a dense layer; never below log|det W_sq|",
    source="½ log det WWᵀ; Cauchy–Binet",
    compute=log_volume_rows,
)

LOG_VOLUME_OVER_RANK = Measure(
    name="log-volume.over-rank",
    symbol="Σ_r log σᵢ",
    unit="nats",
    needs="spectrum",
    kinds=SPECTRAL - CONVOLUTIONS,
    group="default",
    summary="log-volume over the directions that survive",
    source="Σ log of the rank largest singular values",
    compute=over_rank_rows,
)

DENSITY = Measure(
    name="log-volume.density",
    symbol="log-volume",
    unit="nats per position",
    needs="spectrum",
    kinds=CONVOLUTIONS,
    group="default",
    summary="exact change in volume a position, of the whole layer, for any input size",
    source="Szegő; SED (Sedghi, Gupta, Long 2019) for the symbol",
    compute=density_rows,
)

DENSITY_OVER_RANK = Measure(
    name="log-volume.density.over-rank",
    symbol="Σ_r log σᵢ",
    unit="nats per position",
    needs="spectrum",
    kinds=CONVOLUTIONS,
    group="default",
    summary="log-volume a position over the directions that survive",
    source="Σ log of the rank largest singular values of the symbol",
    compute=over_rank_rows,
)

SCALE_FREE = Measure(
    name="log-volume.density.scale-free",
    symbol="log-volume − k·log rms",
    unit="nats per position",
    needs="spectrum",
    kinds=LINEAR,
    group="default",
    summary="log-volume of the weights brought to a root mean square of 1",
    source="infoflow",
    compute=scale_free_rows,
)

FOLDED = Measure(
    name="log-volume.density.folded",
    symbol="log-volume, folded",
    unit="nats per position",
    needs="spectrum",
    kinds=LINEAR,
    group="default",
    summary="log-volume with the normalisation that follows folded into the layer",
    source="rows scaled by γ/√(running variance + ε), as at inference",
    compute=folded_rows,
)

CIRCULAR = Measure(
    name="log-volume.circular",
    symbol="Σ log σᵢ, circular",
    unit="nats",
    needs="spectrum",
    kinds=CONVOLUTIONS,
    group="all",
    summary="total of the circular operator on the layer's own input size",
    source="SED (Sedghi, Gupta, Long 2019), theorem 6",
    compute=circular_rows,
)

SLICE = Measure(
    name="log-volume.density.slice",
    symbol="log-volume a slice",
    unit="nats per position",
    needs="weights",
    kinds=CONVOLUTIONS,
    group="all",
    summary="exact log-volume of every filter slice, beside log|c₁₁|",
    source="Jensen's formula (Mahler measure) of each slice",
    compute=slice_rows,
)

MEASURES = (
    LOG_VOLUME,
    LOG_VOLUME_OVER_RANK,
    DENSITY,
    DENSITY_OVER_RANK,
    SCALE_FREE,
    FOLDED,
    CIRCULAR,
    SLICE,
)
