"""What can be taken out of a layer: one row a matrix, with its size and how it is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from infoflow.errors import OperatorError, SelectionError
from infoflow.facts import Geometry
from infoflow.layers import Array
from infoflow.operators.arrays import as_float64
from infoflow.operators.dense import completed
from infoflow.operators.layer import LayerOperator, layer_operator
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.operators.size import MatrixSize
from infoflow.operators.symbol import frequency_symbol, symbol_shape
from infoflow.operators.toeplitz import (
    completed_toeplitz,
    completed_toeplitz_size,
    doubly_block_toeplitz,
    toeplitz_size,
)
from infoflow.report import LayerSummary
from infoflow.words import with_article

DENSE, CONVOLUTION = "dense", "convolution"
TRANSPOSED = "transposed convolution"
EMBEDDING, UPDATE = "embedding", "low-rank update"
CONVOLUTION_UPDATE = "low-rank update of a convolution"
FLAT = frozenset({DENSE, EMBEDDING, UPDATE})
"""Kinds that are one matrix (outputs, inputs), whatever the input's size."""
COMPLEX = 16
"""Bytes of a complex128."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of a layer.

    Args:
        what: A name of ``FORMS``.
        slice: (output channel, input channel of the group) of the filter, for C_M.
        grid: Frequencies along each axis, for the symbol; its own positions, else 8, where None.
    """

    what: str
    slice: tuple[int, int] = (0, 0)
    grid: int | None = None


@dataclass(frozen=True)
class Estimate:
    """How large a matrix is, from shapes alone.

    Args:
        shape: Of the array.
        nonzeros: At most; None for the symbol, which is never sparse.
        sparse_bytes: Of the sparse matrix; None for the symbol.
        dense_bytes: Of the dense array.
    """

    shape: tuple[int, ...]
    nonzeros: int | None
    sparse_bytes: int | None
    dense_bytes: int

    @classmethod
    def of(cls, size: MatrixSize) -> Estimate:
        """Of a matrix with rows and columns."""
        shape = (size.rows, size.columns)
        return cls(shape, size.nonzeros, size.sparse_bytes, size.dense_bytes)


