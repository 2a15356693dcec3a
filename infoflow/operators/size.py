"""How large a matrix will be, from shapes alone: nothing is allocated to know it."""

from __future__ import annotations

from dataclasses import dataclass

NUMBER = 8
"""Bytes of a float64."""


@dataclass(frozen=True)
class MatrixSize:
    """Rows, columns and non-zeros of a matrix of float64.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        nonzeros: Entries that may differ from zero: an upper bound where weights are zero.
    """

    rows: int
    columns: int
    nonzeros: int

    @property
    def dense_bytes(self) -> int:
        """Of the dense array."""
        return NUMBER * self.rows * self.columns

    @property
    def index_bytes(self) -> int:
        """Of one index of the sparse matrix: scipy's int32 where that is enough."""
        return 4 if max(self.nonzeros, self.rows, self.columns) < 2**31 else 8

    @property
    def sparse_bytes(self) -> int:
        """Of the compressed sparse rows: values, column indices, row pointers."""
        return (NUMBER + self.index_bytes) * self.nonzeros + self.index_bytes * (self.rows + 1)

    @property
    def density(self) -> float:
        """Share of entries that may differ from zero."""
        return self.nonzeros / (self.rows * self.columns) if self.rows * self.columns else 0.0
