"""One canonical form of every linear layer: coarse taps, each a matrix a group.

A convolution of stride s and dilation r reads, in cross-correlation form,

    y[n] = Σ_k w[k] · x[s·n + r·k].

Write the fine position r·k = s·q + φ with the *phase* 0 ≤ φ < s. The phases of the input become
channels of their own on the coarse grid, and the layer becomes a convolution of stride 1 with a
matrix at each coarse tap q,

    y[n] = Σ_q W_q · X[n + q],        W_q of shape C_out/g × (C_in/g · phases),

block diagonal in the groups. Phases that no tap touches are dropped: they would be columns of
zeros. Its *symbol* is K̂(ω) = Σ_q W_q exp(i ω·q). True polyphase components
need no factor, unlike the aliasing of fine frequencies.

A transposed convolution is the adjoint of the convolution with the same stored tensor, so it has
the same singular values; its rows are then the channels of its *input*, and positions are its
input's. A dense layer is a kernel with no axis and a single tap.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.arrays import as_float64, namespace
from infoflow.operators.frequencies import Frequencies

if TYPE_CHECKING:
    from jaxtyping import Complex128, Float, Num

MODERATE = 100
"""Powers of two up to which a largest weight is left as it is: its squares are far from limits."""


@dataclass(frozen=True)
class PolyphaseKernel:
    """A linear layer as coarse taps; see the module's head for the mathematics.

    Args:
        taps: (taps, groups, rows, cols) float64, numpy or torch. Columns run over the input
            channels of the group and, fastest, over the phases.
        offsets: Coarse position q of each tap, one number an axis, from 0.
        phases: The non-empty phases φ, in the order of the columns.
        stride: Of the fine grid, one number an axis.
        transposed: Whether rows are the input's channels (a transposed convolution).
    """

    taps: Array
    offsets: tuple[tuple[int, ...], ...]
    phases: tuple[tuple[int, ...], ...]
    stride: tuple[int, ...]
    transposed: bool = False

    @property
    def groups(self) -> int:
        """Number of blocks on the diagonal."""
        return int(self.taps.shape[1])

    @property
    def rows(self) -> int:
        """Rows of one group's matrix."""
        return int(self.taps.shape[2])

    @property
    def cols(self) -> int:
        """Columns of one group's matrix: channels times non-empty phases."""
        return int(self.taps.shape[3])

    @property
    def rank_channels(self) -> int:
        """Singular values a position: groups · min(rows, cols)."""
        return self.groups * min(self.rows, self.cols)

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """Axes along which there is more than one coarse tap; the others need no frequency."""
        spatial = range(len(self.stride))
        return tuple(a for a in spatial if len({offset[a] for offset in self.offsets}) > 1)

    @property
    def corner(self) -> Array:
        """The symbol at z = 0, (groups, rows, cols): W₁₁, the completed operator's diagonal.

        Its columns are the taps with r·k < s, side by side, and zeros for the phases that no such
        tap reaches.
        """
        return self.taps[self.offsets.index((0,) * len(self.stride)), ...]

    def with_rows_scaled(self, factors: Array) -> PolyphaseKernel:
        """Every row times its factor; ``factors`` has one number a row of the layer."""
        xp = namespace(self.taps)
        return replace(self, taps=self.taps * xp.reshape(factors, (1, self.groups, self.rows, 1)))

    def with_columns_scaled(self, factors: Array) -> PolyphaseKernel:
        """Every column times its factor; ``factors`` has one number a column channel."""
        xp = namespace(self.taps)
        spread = xp.repeat(xp.reshape(factors, (self.groups, -1)), len(self.phases), axis=1)
        return replace(self, taps=self.taps * xp.reshape(spread, (1, self.groups, 1, self.cols)))

    @cached_property
    def exponent(self) -> int:
        """Power of two that ``normalised`` divides by: 0 unless the weights are extreme."""
        xp = namespace(self.taps)
        if not math.prod(self.taps.shape):
            return 0
        return extreme_exponent(max(float(xp.max(self.taps)), -float(xp.min(self.taps))))

    @cached_property
    def normalised(self) -> PolyphaseKernel:
        """The kernel divided by 2^``exponent``: no square of it overflows or vanishes.

        Exact; singular values are divided by the same power.
        """
        if self.exponent == 0:
            return self
        # Two steps: 2^−exponent itself may be out of range.
        half = self.exponent // 2
        taps = self.taps * math.ldexp(1.0, -half) * math.ldexp(1.0, half - self.exponent)
        return replace(self, taps=taps)

    @cached_property
    def primitive(self) -> PolyphaseKernel:
        """The kernel with the common factor of its offsets taken out along each axis.

        K̂ of a dilated kernel is the undilated one at r·ω: means over the torus, suprema and ranks
        are the same, and a grid of n frequencies serves n instead of n / r of them. Not for
        circular grids of a given size.
        """
        factors = [math.gcd(*column) or 1 for column in zip(*self.offsets, strict=True)]
        if all(factor == 1 for factor in factors):
            return self
        offsets = tuple(
            tuple(q // factor for q, factor in zip(offset, factors, strict=True))
            for offset in self.offsets
        )
        return replace(self, offsets=offsets)

    def positions(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        """Coarse positions along each axis, of the circular operator on an input of that size.

        The fine grid must be a multiple of the stride; a size that is not is rounded up, as a
        "same" convolution's output is. For a transposed layer they are its input's own.
        """
        if self.transposed:
            return tuple(input_size)
        return tuple(-(-n // s) for n, s in zip(input_size, self.stride, strict=True))

    def symbol(self, frequencies: Frequencies) -> Num[Array, "f groups rows cols"]:
        """K̂(ω) at each frequency.

        Args:
            frequencies: (F, len(self.axes)) in radians a coarse position.

        Returns:
            (F, groups, rows, cols): complex128; real float64 where there is no axis, as the
            single matrix of a dense layer and of a 1 × 1 convolution is. The caller keeps F
            small enough for its memory.
        """
        count, shape = frequencies.shape[0], tuple(self.taps.shape[1:])
        if not self.axes:
            return self.taps if count == 1 else self.taps.repeat(count, 0)
        angles = frequencies @ self._active_offsets.T
        xp = namespace(self.taps)
        flat = xp.reshape(self.taps, (len(self.offsets), -1))
        if isinstance(flat, np.ndarray):
            symbol = np.empty((count, flat.shape[1]), dtype=np.complex128)
            symbol.real = np.cos(angles) @ flat
            symbol.imag = np.sin(angles) @ flat
            return symbol.reshape(count, *shape)
        real = xp.asarray(np.cos(angles), device=flat.device) @ flat
        imaginary = xp.asarray(np.sin(angles), device=flat.device) @ flat
        return xp.reshape(real + 1j * imaginary, (count, *shape))

    def grid_symbol(
        self, n: int, shift: NDArray[np.float64]
    ) -> Complex128[NDArray[Any], "f groups rows cols"]:
        """K̂(ω) at every frequency of ``shifted_grid(n, shift)``, by a fast Fourier transform.

        K̂(2πk/n + shift) = Σ_q (W_q exp(i shift·q)) exp(2πi k·q/n), which knows q modulo n only:
        the taps, each times its phase, are added up on the grid and transformed. That takes
        n^axes · log n steps an entry, whatever the number of taps.

        Args:
            n: Frequencies along each axis.
            shift: (len(self.axes),) in radians a coarse position.

        Returns:
            (n^axes, groups, rows, cols), the whole grid at once; of numpy taps only.
        """
        grid, axes = (n,) * len(self.axes), tuple(range(len(self.axes)))
        places = self._active_offsets.astype(np.int64) % n
        phases = np.exp(1j * (self._active_offsets @ shift))
        flat = np.asarray(self.taps).reshape(len(phases), -1)
        folded = np.zeros((*grid, flat.shape[1]), dtype=np.complex128)
        np.add.at(folded, tuple(places.T), phases[:, None] * flat)
        symbol = np.fft.ifftn(folded, axes=axes, norm="forward")
        return symbol.reshape(-1, *self.taps.shape[1:])

    @cached_property
    def _active_offsets(self) -> NDArray[np.float64]:
        offsets = np.array(self.offsets, dtype=np.float64).reshape(len(self.offsets), -1)
        return offsets[:, list(self.axes)]


def extreme_exponent(largest: float) -> int:
    """Power of two of a largest magnitude that is extreme, 0 for any other."""
    power = math.frexp(largest)[1]
    return power if abs(power) > MODERATE else 0


def dense_kernel(weight: Float[Array, "out in"]) -> PolyphaseKernel:
    """A dense layer's (out, in) weight as a kernel without axes."""
    taps = as_float64(weight)
    return PolyphaseKernel(taps[None, None, ...], offsets=((),), phases=((),), stride=())


def convolution_kernel(
    weight: Array,
    *,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int = 1,
    transposed: bool = False,
) -> PolyphaseKernel:
    """A convolution's weight, in torch's layout, as coarse taps.

    Args:
        weight: (C_out, C_in/groups, *kernel), or (C_in, C_out/groups, *kernel) if transposed.
        stride: One number a spatial dimension.
        dilation: One number a spatial dimension.
        groups: Number of groups; divides the first dimension.
        transposed: Whether it is a transposed convolution.
    """
    # Numpy's are converted tap by tap: a float64 copy of the whole is not held beside the taps.
    fine: Array = weight if isinstance(weight, np.ndarray) else as_float64(weight)
    size = tuple(int(n) for n in fine.shape[2:])
    if not len(size) == len(stride) == len(dilation):
        raise ValueError(
            f"a kernel of size {size} needs as many strides and dilations, "
            f"not {stride} and {dilation}"
        )
    channels, rest = divmod(int(fine.shape[0]), groups)
    if rest:
        raise ValueError(f"{fine.shape[0]} channels do not divide into {groups} groups")
    # (position on the coarse grid, phase) of each tap along each axis.
    places = [
        [divmod(k * r, s) for k in range(n)] for n, s, r in zip(size, stride, dilation, strict=True)
    ]
    coarse = [sorted({q for q, _ in axis}) for axis in places]
    phased = [sorted({phase for _, phase in axis}) for axis in places]
    offsets = list(itertools.product(*coarse))
    phases = list(itertools.product(*phased))
    at_offset = {offset: index for index, offset in enumerate(offsets)}
    at_phase = {phase: index for index, phase in enumerate(phases)}
    xp = namespace(fine)
    columns = int(fine.shape[1])
    device = {} if isinstance(fine, np.ndarray) else {"device": fine.device}
    taps = xp.zeros(
        (len(offsets), groups, channels, columns, len(phases)), dtype=xp.float64, **device
    )
    for k in itertools.product(*(range(n) for n in size)):
        place = [axis[index] for axis, index in zip(places, k, strict=True)]
        t, phase = at_offset[tuple(q for q, _ in place)], at_phase[tuple(f for _, f in place)]
        taps[t, ..., phase] = xp.reshape(fine[(..., *k)], (groups, channels, columns))
    taps = xp.reshape(taps, (len(offsets), groups, channels, columns * len(phases)))
    return PolyphaseKernel(taps, tuple(offsets), tuple(phases), tuple(stride), transposed)
