"""Where the first number that is none stands."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from infoflow.capture.nesting import tensors_of
from infoflow.data import Batch


def bad_parameter(module: nn.Module) -> str | None:
    """The first parameter or buffer with NaN or an infinity, None where all are finite."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return None


@torch.no_grad()
def bad_layer(module: nn.Module, batch: Batch) -> str | None:
    """The first layer to run whose output has NaN or an infinity, None where none has."""
    found: list[str] = []

    def look(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            for _, tensor in tensors_of(output):
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    found.append(name)

        return hook

    leaves = [(name, one) for name, one in module.named_modules() if not any(one.children())]
    handles = [one.register_forward_hook(look(name)) for name, one in leaves]
    try:
        batch.call(module)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def where(module: nn.Module, batch: Batch) -> str:
    """In words: the layer where numbers stop being finite."""
    parameter = bad_parameter(module)
    if parameter is not None:
        return f"the parameter {parameter} is not finite"
    layer = bad_layer(module, batch)
    if layer is not None:
        return f"the output of layer {layer or '(the network)'} is the first that is not finite"
    return "every layer's output is finite, the loss is not"
