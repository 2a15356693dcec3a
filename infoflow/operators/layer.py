"""A whole layer as a linear operator: sparse, dense, or products without the matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from infoflow.errors import OperatorError
from infoflow.facts import Geometry
from infoflow.layers import Array
from infoflow.operators.arrays import as_float64, as_numpy
from infoflow.operators.axis import Axis, circular_axis, correlation_axis, transposed_axis
from infoflow.operators.correlation import Sparse, correlation_matrix, correlation_size
from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel, dense_kernel
from infoflow.operators.size import MatrixSize

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


@dataclass(frozen=True, eq=False)
class LayerOperator:
    """The linear map of one layer on inputs of one size; make it with ``layer_operator``.

    Inputs and outputs are vectors of (channel, position), row-major, as ``tensor.ravel()`` gives
    them: ``A @ x.ravel()`` is the layer's output without its bias, ravelled.

    Args:
        weight: As torch stores it, any real type; numpy or torch.
        geometry: Of a convolution, None for a dense layer.
        axes: One a spatial dimension: which position each tap reads. Of a transposed
            convolution: those of the convolution whose adjoint it is.
    """

    weight: Array
    geometry: Geometry | None
    axes: tuple[Axis, ...]

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.geometry.groups if self.geometry else 1

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return self.geometry is not None and self.geometry.transposed

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, *positions) of the input."""
        return self._coarse if self.transposed else self._fine

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(channels, *positions) of the output."""
        return self._fine if self.transposed else self._coarse

    @property
    def _fine(self) -> tuple[int, ...]:
        return (self.weight.shape[1] * self.groups, *(axis.size for axis in self.axes))

    @property
    def _coarse(self) -> tuple[int, ...]:
        return (self.weight.shape[0], *(axis.positions for axis in self.axes))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the matrix."""
        return math.prod(self.output_shape), math.prod(self.input_shape)

    @property
    def size(self) -> MatrixSize:
        """Rows, columns, non-zeros and bytes; nothing is allocated to know them."""
        found = correlation_size(self.weight.shape[0], self.weight.shape[1], self.groups, self.axes)
        return MatrixSize(*self.shape, found.nonzeros)

    @property
    def reached(self) -> tuple[int, int]:
        """Rows that read some input, and columns that are read, whatever the weights are.

        A stride that leaves positions out, or padding beyond the kernel's reach, makes lines of
        zeros that are the geometry's, no loss of the layer's own.
        """
        counts = [axis.reached for axis in self.axes]
        coarse = self.weight.shape[0] * math.prod(rows for rows, _ in counts)
        fine = self.weight.shape[1] * self.groups * math.prod(columns for _, columns in counts)
        return (fine, coarse) if self.transposed else (coarse, fine)

    def to_sparse(self) -> Sparse:
        """The matrix as a ``scipy.sparse.csr_array`` of float64; zeros are not stored."""
        matrix = correlation_matrix(self.coefficients, self.axes, self.groups)
        return matrix.T.tocsr() if self.transposed else matrix

    def to_dense(self) -> NDArray[np.float64]:
        """The matrix as a numpy array of float64."""
        if not self.axes:
            return self.coefficients.copy()
        dense: NDArray[np.float64] = self.to_sparse().toarray()
        return dense

    def linear_operator(self) -> LinearOperator:
        """A ``scipy.sparse.linalg.LinearOperator`` that never makes the matrix.

        ``A @ x``, ``A.rmatvec(y)`` (Aᵀy), ``A @ X`` and ``A.rmatmat(Y)`` run on torch's own
        convolution, in float64 on the CPU; those of a dense layer are numpy's.

        Raises:
            MissingDependencyError: torch is not installed (convolutions only).
        """
        if not self.axes:
            from scipy.sparse.linalg import aslinearoperator

            return aslinearoperator(self.coefficients)
        from infoflow.operators.products import ConvolutionProducts

        return ConvolutionProducts(self)

    @cached_property
    def kernel(self) -> PolyphaseKernel:
        """The layer as coarse taps, whose transform is its symbol."""
        if self.geometry is None:
            return dense_kernel(self.weight)
        return convolution_kernel(
            self.weight,
            stride=self.geometry.stride,
            dilation=self.geometry.dilation,
            groups=self.groups,
            transposed=self.transposed,
        )

    @cached_property
    def coefficients(self) -> NDArray[np.float64]:
        """The weight in float64, as numpy."""
        return as_numpy(as_float64(self.weight))


