"""Weights packed into 32-bit words: GPTQ, AWQ, and compressed-tensors' packs.

GPTQ (Frantar et al. 2022; layout of AutoGPTQ) packs along the inputs, AWQ (Lin et al. 2023; layout
of AutoAWQ) along the outputs, its eight numbers a word in the order 0 2 4 6 1 3 5 7. Both store
(in, out); W[o, i] = scale·(q − zero), scale and zero one a group of inputs and an output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.faults import ReadError, reading
from infoflow.maps.integers import unpacked
from infoflow.maps.weight import Role, Tensors, Weight, refused, wide

if TYPE_CHECKING:
    import numpy as np

WIDTHS = (2, 3, 4, 8)
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def gptq(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """``qweight`` with ``qzeros`` and ``scales``: GPTQ's or AWQ's, told apart by their shapes."""
    stem = tensor.name.removesuffix("qweight")
    if stem == tensor.name:
        return None
    zeros, scales = tensors.get(f"{stem}qzeros"), tensors.get(f"{stem}scales")
    groups = tensors.get(f"{stem}g_idx")
    made_of = [t for t in (zeros, scales, groups) if t is not None]
    words = {"qzeros": "zero points", "scales": "scales", "g_idx": "groups of inputs"}
    name = f"{stem}weight"
    others = tuple(
        Role(t.name, f"{words[t.name.removeprefix(stem)]} of {name}", state=True) for t in made_of
    )
    roles = (Role(tensor.name, f"packed numbers of {name}"), *others)
    if scales is None or zeros is None or tensor.dtype not in {"int32", "uint32"}:
        return refused(tensor, roles, "packed weight without its scales and zero points")
    if len(tensor.shape) != 2 or len(scales.shape) != 2 or len(zeros.shape) != 2:
        return refused(tensor, roles, "packed weight of other than two dimensions")
    outputs = scales.shape[1]
    if tensor.shape[1] == outputs:
        return _gptq(tensor, zeros, scales, groups, name, others, tensors)
    return _awq(tensor, zeros, scales, name, others)


def _gptq(
    tensor: StoredTensor,
    zeros: StoredTensor,
    scales: StoredTensor,
    index: StoredTensor | None,
    name: str,
    others: tuple[Role, ...],
    tensors: Tensors,
) -> Weight:
    count, outputs = scales.shape
    bits = tensors.number("quantisation.bits") or 32 * zeros.shape[1] // max(outputs, 1)
    inputs = 32 * tensor.shape[0] // bits if bits in WIDTHS else 0
    fits = (
        bits in WIDTHS
        and 32 * tensor.shape[0] == bits * inputs
        and 32 * zeros.shape[1] == bits * outputs
        and zeros.shape[0] == count
        and (index.shape == (inputs,) if index is not None else inputs % max(count, 1) == 0)
        and (count > 0 or not inputs)
    )
    roles = (Role(tensor.name, f"packed numbers of {name}", parameters=inputs * outputs), *others)
    if not fits:
        shapes = ", ".join("×".join(map(str, t.shape)) for t in (tensor, zeros, scales))
        return refused(tensor, roles, f"GPTQ weight, zeros and scales that do not fit ({shapes})")
    form = tensors.metadata.get("quantisation.checkpoint_format", "")
    offset = 0 if form == "gptq_v2" else 1

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        step = inputs // count if index is None else 1
        group = np.arange(inputs) // step if index is None else index.load().astype(np.int64)
        if group.size and not (group.min() >= 0 and group.max() < count):
            with reading(tensors.path):
                raise ReadError(f"damaged: {name} names a group of inputs that does not exist")
        zero = unpacked(zeros.load().T, bits).T.astype(np.float32) + offset
        weight = unpacked(tensor.load(), bits).astype(np.float32)
        factor = wide(scales).astype(np.float32)
        for row in range(inputs):
            weight[row] = (weight[row] - zero[group[row]]) * factor[group[row]]
        return weight.T

    made = StoredTensor(name, (outputs, inputs), f"int{bits} (GPTQ)", load)
    told = "" if form else "; zero points read as of the first format (stored less 1)"
    return Weight(made, roles, f"{bits} bits with scales and zero points (GPTQ){told}")


def _awq(
    tensor: StoredTensor,
    zeros: StoredTensor,
    scales: StoredTensor,
    name: str,
    others: tuple[Role, ...],
) -> Weight:
    inputs, words = tensor.shape
    count, outputs = scales.shape
    roles = (Role(tensor.name, f"packed numbers of {name}", parameters=inputs * outputs), *others)
    if 8 * words != outputs or zeros.shape != (count, words) or not count or inputs % count:
        shapes = ", ".join("×".join(map(str, t.shape)) for t in (tensor, zeros, scales))
        return refused(tensor, roles, f"packed weight, zeros and scales that do not fit ({shapes})")

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        # Place p of a word holds the output AWQ_ORDER[p].
        places = np.argsort(AWQ_ORDER)
        numbers, zero = (
            unpacked(t.load().T, 4).reshape(words, 8, -1)[:, places].reshape(outputs, -1)
            for t in (tensor, zeros)
        )
        weight: np.ndarray[Any, Any] = numbers.astype(np.float32).reshape(outputs, count, -1)
        weight -= zero.astype(np.float32)[:, :, None]
        weight *= wide(scales).astype(np.float32).T[:, :, None]
        return weight.reshape(outputs, inputs)

    made = StoredTensor(name, (outputs, inputs), "int4 (AWQ)", load)
    return Weight(made, roles, "4 bits with scales and zero points (AWQ)")


def compressed(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """compressed-tensors' ``weight_packed``: (out, in·bits/32), the numbers less 2^(bits−1)."""
    stem = tensor.name.removesuffix("weight_packed")
    if stem == tensor.name:
        return None
    name = f"{stem}weight"
    scale, size = tensors.get(f"{name}_scale"), tensors.get(f"{name}_shape")
    zero = tensors.get(f"{name}_zero_point")
    index = tensors.get(f"{name}_g_idx")
    parts = {"scale": scale, "shape": size, "zero point": zero, "groups": index}
    others = tuple(
        Role(t.name, f"{word} of {name}", state=True) for word, t in parts.items() if t is not None
    )
    bits = tensors.number("quantisation.bits") or 4
    roles = (Role(tensor.name, f"packed numbers of {name}"), *others)
    if scale is None or tensor.dtype not in {"int32", "uint32"} or len(tensor.shape) != 2:
        return refused(tensor, roles, "packed weight without its scale, or not of 32-bit words")
    if bits not in (4, 8) or zero is not None or index is not None:
        return refused(
            tensor, roles, "packed weight with zero points, reordered groups or odd widths"
        )
    rows, inputs = tensor.shape[0], tensor.shape[1] * 32 // bits
    groups = scale.shape[1] if len(scale.shape) == 2 else 1
    if scale.shape[:1] != (rows,) or len(scale.shape) > 2 or not groups or inputs % groups:
        return refused(tensor, roles, "packed weight whose scale does not fit")

    def load() -> np.ndarray[Any, Any]:
        import numpy as np

        if size is not None and tuple(int(n) for n in size.load()) != (rows, inputs):
            with reading(tensors.path):
                raise ReadError(f"{name} is packed with padding, which is not read")
        weight = unpacked(tensor.load().T, bits).T.astype(np.float32) - 2 ** (bits - 1)
        weight = weight.reshape(rows, groups, -1) * wide(scale).reshape(rows, groups, 1)
        dense: np.ndarray[Any, Any] = weight.reshape(rows, inputs)
        return dense

    made = StoredTensor(name, (rows, inputs), f"int{bits} (packed)", load)
    packed = Role(tensor.name, f"packed numbers of {name}", parameters=rows * inputs)
    return Weight(made, (packed, *others), f"{bits} bits times the scale of a group")
