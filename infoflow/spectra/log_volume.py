"""Σ log σᵢ of a batch of symbols, by the cheapest way that keeps its digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.arrays import as_numpy, is_torch, log_abs_det, namespace
from infoflow.operators.polyphase import PolyphaseKernel

if TYPE_CHECKING:
    from jaxtyping import Float, Num

GRAM_LIMIT = 1e6
"""Largest condition number for which the Gram matrix, which squares it, is used."""


def route(kernel: PolyphaseKernel, condition: float | None) -> str:
    """Name of the way to Σ log σᵢ: ``norm``, ``LU``, ``Gram`` or ``QR``.

    Args:
        kernel: Of full rank.
        condition: Its condition number as far as it is known.
    """
    if min(kernel.rows, kernel.cols) == 1:
        return "norm"
    if kernel.rows == kernel.cols:
        return "LU"
    return "Gram" if condition is not None and condition < GRAM_LIMIT else "QR"


def log_volumes(symbols: Num[Array, "*batch m n"], way: str) -> Float[Array, "*batch"]:
    """Σ log σᵢ over all min(m, n) singular values of each matrix of (…, m, n).

    ``norm``: a single row or column. ``LU``: log|det|. ``Gram``: ½ log det of the smaller
    Hermitian Gram matrix. ``QR``: Σ log|r_ii|. Rank loss gives −∞ or rounding noise: settle the
    rank first.
    """
    xp = namespace(symbols)
    if way == "norm":
        squares = (
            xp.real(symbols) ** 2 if symbols.dtype == xp.float64 else _squared_modulus(symbols)
        )
        with np.errstate(divide="ignore"):
            return 0.5 * xp.log(xp.sum(squares, axis=(-2, -1)))
    if way == "LU":
        return log_abs_det(symbols)
    if way == "QR":
        tall = symbols if symbols.shape[-2] >= symbols.shape[-1] else _adjoint(symbols)
        diagonal = xp.linalg.diagonal(_triangular(tall))
        with np.errstate(divide="ignore"):
            return xp.sum(xp.log(xp.abs(diagonal)), axis=-1)
    return 0.5 * log_abs_det(gram(symbols))


def gram(symbols: Num[Array, "*batch m n"]) -> Num[Array, "*batch k k"]:
    """The smaller of A Aᴴ and Aᴴ A of each matrix."""
    adjoint = _adjoint(symbols)
    if symbols.shape[-2] <= symbols.shape[-1]:
        return symbols @ adjoint
    return adjoint @ symbols


def singular_values(symbols: Num[Array, "*batch m n"]) -> NDArray[np.float64]:
    """Singular values of each matrix, descending, as numpy (…, min(m, n)).

    From SVDs (values only). torch's batched ``svdvals`` is right on the CPU too.
    """
    if is_torch(symbols):
        return as_numpy(namespace(symbols).linalg.svdvals(symbols))
    return np.asarray(np.linalg.svd(symbols, compute_uv=False))


def gram_singular_values(symbols: Num[Array, "*batch m n"]) -> NDArray[np.float64]:
    """Singular values as roots of the Gram matrix's eigenvalues, descending.

    Several times quicker than an SVD on large matrices; right to κ²·1e-16 in the smallest. Values
    that rounding made negative are returned as 0: the caller checks the condition number.
    """
    xp = namespace(symbols)
    values = as_numpy(xp.linalg.eigvalsh(gram(symbols)))[..., ::-1]
    return np.asarray(np.sqrt(np.maximum(values, 0.0)))


def _adjoint(matrices: Array) -> Array:
    xp = namespace(matrices)
    transposed = xp.matrix_transpose(matrices)
    return transposed if matrices.dtype == xp.float64 else xp.conj(transposed)


def _squared_modulus(values: Array) -> Array:
    xp = namespace(values)
    return xp.real(values) ** 2 + xp.imag(values) ** 2


def _triangular(tall: Array) -> Array:
    if is_torch(tall):
        return namespace(tall).linalg.qr(tall).R
    return np.linalg.qr(tall, mode="r")
