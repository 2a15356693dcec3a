"""Products with a layer's matrix without the matrix, on torch's own convolution.

The padding is applied and taken back here, so that the adjoint is exact in every mode: what stood
at a padded position is added to the input position that it was a copy of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from infoflow.errors import MissingDependencyError, OperatorError

if TYPE_CHECKING:
    from infoflow.operators.axis import Axis
    from infoflow.operators.layer import LayerOperator

Tensor = Any
MOST_DIMENSIONS = 3
"""Spatial dimensions of torch's convolutions."""


class ConvolutionProducts(LinearOperator):  # type: ignore[misc]  # scipy has no types
    """A @ x, Aᵀ @ y, and both for several columns at once; float64 on the CPU.

    Raises:
        MissingDependencyError: torch is not installed.
        OperatorError: The layer has more dimensions than torch has convolutions for.
    """

    def __init__(self, operator: LayerOperator) -> None:
        if not 1 <= len(operator.axes) <= MOST_DIMENSIONS:
            raise OperatorError(
                f"torch has no convolution of {len(operator.axes)} spatial dimensions; use "
                "to_sparse()."
            )
        self._torch = _torch()
        self._axes = operator.axes
        self._groups = operator.groups
        self._transposed = operator.transposed
        self._weight = self._torch.tensor(operator.coefficients)
        self._input, self._output = operator.input_shape, operator.output_shape
        super().__init__(np.float64, operator.shape)

    def _matmat(self, X: NDArray[Any]) -> NDArray[np.float64]:
        apply = self._spread if self._transposed else self._correlate
        return self._columns(apply(self._batch(X, self._input)))

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[np.float64]:
        apply = self._correlate if self._transposed else self._spread
        return self._columns(apply(self._batch(X, self._output)))

    def _matvec(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _rmatvec(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return self._rmatmat(x.reshape(-1, 1))[:, 0]

    def _batch(self, X: NDArray[Any], shape: Sequence[int]) -> Tensor:
        if np.iscomplexobj(X):
            raise OperatorError("products are of real vectors; multiply both parts by themselves.")
        columns = np.array(X.T, dtype=np.float64, order="C")
        return self._torch.from_numpy(columns).reshape(X.shape[1], *shape)

    def _columns(self, batch: Tensor) -> NDArray[np.float64]:
        return np.ascontiguousarray(batch.reshape(len(batch), -1).numpy().T)

    def _settings(self) -> dict[str, Any]:
        return {
            "stride": tuple(axis.stride for axis in self._axes),
            "dilation": tuple(axis.dilation for axis in self._axes),
            "groups": self._groups,
        }

    def _correlate(self, fine: Tensor) -> Tensor:
        """y[n] = Σ_k w[k] · x[s·n + r·k − padding]."""
        convolve = getattr(self._torch.nn.functional, f"conv{len(self._axes)}d")
        with self._torch.inference_mode():
            return convolve(self._pad(fine), self._weight, **self._settings())

    def _spread(self, coarse: Tensor) -> Tensor:
        """The adjoint of ``_correlate``."""
        convolve = getattr(self._torch.nn.functional, f"conv_transpose{len(self._axes)}d")
        with self._torch.inference_mode():
            return self._fold(convolve(coarse, self._weight, **self._settings()))

    def _pad(self, fine: Tensor) -> Tensor:
        for place, axis in enumerate(self._axes, start=2):
            if axis.mode != "zeros":
                fine = fine.index_select(place, self._torch.from_numpy(axis.padded))
        return self._torch.nn.functional.pad(fine, self._widths(1))

    def _fold(self, padded: Tensor) -> Tensor:
        """The adjoint of ``_pad``."""
        padded = self._torch.nn.functional.pad(padded, self._widths(-1))
        for place, axis in enumerate(self._axes, start=2):
            if axis.mode != "zeros":
                shape = list(padded.shape)
                shape[place] = axis.size
                folded = padded.new_zeros(shape)
                padded = folded.index_add_(place, self._torch.from_numpy(axis.padded), padded)
        return padded

    def _widths(self, sign: int) -> list[int]:
        """Zeros before and after each axis, last axis first; negative ones cut off."""
        return [sign * width for axis in reversed(self._axes) for width in _zeros(axis)]


def _zeros(axis: Axis) -> tuple[int, int]:
    if axis.mode != "zeros":
        return 0, 0
    return axis.padding, axis.span - axis.padding - axis.size


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "products without the matrix need torch, which is not installed: pip install torch "
            "(to_sparse() and to_dense() need none)."
        ) from error
    return torch
