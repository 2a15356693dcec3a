"""A function of the symbol at many frequencies, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.arrays import as_numpy, is_torch
from infoflow.operators.frequencies import Frequencies, shifted_grid
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.threads import shared_out

SHARED_SIDE = 64
"""Smaller side from which symbols are shared out among threads: smaller ones take no time."""

CHUNK_BYTES = 1 << 20
"""Symbols held at a time: what fits a cache is a quarter faster than more."""

TRANSFORMED_TAPS = 49
"""Taps from which a Fourier transform of a whole grid is no slower than the sum over them.

Time of a transform over time of the sum, for 7 × 7 taps: 0.02 for one channel on a grid of 40 × 40,
0.5 for 8 × 8 channels, 0.8 for 16 × 16; for 30 × 30 taps 0.003 and 0.1. For 48 × 48 channels, whose
grids leave the cache, it is 1.1 to 1.2 for any number of taps.
"""

GRID_BYTES = 1 << 21
"""Largest grid of symbols that is held whole for it."""


def over_frequencies(
    kernel: PolyphaseKernel,
    frequencies: Frequencies,
    function: Callable[[Array], Array],
) -> NDArray[np.float64]:
    """``function`` of the symbols, (F, groups, rows, cols) → (F, groups, …), in bounded memory."""
    chunks = _chunks(kernel, frequencies, held=len(kernel.offsets))
    return _joined(kernel, chunks, lambda part: function(kernel.symbol(part)))


def over_grids(
    kernel: PolyphaseKernel,
    n: int,
    shifts: Frequencies,
    function: Callable[[Array], Array],
) -> NDArray[np.float64]:
    """``function`` of the symbols on the n × … × n grid moved by each of the shifts.

    A kernel of many taps has them by a fast Fourier transform, where its grid is not too large.

    Args:
        kernel: The layer.
        n: Frequencies along each axis.
        shifts: (shifts, axes) in radians.
        function: (F, groups, rows, cols) → (F, …).

    Returns:
        (shifts, n^axes, …).
    """
    if not _transformed(kernel, n):
        frequencies = np.concatenate([shifted_grid(n, shift) for shift in shifts])
        values = over_frequencies(kernel, frequencies, function)
        return values.reshape(len(shifts), -1, *values.shape[1:])
    grids = (kernel.grid_symbol(n, shift) for shift in shifts)
    return np.stack([_joined(kernel, _chunks(kernel, grid), function) for grid in grids])


def _transformed(kernel: PolyphaseKernel, n: int) -> bool:
    entries = n ** len(kernel.axes) * kernel.groups * kernel.rows * kernel.cols
    many = len(kernel.offsets) >= TRANSFORMED_TAPS
    return many and 16 * entries <= GRID_BYTES and not is_torch(kernel.taps)


def _joined(
    kernel: PolyphaseKernel,
    parts: Sequence[NDArray[Any]],
    function: Callable[[NDArray[Any]], Array],
) -> NDArray[np.float64]:
    """``function`` of every part, by several threads where that pays."""

    def computed(part: NDArray[Any]) -> NDArray[np.float64]:
        return as_numpy(function(part))

    if is_torch(kernel.taps) or min(kernel.rows, kernel.cols) < SHARED_SIDE:
        found = [computed(part) for part in parts]
    else:
        found = shared_out(computed, parts)
    return np.concatenate(found) if len(found) > 1 else found[0]


def _chunks(
    kernel: PolyphaseKernel, along: NDArray[Any], *, held: int = 0
) -> Sequence[NDArray[Any]]:
    """Parts of an array along frequencies, as many as symbols are held at a time.

    ``held`` are further numbers that each frequency takes on the way.
    """
    size = max(1, CHUNK_BYTES // (16 * (held + kernel.groups * kernel.rows * kernel.cols)))
    return [along[start : start + size] for start in range(0, len(along), size)]
