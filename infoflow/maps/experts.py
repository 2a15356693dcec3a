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
    """``experts.gate_up_proj`` (experts, …, …) as ``experts.gate_up_proj.0`` and so on.

    Stored (in, out) where the sibling says so: gate_up_proj has twice as many columns as
    down_proj has rows. Gate and up stay together: some networks interleave them.
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
    shape = (columns, rows) if turned else (rows, columns)
    name = stem(tensor.name)
    return tuple(
        Part(f"{name}.{index}", "dense", shape, _expert(index, bool(turned)), note)
        for index in range(count)
    )


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


def _expert(index: int, turned: bool) -> Callable[[Array], Array]:
    return lambda array: array[index].T if turned else array[index]
