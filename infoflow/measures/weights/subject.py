"""A layer with the facts that several measures share, each computed once, when first asked for."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from infoflow.layers import Array, Layer
from infoflow.measures.weights.determinant import LogDeterminant, log_determinant
from infoflow.measures.weights.zeros import count_non_finite
from infoflow.operators.arrays import as_float64
from infoflow.operators.blocks import BlockedMatrix
from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel, dense_kernel
from infoflow.spectra import (
    Decomposition,
    Density,
    Rank,
    Spectrum,
    blocked_log_volume,
    blocked_rank,
    exact_density,
    generic_rank,
    log_volume_density,
    singular_spectrum,
)
from infoflow.spectra.rank import machine_epsilon

LINEAR = frozenset({"dense", "convolution", "transposed convolution"})
"""Kinds of layers that map activations to activations, linearly."""

SPECTRAL = LINEAR | {"embedding", "low-rank update"}
"""Kinds that have singular values: also tables of tokens, and updates of layers elsewhere."""

LARGEST_WEIGHT = 1e75
"""Fourth powers of larger weights are beyond float64."""

BLOCKED_SIDE, BLOCKED_SIZE = 128, 1 << 20
"""Smaller side from which, and weights from which, a dense layer is read in blocks. (Below, numpy
does it all, and scipy.linalg need not be imported.)"""

SHARED_SPECTRUM = 512
"""Smaller side above which a dense layer's rank is read off its spectrum: one decomposition."""


@dataclass(frozen=True)
class Subject:
    """What a measure is given.

    Args:
        layer: A linear map, or a normalisation (of which only ``layer`` is of use).
        fast: Wider intervals, coarser grids, fewer frequencies.
        seed: Of every random choice, together with the layer's name.
    """

    layer: Layer
    fast: bool = False
    seed: int = 0

    def generator(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each layer and purpose, the same at every run."""
        key = zlib.crc32(f"{self.layer.name}\0{purpose}".encode("utf-8", "surrogatepass"))
        return np.random.default_rng([self.seed, key])

    @cached_property
    def non_finite(self) -> int:
        """How many weights are NaN or infinite."""
        return count_non_finite(self.layer.weight)

    @cached_property
    def too_large(self) -> bool:
        """Whether powers of the weights leave float64, which only weights in float64 can."""
        return self.layer.dtype == "float64" and float(abs(self.weight).max()) > LARGEST_WEIGHT

    @cached_property
    def weight(self) -> Array:
        """The whole weight in float64."""
        return as_float64(self.layer.weight)

    @cached_property
    def matrix(self) -> BlockedMatrix | None:
        """A large dense weight, to be read in blocks; None for any other layer."""
        weight = self.layer.weight
        if not isinstance(weight, np.ndarray) or weight.ndim != 2 or weight.dtype.kind == "c":
            return None
        large = min(weight.shape) >= BLOCKED_SIDE or weight.size >= BLOCKED_SIZE
        return BlockedMatrix(weight) if large else None

    @cached_property
    def decomposition(self) -> Decomposition | None:
        """Of a layer that is read in blocks."""
        return Decomposition(self.matrix) if self.matrix is not None else None

    @cached_property
    def square_determinant(self) -> LogDeterminant:
        """log|det| of the first min(N, d) rows and columns of a dense layer, by itself."""
        k = min(self.layer.weight.shape)
        return log_determinant(self.layer.weight[:k, :k], self.layer.dtype)

    @cached_property
    def kernel(self) -> PolyphaseKernel:
        """The layer as coarse taps; stride 1 and one group where its geometry is not known."""
        weight, geometry = self.layer.weight, self.layer.geometry
        if len(weight.shape) == 2:
            return dense_kernel(weight)
        axes = len(weight.shape) - 2
        if geometry is None:
            return convolution_kernel(weight, stride=(1,) * axes, dilation=(1,) * axes)
        return convolution_kernel(
            weight,
            stride=geometry.stride,
            dilation=geometry.dilation,
            groups=geometry.groups,
            transposed=geometry.transposed,
        )

    @cached_property
    def rank(self) -> Rank:
        """Rank, and the channels that lower it."""
        if self.decomposition is not None:
            return blocked_rank(
                self.decomposition,
                epsilon=machine_epsilon(self.layer.dtype),
                generator=self.generator("rank"),
            )
        large = not self.kernel.axes and self.kernel.rank_channels > SHARED_SPECTRUM
        return generic_rank(
            self.kernel,
            epsilon=machine_epsilon(self.layer.dtype),
            generator=self.generator("rank"),
            fast=self.fast,
            spectrum=self.spectrum if large else None,
        )

    @cached_property
    def density(self) -> Density:
        """Log-volume a position; for a dense layer its log-volume."""
        if self.decomposition is not None:
            rows, columns = self.layer.weight.shape
            if rows == columns and self.rank.is_full:
                value = self.square_determinant.value
                if value is not None:
                    return exact_density(value, "LU", self.rank)
            return blocked_log_volume(self.decomposition, self.rank)
        return log_volume_density(self.kernel, self.rank, self.generator("density"), fast=self.fast)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Singular values."""
        if self.decomposition is not None:
            return self.decomposition.spectrum
        geometry = self.layer.geometry
        size = geometry.input_size if geometry is not None else None
        return singular_spectrum(self.kernel, input_size=size, fast=self.fast)
