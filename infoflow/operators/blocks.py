"""A large dense weight as it is stored, converted to float64 one block at a time.

The numbers of a file of float32 take twice their size in float64, those of bfloat16 four times:
a copy of a whole weight beside another is what fills a machine. Here only blocks are copied, and
the pages of a memory map are given back once they are read.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.polyphase import extreme_exponent

ROW_BYTES = 1 << 20
"""Float64 bytes of a block of rows: what stays in the cache while several sums are taken of it."""

PANEL_BYTES = 32 << 20
"""Float64 bytes of a panel that a matrix product takes at once."""

LEAST_PANEL = 256
"""Lines of a panel at least: fewer, and reading the product again and again costs more than it."""

GIVE_BACK = 32 << 20
"""Bytes of a memory map that are read before its pages are given back."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockedMatrix:
    """A matrix (rows, cols) of a stored type, read in blocks of float64.

    What is read is D₁·W·D₂ / 2^``exponent``: scaled by the factors, where there are some, and
    divided by a power of two where the weights are so extreme that their squares would not be
    numbers. "Short" is the side of fewer lines, the rows of a square matrix.

    Args:
        weight: Numpy, of any real type, perhaps a memory map; rows are contiguous or not.
        row_factors: The diagonal of D₁, one number a row.
        column_factors: The diagonal of D₂.
        row_bytes: Size of a block of rows, in bytes of float64.
        panel_bytes: Size of a panel.
    """

    weight: NDArray[Any]
    row_factors: Floats | None = None
    column_factors: Floats | None = None
    row_bytes: int = ROW_BYTES
    panel_bytes: int = PANEL_BYTES

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.weight.shape[0])

    @property
    def cols(self) -> int:
        """Number of columns."""
        return int(self.weight.shape[1])

    @property
    def short(self) -> int:
        """Lines of the shorter side, and so singular values."""
        return min(self.rows, self.cols)

    @property
    def long(self) -> int:
        """Lines of the longer side."""
        return max(self.rows, self.cols)

    @cached_property
    def exponent(self) -> int:
        """Power of two that all numbers are divided by: 0 unless the weights are extreme."""
        step = max(1, self.row_bytes // (8 * max(self.cols, 1)))
        largest = 0.0
        for start in range(0, self.rows, step):
            block = self.weight[start : start + step]
            largest = max(largest, float(block.max()), -float(block.min()))
        give_back(self.weight)
        return extreme_exponent(largest)

    def scaled(self, rows: Floats | None, columns: Floats | None) -> BlockedMatrix:
        """The matrix with rows and columns times these factors too."""
        factors = _times(self.row_factors, rows), _times(self.column_factors, columns)
        return self._with(self.weight, *factors)

    def restricted(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> BlockedMatrix:
        """Some of the rows and columns; they are copied, in the stored type, unless it is all."""
        if len(rows) == self.rows and len(columns) == self.cols:
            return self
        return self._with(
            self.weight[np.ix_(rows, columns)],
            None if self.row_factors is None else self.row_factors[rows],
            None if self.column_factors is None else self.column_factors[columns],
        )

    def transposed(self) -> BlockedMatrix:
        """The transpose, rows for columns."""
        return self._with(self.weight.T, self.column_factors, self.row_factors)

    def _with(
        self, weight: NDArray[Any], rows: Floats | None, columns: Floats | None
    ) -> BlockedMatrix:
        other = replace(self, weight=weight, row_factors=rows, column_factors=columns)
        vars(other)["exponent"] = self.exponent
        return other

    def row_blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Blocks of whole rows, (rows of the block, cols): one buffer, overwritten by the next."""
        step = max(1, min(self.row_bytes // (8 * self.cols), self.rows))
        buffer = np.empty((step, self.cols))
        pending = 0
        for start in range(0, self.rows, step):
            rows = slice(start, min(start + step, self.rows))
            yield rows, self._read(rows, slice(None), buffer[: rows.stop - start])
            pending += (rows.stop - start) * self.cols * self.weight.itemsize
            if pending >= GIVE_BACK:
                give_back(self.weight)
                pending = 0
        give_back(self.weight)

    def panels(self, width: int | None = None) -> Iterator[Floats]:
        """All lines of the longer side in turn, as (short, some of the long) float64 arrays.

        In Fortran's order where the short side is the columns, else in C's.

        Args:
            width: Lines of the longer side in each; by default what ``panel_bytes`` hold.
        """
        step = width or max(LEAST_PANEL, self.panel_bytes // (8 * max(self.short, 1)))
        across = self.rows < self.cols
        for start in range(0, self.long, step):
            lines = slice(start, min(start + step, self.long))
            count = lines.stop - start
            if across:
                yield self._read(slice(None), lines, np.empty((self.rows, count)))
            else:
                yield self._read(lines, slice(None), np.empty((count, self.cols))).T
                give_back(self.weight)
        give_back(self.weight)

    def whole(self) -> Floats:
        """All of it as one float64 array in C's order."""
        found = self._read(slice(None), slice(None), np.empty((self.rows, self.cols)))
        give_back(self.weight)
        return found

    def _read(self, rows: slice, columns: slice, into: Floats) -> Floats:
        np.copyto(into, self.weight[rows, columns], casting="unsafe")
        if self.exponent:
            # Two steps: 2^−exponent itself may be out of range.
            half = self.exponent // 2
            into *= math.ldexp(1.0, -half)
            into *= math.ldexp(1.0, half - self.exponent)
        if self.row_factors is not None:
            into *= self.row_factors[rows, None]
        if self.column_factors is not None:
            into *= self.column_factors[columns]
        return into


def give_back(array: NDArray[Any]) -> None:
    """Let go of a memory map's pages: what is read again comes from the system's cache.

    Nothing happens to an array that is no view of a memory map.
    """
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    owner = owner.obj if isinstance(owner, memoryview) else owner
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def _times(factors: Floats | None, more: Floats | None) -> Floats | None:
    if factors is None or more is None:
        return more if factors is None else factors
    return np.asarray(factors * more)
