"""A fresh module made to hold what a file holds: other heads, other channels, folded norms.

Only sizes are changed, layer by layer, as the file's tensors ask for; whether the network
then runs shows when it is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from infoflow.words import counted, cut, shape_text

State = Mapping[str, Tensor]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fit_sizes(module: nn.Module, state: State) -> list[str]:
    """Gives a module's layers the file's sizes; the notes that say so, empty where none changed.

    Args:
        module: Freshly built; it is changed.
        state: The file's tensors, under the module's names.
    """
    notes = [*_without_auxiliary(module, state), *_folded(module, state)]
    resized = list(_resized(module, state))
    if resized:
        notes.append(
            f"{counted(len(resized), 'layer')} in the file's size instead of the usual one: "
            f"{cut(resized, 3)}."
        )
    return notes


def _without_auxiliary(module: nn.Module, state: State) -> Iterator[str]:
    """Drops heads that only help training, where the file is without them."""
    for name, child in list(module.named_children()):
        tensors = [f"{name}.{key}" for key in child.state_dict()]
        if name.lower().startswith("aux") and tensors and not any(t in state for t in tensors):
            setattr(module, name, None)
            yield f"Without the auxiliary head {name}, which the file has not."


def _folded(module: nn.Module, state: State) -> Iterator[str]:
    """Norms whose tensors the file lacks, and whose convolution has a bias instead, do nothing."""
    folded: list[str] = []
    place, convolution = "", None
    for name, layer in dict(module.named_modules()).items():
        if isinstance(layer, _CONVOLUTIONS):
            place, convolution = name, layer
        elif isinstance(layer, _NORMS) and convolution is not None:
            gone = not any(f"{name}.{key}" in state for key in layer.state_dict())
            if gone and convolution.bias is None and f"{place}.bias" in state:
                convolution.bias = nn.Parameter(torch.empty(0))
                module.set_submodule(name, nn.Identity())
                folded.append(name)
    if folded:
        yield f"{counted(len(folded), 'norm')} folded into the layers before ({cut(folded, 3)})."


def _resized(module: nn.Module, state: State) -> Iterator[str]:
    """Gives dense layers, convolutions and norms the sizes of the file's tensors."""
    for name, layer in module.named_modules():
        weight = state.get(f"{name}.weight")
        own = getattr(layer, "weight", None)
        if weight is None or not isinstance(own, Tensor) or own.ndim != weight.ndim:
            continue
        before = tuple(own.shape)
        if _as_stored(layer, name, state) or not _take_size(layer, tuple(weight.shape)):
            continue
        for leaf in ("weight", "bias"):
            parameter, stored = getattr(layer, leaf, None), state.get(f"{name}.{leaf}")
            if parameter is not None and stored is not None:
                setattr(layer, leaf, nn.Parameter(torch.empty(stored.shape)))
        for leaf in ("running_mean", "running_var"):
            if getattr(layer, leaf, None) is not None:
                setattr(layer, leaf, torch.empty(weight.shape))
        if before != tuple(weight.shape):
            yield f"{name} ({shape_text(tuple(weight.shape))} for {shape_text(before)})"


def _as_stored(layer: nn.Module, name: str, state: State) -> bool:
    """Whether weight and bias have the file's shapes already; tied ones must stay tied."""
    pairs = (
        (getattr(layer, leaf, None), state.get(f"{name}.{leaf}")) for leaf in ("weight", "bias")
    )
    return all(own is None or one is None or own.shape == one.shape for own, one in pairs)


def _take_size(layer: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether the layer's sizes can become these, and now are."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = shape
    elif isinstance(layer, _CONVOLUTIONS):
        if shape[2:] != tuple(layer.kernel_size):
            return False
        if layer.groups == 1:
            layer.out_channels, layer.in_channels = shape[:2]
        elif layer.groups == layer.in_channels == layer.out_channels:  # a filter a channel
            layer.groups = layer.in_channels = layer.out_channels = shape[0]
        elif shape != tuple(layer.weight.shape):
            return False
    elif isinstance(layer, _NORMS):
        layer.num_features = shape[0]
    else:
        return False
    return True
