"""What one forward pass on the meta device shows: input sizes, order, and who follows whom."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode

SMALL, SMALL_INPUT = 5_000_000, 1 << 22
"""Networks of fewer parameters are run with zeros, on inputs of fewer numbers, where the meta
device does not do."""

Input = tuple[torch.Tensor, ...]


@dataclass
class Passage:
    """What was seen of the modules (by name) during one pass.

    Args:
        order: Convolutions and linear layers, in the order of their first call.
        sizes: Spatial size of each convolution's input; None where calls differ.
        following: Normalisation module that alone uses the layer's output, in every call.
        whole: Whether the pass came to its end.
        reason: Why it did not.
    """

    order: list[str] = field(default_factory=list)
    sizes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    following: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    reason: str = ""

    def completed_by(self, other: Passage) -> Passage:
        """With what only the other pass reached (auxiliary heads run in training alone)."""
        return Passage(
            order=self.order + [name for name in other.order if name not in self.order],
            sizes={**other.sizes, **self.sizes},
            following={
                **{a: b for a, b in other.following.items() if a not in self.order},
                **self.following,
            },
            whole=self.whole,
            reason=self.reason,
        )


def meta_twin(module: nn.Module) -> nn.Module:
    """A copy of the module on the meta device, without copying a number and without its hooks."""
    memo: dict[int, Any] = {}
    for tensor in [*module.parameters(), *module.buffers()]:
        twin = torch.empty_like(tensor, device="meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(twin, tensor.requires_grad) if is_parameter else twin
    # deepcopy takes what stands in the memo, and keeps ties between tensors.
    twin_module = copy.deepcopy(module, memo)
    for part in twin_module.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    return twin_module.eval()


def run(module: nn.Module, inputs: Input, forward: Callable[..., Any] | None = None) -> Passage:
    """One pass of a meta module (and, for parts not reached, one in training mode).

    A network that needs real numbers in its forward pass is run with zeros on the CPU if it
    is small. A pass that fails keeps what it saw until then.
    """
    forward = forward or module
    passage = _watched(module, inputs, forward)
    small = _size(module) <= SMALL and sum(x.numel() for x in inputs) <= SMALL_INPUT
    if not passage.whole and small and forward is module:
        real = copy.deepcopy(module).to_empty(device="cpu").eval()
        for tensor in [*real.parameters(), *real.buffers()]:
            tensor.detach().zero_()
        again = _watched(real, tuple(_zeros(x) for x in inputs), real)
        passage = again if again.whole else passage
    layers = {name for name, part in module.named_modules() if _is_layer(part)}
    if passage.whole and layers - set(passage.order):
        pair = tuple(torch.cat([x, x]) for x in inputs)
        try:
            passage = passage.completed_by(_watched(module.train(), pair, forward))
        finally:
            module.eval()
    return passage


def _zeros(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(x.shape, dtype=x.dtype)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _is_layer(part: nn.Module) -> bool:
    return isinstance(part, _ConvNd | nn.Linear)


def is_foldable(part: nn.Module) -> bool:
    """Whether it is, in evaluation mode, a fixed scale and shift of each channel."""
    if isinstance(part, nn.modules.batchnorm._BatchNorm):
        return part.running_var is not None
    return type(part).__name__ == "FrozenBatchNorm2d"


class _Uses(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that take each of the watched tensors."""

    def __init__(self, watched: dict[int, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watched = watched
        self.count: defaultdict[int, int] = defaultdict(int)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for argument in [*args, *(kwargs or {}).values()]:
            for item in argument if isinstance(argument, list | tuple) else (argument,):
                if id(item) in self.watched:
                    self.count[id(item)] += 1
        return func(*args, **(kwargs or {}))


class _Watch:
    """The hooks of one pass."""

    def __init__(self) -> None:
        self.passage = Passage()
        # Outputs are kept alive, so that an id stands for one tensor during the pass.
        self.outputs: dict[int, tuple[str, torch.Tensor]] = {}
        self.taken: dict[int, str] = {}
        self.uses = _Uses(self.outputs)

    def before_layer(self, name: str, part: nn.Module, inputs: Sequence[Any]) -> None:
        passage = self.passage
        if name not in passage.order:
            passage.order.append(name)
        if isinstance(part, _ConvNd) and inputs and isinstance(inputs[0], torch.Tensor):
            size = tuple(inputs[0].shape[-len(part.kernel_size) :])
            known = passage.sizes.setdefault(name, size)
            passage.sizes[name] = size if known == size else None

    def after_layer(self, name: str, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            self.outputs[id(output)] = (name, output)

    def before_normalisation(self, name: str, inputs: Sequence[Any]) -> None:
        if inputs and id(inputs[0]) in self.outputs:
            self.taken[id(inputs[0])] = name

    def finish(self) -> Passage:
        followers: defaultdict[str, set[str]] = defaultdict(set)
        for key, (layer, _) in self.outputs.items():
            alone = self.uses.count[key] == 1
            followers[layer].add(self.taken.get(key, "") if alone else "")
        self.passage.following = {
            layer: next(iter(names))
            for layer, names in followers.items()
            if len(names) == 1 and "" not in names
        }
        return self.passage


@contextmanager
def _hooked(module: nn.Module, watch: _Watch) -> Iterator[None]:
    handles = []
    for name, part in module.named_modules():
        if _is_layer(part):
            handles += [
                part.register_forward_pre_hook(
                    lambda part, inputs, name=name: watch.before_layer(name, part, inputs)
                ),
                part.register_forward_hook(
                    lambda part, inputs, output, name=name: watch.after_layer(name, output)
                ),
            ]
        elif is_foldable(part):
            handles.append(
                part.register_forward_pre_hook(
                    lambda part, inputs, name=name: watch.before_normalisation(name, inputs)
                )
            )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _watched(module: nn.Module, inputs: Input, forward: Callable[..., Any]) -> Passage:
    watch = _Watch()
    try:
        with torch.no_grad(), warnings.catch_warnings(), _hooked(module, watch), watch.uses:
            warnings.simplefilter("ignore")
            forward(*inputs)
        watch.passage.whole = True
    except Exception as error:
        # Whatever the network's own code raises: its geometry is known all the same.
        lines = str(error).splitlines() or [""]
        watch.passage.reason = f"{type(error).__name__}: {lines[0]}"
    return watch.finish()
