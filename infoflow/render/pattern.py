"""Where a matrix has its non-zeros, coarse enough for a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.words import counted, sides_text

MOST_CELLS = 600
"""Cells along a side: more would be smaller than two dots of a printed picture."""

CHUNK = 1 << 22
"""Non-zeros counted at a time."""


@dataclass(frozen=True)
class Side:
    """What the rows or columns of a matrix run over.

    Args:
        name: ``input``, ``output``, …
        channels: Their number, None for a single filter, which has none.
        positions: Along each dimension; empty for a dense layer.
    """

    name: str
    channels: int | None
    positions: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """Rows or columns."""
        return (self.channels or 1) * math.prod(self.positions)

    @property
    def words(self) -> str:
        """``output: 64 channels × 32 × 32 positions``."""
        positions = sides_text(self.positions)
        if self.channels is None:
            return f"{self.name}: {positions} positions"
        if not positions:
            return f"{self.name}: {self.channels:,}"
        return f"{self.name}: {counted(self.channels, 'channel')} × {positions} positions"

    @property
    def label(self) -> str:
        """For an axis on which blocks are counted: ``output channel (32 × 32 positions each)``."""
        positions = sides_text(self.positions)
        if not positions:
            return self.name
        if self.channels is not None and self.channels > 1:
            return f"{self.name} channel ({positions} positions each)"
        if len(self.positions) == 1:
            return f"{self.name} position"
        return f"row of the {self.name} ({positions} positions)"

    @property
    def block(self) -> int:
        """Lines of one channel; of one row of positions where there is a single channel."""
        if self.channels is not None and self.channels > 1:
            return math.prod(self.positions)
        return math.prod(self.positions[1:])


@dataclass(frozen=True, eq=False)
class Pattern:
    """A matrix's non-zeros as shares of cells.

    Args:
        cells: Share of non-zeros in each cell, (rows, columns), at most ``MOST_CELLS`` a side.
        rows: What the rows of the matrix are.
        columns: What its columns are.
        nonzeros: Their number.
    """

    cells: NDArray[np.float64]
    rows: Side
    columns: Side
    nonzeros: int

    @property
    def is_exact(self) -> bool:
        """Whether every entry has a cell of its own."""
        return self.cells.shape == (self.rows.length, self.columns.length)


def pattern(matrix: Any, rows: Side, columns: Side, most: int = MOST_CELLS) -> Pattern:
    """The pattern of a ``scipy.sparse`` csr matrix or of a numpy array."""
    # Whole numbers of lines a cell: cells that differ in size would draw a pattern of their own.
    steps = [-(-n // most) for n in matrix.shape]
    counts = _counts(matrix, steps)
    sizes = [
        np.minimum(step, n - step * np.arange(cells))
        for n, step, cells in zip(matrix.shape, steps, counts.shape, strict=True)
    ]
    shares = counts / np.outer(*sizes)
    return Pattern(shares, rows, columns, int(counts.sum()))


def _counts(matrix: Any, steps: Sequence[int]) -> NDArray[np.int64]:
    """Non-zeros in each cell of so many rows and columns."""
    height, width = (-(-n // step) for n, step in zip(matrix.shape, steps, strict=True))
    counts = np.zeros(height * width, dtype=np.int64)
    dense = isinstance(matrix, np.ndarray)
    start, rows = 0, matrix.shape[0]
    while start < rows:
        if dense:
            stop = min(start + max(1, CHUNK // matrix.shape[1]), rows)
            row, column = np.nonzero(matrix[start:stop])
        else:
            stop = _rows_until(matrix.indptr, start, CHUNK)
            held = slice(matrix.indptr[start], matrix.indptr[stop])
            row = np.repeat(np.arange(stop - start), np.diff(matrix.indptr[start : stop + 1]))
            column = matrix.indices[held]
        places = (row + start) // steps[0] * width + column // steps[1]
        counts += np.bincount(places, minlength=counts.size)
        start = stop
    return counts.reshape(height, width)


def _rows_until(starts: NDArray[Any], first: int, most: int) -> int:
    """The row before which at most ``most`` non-zeros stand; at least one row."""
    found = int(np.searchsorted(starts, int(starts[first]) + most, side="right")) - 1
    return min(max(found, first + 1), len(starts) - 1)
