"""Where a matrix has its non-zeros, coarse enough for a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 384
"""Cells along a side: more would be smaller than a dot of a printed picture."""

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
        positions = " × ".join(f"{n:,}" for n in self.positions)
        if self.channels is None:
            return f"{self.name}: {positions} positions"
        if not positions:
            return f"{self.name}: {self.channels:,}"
        noun = "channel" if self.channels == 1 else "channels"
        return f"{self.name}: {self.channels:,} {noun} × {positions} positions"

    @property
    def block(self) -> tuple[str, int]:
        """What is counted along an axis, and how many lines one of it has."""
        if not self.positions:
            return "", 1
        if self.channels is not None and self.channels > 1:
            return "channel", math.prod(self.positions)
        return ("row of positions", math.prod(self.positions[1:]))


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
    counts = _counts(matrix, most)
    sizes = [
        np.bincount(_cell(np.arange(n), n, cells), minlength=cells)
        for n, cells in zip(matrix.shape, counts.shape, strict=True)
    ]
    shares = counts / np.outer(*sizes)
    return Pattern(shares, rows, columns, int(counts.sum()))


def _cell(places: NDArray[Any], length: int, cells: int) -> NDArray[np.int64]:
    return np.asarray(places.astype(np.int64) * cells // length)


def _counts(matrix: Any, most: int) -> NDArray[np.int64]:
    """Non-zeros in each cell."""
    height, width = (min(n, most) for n in matrix.shape)
    counts = np.zeros(height * width, dtype=np.int64)
    step = max(1, CHUNK // max(1, matrix.shape[1])) if isinstance(matrix, np.ndarray) else None
    start, rows = 0, matrix.shape[0]
    while start < rows:
        if step is not None:
            stop = min(start + step, rows)
            row, column = np.nonzero(matrix[start:stop])
        else:
            stop = _rows_until(matrix.indptr, start, CHUNK)
            held = slice(matrix.indptr[start], matrix.indptr[stop])
            row = np.repeat(np.arange(stop - start), np.diff(matrix.indptr[start : stop + 1]))
            column = matrix.indices[held]
        places = _cell(row + start, rows, height) * width + _cell(column, matrix.shape[1], width)
        counts += np.bincount(places, minlength=counts.size)
        start = stop
    return counts.reshape(height, width)


def _rows_until(starts: NDArray[Any], first: int, most: int) -> int:
    """The row before which at most ``most`` non-zeros stand; at least one row."""
    found = int(np.searchsorted(starts, int(starts[first]) + most, side="right")) - 1
    return min(max(found, first + 1), len(starts) - 1)
