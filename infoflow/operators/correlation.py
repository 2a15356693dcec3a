"""The sparse matrix of y[n] = Σ_k w[k] · x[s·n + r·k − padding], channels and groups included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.axis import Axis
from infoflow.operators.size import MatrixSize

if TYPE_CHECKING:
    from jaxtyping import Float

Sparse = Any
"""A ``scipy.sparse.csr_array`` (scipy has no types)."""


def correlation_size(
    outputs: int, inputs_a_group: int, groups: int, axes: Sequence[Axis]
) -> MatrixSize:
    """Size of the matrix, from shapes alone."""
    rows = outputs * math.prod(axis.positions for axis in axes)
    columns = inputs_a_group * groups * math.prod(axis.size for axis in axes)
    pairs = math.prod(axis.pairs for axis in axes)
    return MatrixSize(rows, columns, outputs * inputs_a_group * pairs)


def correlation_matrix(
    weight: Float[NDArray[np.float64], "out in_a_group *kernel"], axes: Sequence[Axis], groups: int
) -> Sparse:
    """The layer's matrix: rows (channel, position), columns (channel, position), both row-major.

    Beside the matrix it needs the memory of about three output channels' rows.

    Args:
        weight: As torch stores a convolution's.
        axes: One a spatial dimension.
        groups: Divides the number of output channels.

    Returns:
        float64 in compressed rows; entries that are zero are not stored.
    """
    from scipy.sparse import csr_array

    size = correlation_size(weight.shape[0], weight.shape[1], groups, axes)
    index = np.int32 if size.index_bytes == 4 else np.int64
    pattern = _pattern(axes, weight.shape[1], index)
    outputs, count = weight.shape[0], len(pattern.taps)
    data = np.empty((outputs, count))
    columns = np.empty((outputs, count), dtype=index)
    flat = weight.reshape(outputs, -1)
    inputs_before = size.columns // groups
    for channel in range(outputs):
        data[channel] = flat[channel][pattern.taps]
        group = channel // (outputs // groups)
        np.add(pattern.columns, index(group * inputs_before), out=columns[channel])
    starts = np.concatenate([[0], np.cumsum(np.tile(pattern.counts, outputs))]).astype(index)
    matrix = csr_array(
        (data.reshape(-1), columns.reshape(-1), starts), shape=(size.rows, size.columns)
    )
    if any(axis.mode != "zeros" for axis in axes):
        matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


@dataclass(frozen=True)
class _Pattern:
    """One output channel's rows: columns and taps of its entries, and their number in each row."""

    columns: NDArray[Any]
    taps: NDArray[np.intp]
    counts: NDArray[np.int64]


def _pattern(axes: Sequence[Axis], inputs: int, index: type[np.signedinteger[Any]]) -> _Pattern:
    sources = source_table(axes).astype(index)
    positions = math.prod(axis.size for axis in axes)
    inside = sources >= 0
    shape = (len(sources), inputs, sources.shape[1])
    chosen = np.broadcast_to(inside[:, None, :], shape)
    channels = np.arange(inputs, dtype=index)[:, None]
    columns = (channels * index(positions) + sources[:, None, :])[chosen]
    every = np.arange(inputs * sources.shape[1]).reshape(inputs, -1)
    taps = np.broadcast_to(every, shape)[chosen]
    return _Pattern(columns, taps, inputs * inside.sum(axis=1))


def source_table(axes: Sequence[Axis]) -> NDArray[np.int64]:
    """(positions, taps), both row-major: the input position that is read, −1 for a zero."""
    table = np.zeros((1, 1), dtype=np.int64)
    for axis in axes:
        rows, taps = len(table) * axis.positions, table.shape[1] * axis.kernel
        outer, inner = table[:, None, :, None], axis.sources[None, :, None, :]
        joined = np.where((outer >= 0) & (inner >= 0), outer * axis.size + inner, -1)
        table = joined.reshape(rows, taps)
    return table
