"""Between numpy and torch: the few conversions that the array API leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.factors import factorise
from infoflow.threads import LAPACK_SIDE

if TYPE_CHECKING:
    from jaxtyping import Float, Num


def is_torch(array: Array) -> bool:
    """Whether it is a torch tensor; asks without importing torch."""
    return type(array).__module__.partition(".")[0] == "torch"


def namespace(array: Array) -> Any:
    """The array API namespace of an array.

    numpy since 2.0 is one itself; array_api_compat's wrapper of it costs 0.1 s to import.
    """
    if isinstance(array, np.ndarray | np.generic):
        return np
    from array_api_compat import array_namespace

    return array_namespace(array)


def as_float64(array: Array) -> Array:
    """The same numbers in float64, contiguous and aligned; a torch tensor stays on its device.

    Float16, bfloat16 and float8 (ml_dtypes) and unaligned memory maps are converted; what is
    float64 already is not copied.
    """
    if is_torch(array):
        return array.detach().double().contiguous()
    return np.require(np.asarray(array), dtype=np.float64, requirements=["C", "A"])


def as_numpy(array: Array) -> NDArray[Any]:
    """As a numpy array, from whatever device it lies on."""
    if is_torch(array):
        converted: NDArray[Any] = array.detach().cpu().numpy()
        return converted
    return np.asarray(array)


def log_abs_det(matrices: Num[Array, "*batch n n"]) -> Float[Array, "*batch"]:
    """log|det| of each matrix of a batch (…, n, n), by LU; −∞ for an exactly singular one.

    Never torch's batched LU on CPU: with more than one thread it returns wrong numbers from
    n = 192 on (pytorch#141358, #142815). Torch tensors on the CPU therefore go through numpy.
    """
    if is_torch(matrices) and matrices.device.type != "cpu":
        return namespace(matrices).linalg.slogdet(matrices).logabsdet
    # LAPACK wants columns: of the transpose, whose determinant is the same, they lie in a row.
    columns = np.swapaxes(as_numpy(matrices), -1, -2)
    side = columns.shape[-1]
    if side < LAPACK_SIDE:
        return np.linalg.slogdet(columns)[1]
    values = np.empty(columns.shape[:-2])
    for place in np.ndindex(*values.shape):
        values[place] = factorise(columns[place]).log_abs_det
    return values
