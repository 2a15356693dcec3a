"""The log-volume of a layer with the normalisation that follows folded into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Normalisation
from infoflow.measures.weights.subject import Subject
from infoflow.operators.arrays import namespace
from infoflow.operators.blocks import BlockedMatrix
from infoflow.report import Measurement
from infoflow.spectra import (
    Decomposition,
    Density,
    blocked_log_volume,
    blocked_rank,
    generic_rank,
    log_volume_density,
)
from infoflow.spectra.rank import machine_epsilon

NAME = "log-volume.density.folded"
MODERATE = 1e-6
"""Ratio of the smallest to the largest factor above which no row becomes negligible by it."""


def factors(normalisation: Normalisation) -> NDArray[np.float64] | None:
    """γ/√(running variance + ε), a channel each; None where the statistics depend on the data."""
    if normalisation.variance is None:
        return None
    variance = np.asarray(normalisation.variance, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(variance + normalisation.epsilon)
        return np.asarray(np.asarray(normalisation.gamma, dtype=np.float64) * scale)


def folded_density(subject: Subject, scale: NDArray[np.float64]) -> Density:
    """Density of the layer with each output channel times its factor.

    Where the outputs are the side of full rank the factors come out of the determinant,
    Σ log|γ/√(var + ε)| more; otherwise, and where some factor is zero or tiny, the scaled layer is
    measured like any other.

    Args:
        subject: The layer.
        scale: One finite factor an output channel.
    """
    size = np.abs(scale)
    moderate = float(size.min()) > MODERATE * float(size.max())
    if subject.matrix is not None:
        return _folded_blocks(subject, subject.matrix, scale, moderate)
    kernel, density = subject.kernel, subject.density
    outputs, inputs = kernel.rows, kernel.cols
    if kernel.transposed:
        outputs, inputs = inputs, outputs
    if outputs <= inputs and moderate and density.value is not None:
        repeated = len(kernel.phases) if kernel.transposed else 1
        return _moved(density, repeated * float(np.sum(np.log(size))))
    xp = namespace(kernel.taps)
    device = {} if isinstance(kernel.taps, np.ndarray) else {"device": kernel.taps.device}
    array = xp.asarray(scale, **device)
    scaled = (
        kernel.with_columns_scaled(array) if kernel.transposed else kernel.with_rows_scaled(array)
    )
    rank = generic_rank(
        scaled,
        epsilon=machine_epsilon(subject.layer.dtype),
        generator=subject.generator("folded rank"),
        fast=subject.fast,
    )
    return log_volume_density(scaled, rank, subject.generator("folded"), fast=subject.fast)


def _folded_blocks(
    subject: Subject, matrix: BlockedMatrix, scale: NDArray[np.float64], moderate: bool
) -> Density:
    """The same of a large dense layer."""
    if matrix.rows <= matrix.cols and moderate and subject.density.value is not None:
        return _moved(subject.density, float(np.sum(np.log(np.abs(scale)))))
    scaled = Decomposition(matrix.scaled(scale, None))
    rank = blocked_rank(
        scaled,
        epsilon=machine_epsilon(subject.layer.dtype),
        generator=subject.generator("folded rank"),
    )
    return blocked_log_volume(scaled, rank)


def folded_rows(subject: Subject) -> Iterator[Measurement]:
    """Log-volume (dense: nats; else nats per position) with the following normalisation.

    Each output channel is scaled by γ/√(running variance + ε), as at inference. No row where no
    normalisation follows directly; a channel with γ = 0 gives −∞ and is named.
    """
    layer, normalisation = subject.layer, subject.layer.normalisation
    if normalisation is None:
        return
    unit = "nats" if layer.kind == "dense" else "nats per position"
    scale = factors(normalisation)
    outputs = layer.weight.shape[0]
    if layer.kind == "transposed convolution":
        outputs = subject.kernel.groups * subject.kernel.cols // len(subject.kernel.phases)
    problem = ""
    if scale is None:
        problem = f"not computed: the statistics of {normalisation.name} depend on the data"
    elif scale.size != outputs:
        problem = f"not computed: {normalisation.name} has {scale.size} channels, not {outputs}"
    elif not np.all(np.isfinite(scale)):
        problem = f"not computed: {normalisation.name} holds a factor that is not finite"
    if problem or scale is None:
        yield Measurement(layer.name, NAME, "value", None, unit, note=problem)
        return
    density = folded_density(subject, scale)
    exact = density.low == density.high
    note = density.note
    if density.value is None and np.any(scale == 0):
        note += f"; γ of {normalisation.name} is zero for {int(np.sum(scale == 0))} channels"
    yield Measurement(
        layer.name,
        NAME,
        "value",
        density.value,
        unit,
        low=None if exact else density.low,
        high=None if exact else density.high,
        method=f"rows times γ/√(var + {normalisation.epsilon:g}) of {normalisation.name}; "
        f"{density.method}",
        note=note,
    )


def _moved(density: Density, shift: float) -> Density:
    """A density with ``shift`` nats added everywhere."""

    def add(number: float | None) -> float | None:
        return None if number is None else number + shift

    return replace(
        density,
        value=add(density.value),
        low=add(density.low),
        high=add(density.high),
        over_rank=add(density.over_rank),
        over_low=add(density.over_low),
        over_high=add(density.over_high),
    )
