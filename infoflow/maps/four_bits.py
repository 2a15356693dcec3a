"""bitsandbytes' 4-bit weights (Dettmers et al. 2023, QLoRA): NF4 and FP4, two numbers a byte."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.json_objects import parse_json
from infoflow.errors import CheckpointError
from infoflow.maps.weight import Role, Tensors, Weight, refused

if TYPE_CHECKING:
    import numpy as np

KINDS = ("nf4", "fp4")
_LONGEST = 2**16
_LARGEST = 3.4e38  # of float32
_NESTED_BLOCK = 256
_NESTED_VALUES = 256  # of a byte


def four_bits(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """W = quant_map[q]·absmax a block; absmax itself may be quantised, with an offset.

    The shape is in the small JSON beside the weight, which is read for it.
    """
    name = tensor.name
    absmax = tensors.get(f"{name}.absmax")
    if tensor.dtype != "uint8" or absmax is None:
        return None
    values = tensors.get(f"{name}.quant_map")
    nested = [tensors.get(f"{name}.nested_{leaf}") for leaf in ("absmax", "quant_map")]
    states = [tensors.get(f"{name}.quant_state.bitsandbytes__{kind}") for kind in KINDS]
    state = next(filter(None, states), None)
    others = [t for t in (absmax, values, *nested, state) if t is not None]
    beside = tuple(
        Role(t.name, f"{t.name.removeprefix(name + '.')} of {name}", state=True) for t in others
    )
    roles = (Role(name, f"packed numbers of {name}"), *beside)
    if values is None or state is None:
        return refused(tensor, roles, "4-bit weight without its quant_map or quant_state")
    said = _said(state)
    shape, block = said.get("shape"), said.get("blocksize")
    if not _sizes(shape) or not _is_size(block):
        return refused(tensor, roles, "4-bit weight whose quant_state does not say its shape")
    assert isinstance(shape, list)
    size = math.prod(shape)
    if tensor.size != -(-size // 2) or values.size != 16 or absmax.size != -(-size // block):
        return refused(tensor, roles, "4-bit weight whose absmax or quant_map does not fit")
    is_nested = absmax.dtype == "uint8"
    outer, table = nested
    if is_nested and (outer is None or table is None):
        return refused(tensor, roles, "4-bit weight whose nested absmax is not in the file")
    width, offset = said.get("nested_blocksize", _NESTED_BLOCK), said.get("nested_offset")
    if is_nested and not (
        _is_size(width)
        and _is_number(offset)
        and (outer is not None and outer.size == -(-absmax.size // width))
        and (table is not None and table.size == _NESTED_VALUES)
    ):
        return refused(tensor, roles, "4-bit weight whose nested absmax does not fit")

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        scale = absmax.load().ravel()
        if is_nested:
            assert outer is not None
            assert table is not None
            factors = outer.load().ravel().astype(np.float32)
            scale = table.load().ravel().astype(np.float32)[scale]
            for start in range(0, scale.size, width):
                scale[start : start + width] *= factors[start // width]
            scale += np.float32(offset)
        packed = tensor.load().ravel()
        numbers = np.stack([packed >> 4, packed & 15], axis=1).ravel()[:size]
        dense = values.load().ravel().astype(np.float32)[numbers]
        for start in range(0, size, block):
            dense[start : start + block] *= scale[start // block]
        weight: np.ndarray[Any, Any] = dense.reshape(shape)
        return weight

    kind = KINDS[states.index(state)].upper()
    made = StoredTensor(name, tuple(shape), f"{kind} (bitsandbytes)", load)
    packed = Role(name, f"packed numbers of {name}", parameters=size)
    note = f"{kind}: blocks of {block}, {'nested ' if is_nested else ''}absmax (bitsandbytes)"
    return Weight(made, (packed, *beside), note)


def _said(state: StoredTensor) -> dict[str, Any]:
    if state.dtype != "uint8" or state.size > _LONGEST:
        return {}
    try:
        return parse_json(state.load().tobytes(), "its quant_state")
    except (ReadError, CheckpointError):
        return {}


def _sizes(shape: object) -> bool:
    return isinstance(shape, list) and len(shape) >= 2 and all(_is_size(length) for length in shape)


def _is_size(number: object) -> TypeGuard[int]:
    return type(number) is int and 0 < number < 2**63


def _is_number(number: object) -> TypeGuard[int | float]:
    """Whether it is a finite number of float32."""
    return isinstance(number, int | float) and abs(number) <= _LARGEST
