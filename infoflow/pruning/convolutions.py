"""The convolutions of a network whose filters can go, and making a filter dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.data.batch import Batch
from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.patterns import is_chosen, matches, words
from infoflow.report import LayerSummary

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)


@dataclass(frozen=True)
class Convolution:
    """A layer whose filters can be made dead.

    Args:
        name: Of the module.
        filters: Output channels.
        norms: Names of the normalisations that take its output as it is, a scale a channel.
    """

    name: str
    filters: int
    norms: tuple[str, ...] = ()


def convolutions(
    module: nn.Module, batch: Batch, patterns: Sequence[str]
) -> tuple[Convolution, ...]:
    """The chosen convolutions that the network runs, in its order.

    Args:
        module: The network.
        batch: A few samples: which normalisation follows which layer is seen in the run.
        patterns: As of ``--layers``; empty for all.

    Raises:
        SelectionError: There is none, or a pattern chooses none.
    """
    following = _following(module, batch)
    found = {
        name: _summary(name, module.get_submodule(name))
        for name in following
        if isinstance(module.get_submodule(name)._parameters.get("weight"), nn.Parameter)
    }
    if not found:
        raise SelectionError("The network has no convolution with a weight of its own to prune.")
    chosen = words(patterns)
    for word in chosen:
        if not any(matches(one, word.lstrip("!")) for one in found.values()):
            raise SelectionError(
                f"No convolution matches {word!r}; {nearest(word.lstrip('!'), list(found))}."
            )
    kept = [name for name, summary in found.items() if is_chosen(summary, chosen)]
    if not kept:
        raise SelectionError(f"The patterns {', '.join(chosen)} leave no convolution.")
    return tuple(Convolution(n, found[n].shape[0], tuple(following[n])) for n in kept)


def _summary(name: str, layer: nn.Module) -> LayerSummary:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    shape, dtype = tuple(weight.shape), str(weight.dtype).removeprefix("torch.")
    return LayerSummary(name, "convolution", shape, dtype, weight.numel())


def _following(module: nn.Module, batch: Batch) -> dict[str, list[str]]:
    """Names of the convolutions that run, each with the norms that are given its very output."""
    found: dict[str, list[str]] = {}
    outputs: list[tuple[str, Tensor]] = []
    handles = []

    def after(name: str, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        found.setdefault(name, [])
        outputs.append((name, output))

    def before(name: str, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        for source, output in outputs:
            if inputs and inputs[0] is output and name not in found[source]:
                found[source].append(name)

    for name, layer in module.named_modules():
        if isinstance(layer, CONVOLUTIONS):
            handles.append(layer.register_forward_hook(partial(after, name)))
        elif isinstance(layer, NORMS):
            handles.append(layer.register_forward_pre_hook(partial(before, name)))
    try:
        with torch.no_grad():
            batch.call(module)
    finally:
        for handle in handles:
            handle.remove()
    return found


def silence(
    module: nn.Module, layers: Sequence[Convolution], filters: Mapping[str, Sequence[int]]
) -> None:
    """Make filters dead, in place: what they give is 0 for every input, after the norm as well.

    Shapes stay as they are, so that any network can be served, whatever its shortcuts join. A group
    normalisation without a scale of its own still gives such a filter 0 less the group's mean.

    Args:
        module: The network.
        layers: Those that ``filters`` names, and perhaps others.
        filters: Numbers of filters by the name of their layer.
    """
    for layer in layers:
        chosen = list(filters.get(layer.name, ()))
        for name in (layer.name, *layer.norms):
            _zero(module.get_submodule(name), chosen)


@torch.no_grad()
def _zero(part: nn.Module, chosen: list[int]) -> None:
    bare = getattr(part, "weight", None) is None
    # Without a scale of its own, a norm gives (0 − mean)/deviation.
    for name in ("running_mean",) if bare else ("weight", "bias"):
        tensor = getattr(part, name, None)
        if isinstance(tensor, Tensor):
            tensor[chosen] = 0