def layer_operator(
    weight: Array, geometry: Geometry | None = None, input_size: tuple[int, ...] | None = None
) -> LayerOperator:
    """The operator of a layer.

    Args:
        weight: (out, in) of a dense layer; (C_out, C_in/groups, *kernel) of a convolution, or
            (C_in, C_out/groups, *kernel) of a transposed one.
        geometry: Of a convolution, None for a dense layer.
        input_size: Positions of its input along each dimension; the geometry's where None.

    Raises:
        OperatorError: Shapes and geometry do not fit together, the size is not known, or the
            layer has no output at that size.

    >>> import numpy as np
    >>> A = layer_operator(np.ones((1, 1, 2)), Geometry((1,), (0,), (1,)), (3,))
    >>> A.to_dense()
    array([[1., 1., 0.],
           [0., 1., 1.]])
    """
    if geometry is None:
        return _dense(weight)
    size = geometry.input_size if input_size is None else input_size
    _refuse_misfits(weight, geometry, size)
    assert size is not None
    axes = _transposed_axes if geometry.transposed else _correlation_axes
    return LayerOperator(weight, geometry, axes(geometry, size, weight.shape[2:]))


def _transposed_axes(
    geometry: Geometry, size: tuple[int, ...], kernel: tuple[int, ...]
) -> tuple[Axis, ...]:
    more = geometry.output_padding or (0,) * len(size)
    axes = zip(
        size, kernel, geometry.stride, geometry.dilation, geometry.padding, more, strict=True
    )
    return tuple(
        transposed_axis(n, k, stride=s, dilation=r, padding=p, output_padding=extra)
        for n, k, s, r, p, extra in axes
    )


def _correlation_axes(
    geometry: Geometry, size: tuple[int, ...], kernel: tuple[int, ...]
) -> tuple[Axis, ...]:
    ends = geometry.end_padding or geometry.padding
    axes = zip(
        size, kernel, geometry.stride, geometry.dilation, geometry.padding, ends, strict=True
    )
    return tuple(
        correlation_axis(
            n, k, stride=s, dilation=r, padding=p, end_padding=end, mode=geometry.padding_mode
        )
        for n, k, s, r, p, end in axes
    )


def circular_operator(
    weight: Array, geometry: Geometry, input_size: tuple[int, ...] | None = None
) -> LayerOperator:
    """The operator on a circle (a torus), whose singular values the symbol has exactly.

    y[n] = Σ_k w[k] · x[(s·n + r·k) mod N] with N/s positions of the output. The layer's own
    padding does not matter. For a transposed convolution: its adjoint, N = s·(input size).

    Raises:
        OperatorError: As ``layer_operator``; or the size is no multiple of the stride.
    """
    size = geometry.input_size if input_size is None else input_size
    _refuse_misfits(weight, geometry, size)
    assert size is not None
    factors = geometry.stride if geometry.transposed else (1,) * len(size)
    axes = tuple(
        circular_axis(n * factor, k, stride=s, dilation=r)
        for n, factor, k, s, r in zip(
            size, factors, weight.shape[2:], geometry.stride, geometry.dilation, strict=True
        )
    )
    return LayerOperator(weight, geometry, axes)


def _dense(weight: Array) -> LayerOperator:
    if len(weight.shape) != 2:
        raise OperatorError(
            f"a weight of shape {tuple(weight.shape)} is no dense layer's (out, in); a "
            "convolution needs its geometry."
        )
    return LayerOperator(weight, None, ())


def _refuse_misfits(weight: Array, geometry: Geometry, size: tuple[int, ...] | None) -> None:
    shape = tuple(weight.shape)
    if size is None:
        raise OperatorError("a convolution's matrix needs the size of its input (input_size).")
    dimensions = len(shape) - 2
    given = (geometry.stride, geometry.padding, geometry.dilation, size)
    optional = [given for given in (geometry.output_padding, geometry.end_padding) if given]
    if dimensions < 1 or any(len(numbers) != dimensions for numbers in (*given, *optional)):
        raise OperatorError(
            f"a weight of shape {shape} has {max(dimensions, 0)} spatial dimensions; stride "
            f"{geometry.stride}, padding {geometry.padding}, dilation {geometry.dilation} and "
            f"input size {size} need as many numbers each."
        )
    if 0 in shape or min(size) < 1:
        raise OperatorError(f"a weight of shape {shape} on an input of size {size} is empty.")
    if geometry.groups < 1 or shape[0] % geometry.groups:
        raise OperatorError(f"{shape[0]} channels do not divide into {geometry.groups} groups.")
    if min((*geometry.stride, *geometry.dilation)) < 1 or min(geometry.padding) < 0:
        raise OperatorError(
            f"stride {geometry.stride} and dilation {geometry.dilation} must be positive, and "
            f"padding {geometry.padding} not negative."
        )
    if geometry.transposed and (geometry.padding_mode != "zeros" or geometry.end_padding):
        raise OperatorError("a transposed convolution pads with zeros, at both ends alike.")
