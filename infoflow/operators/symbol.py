"""The frequency-domain symbol on a whole grid: one small matrix a frequency and group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from infoflow.facts import Geometry
from infoflow.operators.arrays import as_numpy
from infoflow.operators.polyphase import PolyphaseKernel

if TYPE_CHECKING:
    from jaxtyping import Complex128


def frequency_symbol(
    kernel: PolyphaseKernel, grid: tuple[int, ...]
) -> Complex128[NDArray[Any], "*grid groups rows cols"]:
    """K̂(ω) = Σ_q W_q exp(i ω·q) at ω = 2πk/N, for every k of the grid (SED, theorem 6).

    With the grid of the layer's own positions its singular values, all together, are those of the
    circular operator. Rows are always outputs and columns inputs: those of a strided layer are
    its input channels times phases, and so are the rows of a transposed one, whose symbol is
    the conjugate transpose of its kernel's.

    Args:
        kernel: The layer as coarse taps.
        grid: N along each spatial dimension.

    Returns:
        complex128 (*grid, groups, rows, columns), frequencies as ``numpy.fft`` orders them.

    >>> from infoflow.operators import convolution_kernel
    >>> kernel = convolution_kernel(np.array([[[1.0, 2.0]]]), stride=(1,), dilation=(1,))
    >>> frequency_symbol(kernel, (2,)).ravel()
    array([ 3.+0.j, -1.+0.j])
    """
    steps = np.indices(grid).reshape(len(grid), math.prod(grid)).T
    # exp(iωq) by its index modulo N, so that −1 is −1 and not −1 + 1e-16i.
    roots = np.ones((len(steps), len(kernel.offsets)), dtype=np.complex128)
    for axis, size in enumerate(grid):
        offsets = np.array([offset[axis] for offset in kernel.offsets])
        roots *= _roots_of_unity(size)[np.outer(steps[:, axis], offsets) % size]
    taps = as_numpy(kernel.taps)
    symbol: NDArray[np.complex128] = (roots @ taps.reshape(len(taps), -1)).reshape(
        *grid, *taps.shape[1:]
    )
    return symbol.conj().swapaxes(-1, -2) if kernel.transposed else symbol


def symbol_shape(
    weight_shape: tuple[int, ...], geometry: Geometry, grid: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of ``frequency_symbol``, from shapes alone."""
    phases = math.prod(
        len({k * r % s for k in range(n)})
        for n, s, r in zip(weight_shape[2:], geometry.stride, geometry.dilation, strict=True)
    )
    sides = (weight_shape[0] // geometry.groups, weight_shape[1] * phases)
    return (*grid, geometry.groups, *(reversed(sides) if geometry.transposed else sides))


def _roots_of_unity(n: int) -> NDArray[np.complex128]:
    angles = 2 * math.pi * np.arange(n) / n
    roots = np.cos(angles) + 1j * np.sin(angles)
    for quarter, exact in enumerate((1, 1j, -1, -1j)):
        if quarter * n % 4 == 0:
            roots[quarter * n // 4] = exact
    return roots
