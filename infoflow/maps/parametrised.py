"""Weights that torch computes anew before every pass: pruned, weight norm, spectral norm."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.maps.weight import PARAMETRISED, Role, Tensors, Weight, refused, wide

if TYPE_CHECKING:
    import numpy as np

Array = Any
_WEIGHT_NORM = {"original0", "original1"}
_SPECTRAL_NORM = {"original", "0._u", "0._v"}


def pruned(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """``NAME_orig`` times ``NAME_mask``, as torch.nn.utils.prune stores them."""
    stem = tensor.name.removesuffix("_orig")
    mask = tensors.get(f"{stem}_mask")
    if stem == tensor.name or mask is None or mask.shape != tensor.shape:
        return None

    def load() -> np.ndarray[Any, Any]:
        product: np.ndarray[Any, Any] = tensor.load() * mask.load().astype(bool)
        return product

    roles = (
        Role(tensor.name, "weight before pruning"),
        Role(mask.name, f"pruning mask, multiplied into {stem}", state=True),
    )
    return Weight(replace(tensor, name=stem, load=load, memory=""), roles, "pruned by its mask")


def weight_norm(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """G · v/‖v‖: magnitude and direction apart (Salimans and Kingma 2016), old and new names.

    The norm runs over every dimension in which g has length 1; over all where g is one number.
    """
    if tensor.name.endswith("_v"):
        stem = tensor.name.removesuffix("_v")
        magnitude = tensors.get(f"{stem}_g")
    elif tensor.name.endswith(".original1"):
        prefix = tensor.name.removesuffix(".original1")
        if set(tensors.parametrised.get(prefix, ())) != _WEIGHT_NORM:
            return None
        stem, magnitude = _plain(prefix), tensors.get(f"{prefix}.original0")
    else:
        return None
    if magnitude is None or len(tensor.shape) < 2:
        return None
    roles = (
        Role(tensor.name, f"direction of {stem} (weight norm)"),
        Role(magnitude.name, f"magnitude of {stem} (weight norm)"),
    )
    if not _broadcasts(magnitude.shape, tensor.shape):
        return refused(tensor, roles, "weight norm whose magnitude does not fit its direction")
    axes = tuple(
        axis
        for axis in range(len(tensor.shape))
        if not magnitude.shape or magnitude.shape[axis] == 1
    )

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        direction = wide(tensor)
        norm = np.sqrt(np.sum(direction * direction, axis=axes, keepdims=True, dtype=np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled: np.ndarray[Any, Any] = direction * (wide(magnitude) / norm).astype(
                direction.dtype
            )
        return scaled

    made = replace(tensor, name=stem, load=load, memory="")
    return Weight(made, roles, "magnitude times direction (weight norm)")


def spectral_norm(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """W/σ with σ = uᵀ W v of the stored singular vectors (Miyato et al. 2018), as in evaluation.

    The vectors of a transposed convolution are those of its second dimension; where the
    lengths do not tell, the larger σ does: only the right pair comes near the largest one.
    """
    if tensor.name.endswith("_orig"):
        stem = tensor.name.removesuffix("_orig")
        left, right = tensors.get(f"{stem}_u"), tensors.get(f"{stem}_v")
    elif tensor.name.endswith(".original"):
        prefix = tensor.name.removesuffix(".original")
        if set(tensors.parametrised.get(prefix, ())) != _SPECTRAL_NORM:
            return None
        stem = _plain(prefix)
        left, right = tensors.get(f"{prefix}.0._u"), tensors.get(f"{prefix}.0._v")
    else:
        return None
    if left is None or len(tensor.shape) < 2:
        return None
    vectors = [vector for vector in (left, right) if vector is not None]
    roles = (
        Role(tensor.name, f"{stem} before its spectral norm is divided out"),
        *(Role(v.name, f"singular vector of {stem} (spectral norm)", state=True) for v in vectors),
    )
    size = math.prod(tensor.shape)
    fitting = [
        axis
        for axis in ((0, 1) if len(tensor.shape) > 2 else (0,))
        if left.size == tensor.shape[axis]
        and (right is None or right.size == size // tensor.shape[axis])
    ]
    if not fitting:
        return refused(tensor, roles, "spectral norm whose singular vectors do not fit the weight")

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        weight = wide(tensor)
        u = left.load().astype(np.float64)
        v = None if right is None else right.load().astype(np.float64)
        sigma = max((_norm_along(weight, axis, u, v) for axis in fitting), key=abs)
        with np.errstate(divide="ignore", invalid="ignore"):
            divided: np.ndarray[Any, Any] = weight / weight.dtype.type(sigma)
        return divided

    made = replace(tensor, name=stem, load=load, memory="")
    return Weight(made, roles, "divided by its spectral norm, of the stored singular vectors")


def other_parametrisation(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """Any other torch.nn.utils.parametrizations: named, not computed."""
    before, middle, after = tensor.name.rpartition(PARAMETRISED)
    parameter, _, leaf = after.partition(".")
    prefix = f"{before}{middle}{parameter}"
    leaves = tensors.parametrised.get(prefix, ())
    if not middle or not leaf.startswith("original") or leaf != leaves[0]:
        return None
    if set(leaves) in (_WEIGHT_NORM, _SPECTRAL_NORM):
        return None
    roles = tuple(Role(f"{prefix}.{name}", "part of a parametrisation") for name in leaves)
    if "0.base" in leaves:
        what = "an orthogonal parametrisation, whose matrix exponential is not computed"
    elif any(name.startswith("1.") for name in leaves):
        what = "several parametrisations one upon another, which are not computed"
    else:
        what = "a parametrisation whose function the file does not hold"
    return refused(tensor, roles, what)


def _plain(prefix: str) -> str:
    """``conv.weight`` of ``conv.parametrizations.weight``."""
    before, _, parameter = prefix.rpartition(PARAMETRISED)
    return before + parameter


def _broadcasts(magnitude: tuple[int, ...], direction: tuple[int, ...]) -> bool:
    if not magnitude:
        return True
    return len(magnitude) == len(direction) and all(
        g in {1, v} for g, v in zip(magnitude, direction, strict=True)
    )


def _norm_along(weight: Array, axis: int, u: Array, v: Array | None) -> float:
    """UᵀWv, W with the given dimension first; ‖Wᵀu‖ where v is not stored."""
    import numpy as np

    matrix = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    projected = u @ matrix
    return float(projected @ v) if v is not None else float(np.linalg.norm(projected))
