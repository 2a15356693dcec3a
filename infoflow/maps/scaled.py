"""8-bit weights with their scale beside them: W = (q − zero)·scale, a tensor, row or block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.faults import ReadError, reading
from infoflow.maps.weight import Role, Tensors, Weight, refused, wide

if TYPE_CHECKING:
    import numpy as np

SCALES = ("weight_scale", "weight_scale_inv", "scale_weight", "weight_scales", "scales", "scale")
"""Names beside ``weight``. DeepSeek's ``weight_scale_inv`` is multiplied in all the same."""
ZEROS = ("weight_zero_point", "weight_zero_points", "zero_point", "zero_points", "zeros")
_NARROW = ("int8", "uint8", "float8_")
BLOCK = 128
"""Side of DeepSeek's blocks, for sizes that it does not divide."""


def scaled(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """An int8 or float8 ``weight`` with a scale tensor (compressed-tensors, DeepSeek, gpt-fast)."""
    stem = tensor.name.removesuffix("weight")
    if stem == tensor.name or len(tensor.shape) < 2 or not tensor.dtype.startswith(_NARROW):
        return None
    if tensor.dtype == "int8" and (scb := tensors.get(f"{stem}SCB")):
        return _bitsandbytes(tensor, scb, tensors)
    scale = next(filter(None, (tensors.get(stem + leaf) for leaf in SCALES)), None)
    if scale is None:
        return None
    zero = next(filter(None, (tensors.get(stem + leaf) for leaf in ZEROS)), None)
    others = [scale] + ([zero] if zero is not None else [])
    roles = (
        Role(tensor.name, "weight to be scaled"),
        Role(scale.name, f"scale of {tensor.name}", state=True),
        *([Role(zero.name, f"zero point of {tensor.name}", state=True)] if zero else []),
    )
    for other in others:
        if _blocks(other.shape, tensor.shape) is None:
            shapes = " and ".join("×".join(map(str, t.shape)) for t in (tensor, other))
            return refused(
                tensor, roles, f"scaled weight whose {_leaf(other)} does not fit ({shapes})"
            )

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        numbers = wide(tensor)
        if zero is not None:
            numbers -= spread(wide(zero), tensor.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            numbers *= spread(wide(scale), tensor.shape).astype(numbers.dtype)
        return numbers

    made = replace(tensor, dtype=f"{tensor.dtype}, scaled", load=load, memory="")
    return Weight(
        made, roles, f"{tensor.dtype} times its scale ({_words(scale.shape, tensor.shape)})"
    )


def _bitsandbytes(tensor: StoredTensor, scb: StoredTensor, tensors: Tensors) -> Weight:
    """Dettmers et al. 2022 (LLM.int8()): W = q·SCB/127, one number a row."""
    order = tensors.get(tensor.name + "_format")
    roles = (
        Role(tensor.name, "weight to be scaled"),
        Role(scb.name, f"scale of {tensor.name}", state=True),
        *([Role(order.name, f"memory layout of {tensor.name}", state=True)] if order else []),
    )
    if scb.size != tensor.shape[0]:
        return refused(tensor, roles, f"int8 weight of {tensor.shape[0]} rows, {scb.size} scales")

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        if order is not None and np.any(order.load() != 0):
            with reading(tensors.path):
                raise ReadError(
                    f"{tensor.name} is stored in the tiles of a graphics card (its weight_format "
                    "is not 0), which is not read; leave it out with --layers"
                )
        rows = wide(scb).reshape(-1, *((1,) * (len(tensor.shape) - 1)))
        dense: np.ndarray[Any, Any] = wide(tensor) * (rows / np.float32(127))
        return dense

    made = replace(tensor, dtype="int8 (bitsandbytes)", load=load, memory="")
    return Weight(made, roles, "int8 times SCB/127 a row (bitsandbytes)")


def spread(scale: Any, shape: tuple[int, ...]) -> Any:
    """The scale of every weight, as an array that broadcasts to the weight's shape."""
    import numpy as np

    blocks = _blocks(scale.shape, shape)
    if blocks is None:
        raise ValueError(f"a scale of shape {scale.shape} does not fit {shape}")
    if scale.size == 1:
        return scale.reshape(())
    scale = scale.reshape(*scale.shape, *((1,) * (len(shape) - scale.ndim)))
    for axis, block in enumerate(blocks):
        if 1 < scale.shape[axis] < shape[axis]:
            cut = (slice(None),) * axis + (slice(shape[axis]),)
            scale = np.repeat(scale, block, axis=axis)[cut]
    return scale


def _blocks(scale: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """How many neighbours share a number along each axis; None where the shapes do not fit.

    One number; one a row; or, axis by axis, one for equal blocks: of 128, the last one perhaps
    shorter, where that gives their number.
    """
    if all(length == 1 for length in scale):
        return shape
    scale = (*scale, *((1,) * (len(shape) - len(scale))))
    if len(scale) != len(shape):
        return None
    blocks = []
    for count, length in zip(scale, shape, strict=True):
        if count == 0 or count > length:
            return None
        if count > 1 and -(-length // BLOCK) == count:
            blocks.append(BLOCK)
        elif length % count == 0:
            blocks.append(length // count)
        else:
            return None
    return tuple(blocks)


def _words(scale: tuple[int, ...], shape: tuple[int, ...]) -> str:
    blocks = _blocks(scale, shape) or ()
    if all(length == 1 for length in scale):
        return "one number"
    if blocks[0] == 1 and blocks[1:] == shape[1:]:
        return "one a row"
    return f"one for {'×'.join(map(str, blocks))} weights"


def _leaf(tensor: StoredTensor) -> str:
    return tensor.name.rpartition(".")[2]
