"""The experts of a mixture, stacked in one tensor of three dimensions: one map each."""

from __future__ import annotations

import re
from collections.abc import Callable

from infoflow.maps.part import Array, Part, stem
from infoflow.maps.weight import Tensors, Weight

_STACK = re.compile(
    r"(^|\.)experts\.(?P<leaf>gate_up_proj|gate_proj|up_proj|down_proj|w[123]|w13)(\.weight|_weight)?$"
)


def experts(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | str | None:
    """``experts.down_proj`` (experts, …, …) as ``experts.down_proj.0`` and so on.

    Stored (in, out) where the sibling says so: gate_up_proj has twice as many columns as
    down_proj has rows. Of gate_up_proj each half of the outputs is a map, ``….0.gate`` and
    ``….0.up``: the first half and the second, but every other one in gpt-oss, which alone has a
    bias there. Where nothing says which axis is the outputs', both stay together.
    """
    tensor = weight.tensor
    found = _STACK.search(tensor.name)
    if found is None or len(tensor.shape) != 3:
        return None
    turned = _is_turned(tensor.name, found["leaf"], tensors)
    if turned is None:
        note = "whether stored (out, in) or (in, out) is not known: read as (out, in)"
    else:
        note = "stored (in, out), read as its transpose" if turned else ""
    count, rows, columns = tensor.shape
    outputs, inputs = (columns, rows) if turned else (rows, columns)
    blocks = {"": slice(None)}
    if found["leaf"] == "gate_up_proj" and turned is not None:
        blocks, said = _gate_and_up(outputs, f"{stem(tensor.name)}_bias" in tensors)
        note = "; ".join(filter(None, (said, note)))
    return tuple(
        Part(
            f"{stem(tensor.name)}.{index}{word}",
            "dense",
            (len(range(outputs)[block]), inputs),
            _expert(index, bool(turned), block),
            note,
        )
        for index in range(count)
        for word, block in blocks.items()
    )


def _gate_and_up(outputs: int, has_bias: bool) -> tuple[dict[str, slice], str]:
    """The outputs of each, and how they lie."""
    if has_bias:
        return {".gate": slice(0, None, 2), ".up": slice(1, None, 2)}, (
            "gate and up alternate, as in gpt-oss, which has a bias here"
        )
    half = outputs // 2
    return {".gate": slice(half), ".up": slice(half, None)}, "gate above up"


def _is_turned(name: str, leaf: str, tensors: Tensors) -> bool | None:
    """Whether stored (in, out), by the pair gate_up_proj and down_proj; None where nothing says."""
    up, down = (
        tensors.get(name.replace(f"experts.{leaf}", f"experts.{other}"))
        for other in ("gate_up_proj", "down_proj")
    )
    if leaf not in {"gate_up_proj", "down_proj"} or up is None or down is None:
        return None
    if len(up.shape) != 3 or len(down.shape) != 3:
        return None
    if up.shape[1] == down.shape[2] and up.shape[2] == 2 * down.shape[1]:
        return True
    if up.shape[2] == down.shape[1] and up.shape[1] == 2 * down.shape[2]:
        return False
    return None


def _expert(index: int, turned: bool, block: slice) -> Callable[[Array], Array]:
    return lambda array: (array[index].T if turned else array[index])[block]