@dataclass(frozen=True)
class Subject:
    """A layer's weight (or a stand-in that has its shape only), geometry and input size."""

    weight: Array
    geometry: Geometry | None
    input_size: tuple[int, ...] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight."""
        return tuple(self.weight.shape)

    @property
    def operator(self) -> LayerOperator:
        """The whole layer on its input."""
        return layer_operator(self.weight, self.geometry, self.input_size)

    @property
    def kernel(self) -> PolyphaseKernel:
        """The layer as coarse taps, which no input size is needed for."""
        return LayerOperator(self.weight, self.geometry, ()).kernel

    @property
    def image(self) -> tuple[int, int]:
        """(l, w) of the input; a signal of one dimension is an image of one row."""
        assert self.input_size is not None
        *_, height, width = (1, *self.input_size)
        return height, width

    @property
    def filter_shape(self) -> tuple[int, int]:
        """(p, q) of a filter slice."""
        *_, p, q = (1, *self.shape[2:])
        return p, q

    def filter(self, place: tuple[int, int]) -> Array:
        """The filter slice at (output channel, input channel of the group), two-dimensional."""
        return self.weight[place].reshape(self.filter_shape)


@dataclass(frozen=True)
class Form:
    """One kind of matrix.

    Args:
        says: What it is, in words.
        kinds: Kinds of layers that have it.
        needs_size: Whether it depends on the size of a convolution's input.
        sparse: Whether it is built as a sparse matrix.
        estimate: Its size.
        build: The matrix.
    """

    says: str
    kinds: tuple[str, ...]
    needs_size: bool
    sparse: bool
    estimate: Callable[[Subject, Wanted], Estimate]
    build: Callable[[Subject, Wanted], Any]


def kind_of(summary: LayerSummary) -> str:
    """The kind by which ``FORMS`` says what a layer has."""
    if summary.kind == UPDATE and len(summary.shape) > 2:
        return CONVOLUTION_UPDATE
    return summary.kind


def grid_of(subject: Subject, wanted: Wanted) -> tuple[int, ...]:
    """The symbol's grid: N along each axis, else the layer's own positions, else 8."""
    geometry = subject.geometry
    assert geometry is not None
    if wanted.grid is not None or subject.input_size is None:
        return (wanted.grid or 8,) * len(geometry.stride)
    strides = (1,) * len(geometry.stride) if geometry.transposed else geometry.stride
    return tuple(-(-n // s) for n, s in zip(subject.input_size, strides, strict=True))


def _dense_estimate(rows: int, columns: int) -> Estimate:
    return Estimate.of(MatrixSize(rows, columns, rows * columns))


def _completed_size(subject: Subject, wanted: Wanted) -> Estimate:
    rows, columns = subject.shape
    side = max(rows, columns)
    return Estimate.of(MatrixSize(side, side, rows * columns + side - min(rows, columns)))


def _filter_size(
    size: Callable[[tuple[int, int], tuple[int, int]], MatrixSize],
) -> Callable[[Subject, Wanted], Estimate]:
    def estimate(subject: Subject, wanted: Wanted) -> Estimate:
        _check_slice(subject, wanted.slice)
        (p, q), (height, width) = subject.filter_shape, subject.image
        if p > height or q > width:
            raise OperatorError(
                f"{with_article(f'{p} × {q} filter')} does not fit into an input of "
                f"{height} × {width} positions."
            )
        return Estimate.of(size((p, q), (height, width)))

    return estimate


def _check_slice(subject: Subject, place: tuple[int, int]) -> None:
    outputs, inputs = subject.shape[:2]
    if not (0 <= place[0] < outputs and 0 <= place[1] < inputs):
        raise SelectionError(
            f"--slice {place[0]},{place[1]} is outside the layer's filters: the output channel is "
            f"0 to {outputs - 1}, the input channel (of its group) 0 to {inputs - 1}."
        )


def _symbol_size(subject: Subject, wanted: Wanted) -> Estimate:
    assert subject.geometry is not None
    shape = symbol_shape(subject.shape, subject.geometry, grid_of(subject, wanted))
    return Estimate(shape, None, None, COMPLEX * math.prod(shape))


FORMS: Mapping[str, Form] = {
    "W": Form(
        "dense weight, outputs × inputs",
        (DENSE, EMBEDDING, UPDATE),
        False,
        False,
        lambda subject, _: _dense_estimate(*subject.shape),
        lambda subject, _: np.array(as_float64(subject.weight)),
    ),
    "W-square": Form(
        "completed square weight W′, ENT Theorem 3",
        (DENSE,),
        False,
        False,
        _completed_size,
        lambda subject, _: completed(as_float64(subject.weight)),
    ),
    "C_M": Form(
        "doubly block Toeplitz matrix of one filter, ENT eqs. 5–8",
        (CONVOLUTION,),
        True,
        True,
        _filter_size(toeplitz_size),
        lambda subject, wanted: doubly_block_toeplitz(subject.filter(wanted.slice), subject.image),
    ),
    "C_M-square": Form(
        "completed square matrix C′_M of one filter, ENT eqs. 9 and 10",
        (CONVOLUTION,),
        True,
        True,
        _filter_size(completed_toeplitz_size),
        lambda subject, wanted: completed_toeplitz(subject.filter(wanted.slice), subject.image),
    ),
    "layer": Form(
        "whole layer's operator: channels, groups, stride, padding, dilation",
        (DENSE, EMBEDDING, UPDATE, CONVOLUTION, TRANSPOSED, CONVOLUTION_UPDATE),
        True,
        True,
        lambda subject, _: Estimate.of(subject.operator.size),
        lambda subject, _: subject.operator.to_sparse(),
    ),
    "symbol": Form(
        "frequency-domain symbol: frequencies × groups × outputs × inputs",
        (CONVOLUTION, TRANSPOSED, CONVOLUTION_UPDATE),
        False,
        False,
        _symbol_size,
        lambda subject, wanted: frequency_symbol(subject.kernel, grid_of(subject, wanted)),
    ),
}
"""What can be extracted, by the name that ``--what`` takes."""
