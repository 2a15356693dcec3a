"""One batch: what a network is called with, which tensor is X, what is known of each sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...] | dict[str, Tensor]

IGNORED = -100
"""The label of a position that does not count, as torch has it."""


@dataclass(frozen=True)
class Batch:
    """Some samples, on one device.

    Args:
        inputs: What the network is called with: a tuple by position, a dictionary by name. The
            first dimension of each tensor counts samples.
        targets: Labels (n,) or (n, …) as int64, ``IGNORED`` where one does not count; numbers (n,)
            or (n, k) as floats; None where there are none.
        mask: (n, length), True where a token counts; None where everything does.
        key: Name or place of the input that is X; None for the first.
        start: Number of its first sample in the data, from 0.
    """

    inputs: Inputs
    targets: Tensor | None = None
    mask: Tensor | None = None
    key: str | int | None = None
    start: int = 0

    @property
    def x(self) -> Tensor:
        """The tensor that is X, one of the inputs."""
        items: list[tuple[str | int, Tensor]] = (
            [*self.inputs.items()] if isinstance(self.inputs, dict) else [*enumerate(self.inputs)]
        )
        return next(tensor for key, tensor in items if self.key is None or key == self.key)

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.x)

    def call(self, module: nn.Module) -> Any:
        """What the network makes of the inputs."""
        return call(module, self.inputs)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Batch:
        """The same batch elsewhere.

        Args:
            device: Where to; None to stay.
            dtype: Of floating-point inputs. Targets are at least of single precision.
        """
        finer = None if dtype is None else torch.promote_types(dtype, torch.float32)

        def moved(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        return self._with(lambda one: moved(one, dtype), lambda one: moved(one, finer))

    def part(self, start: int, stop: int) -> Batch:
        """Some of its samples."""

        def cut(tensor: Tensor) -> Tensor:
            return tensor[start:stop]

        return replace(self._with(cut, cut), start=self.start + start)

    def repeated(self, times: int) -> Batch:
        """All samples several times over."""

        def tiled(tensor: Tensor) -> Tensor:
            return torch.cat([tensor] * times)

        return self if times == 1 else self._with(tiled, tiled)

    def _with(self, change: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor]) -> Batch:
        """Each input changed by one function, targets and mask by another."""
        targets, mask = (None if one is None else other(one) for one in (self.targets, self.mask))
        return replace(self, inputs=mapped(self.inputs, change), targets=targets, mask=mask)


def mapped(inputs: Inputs, change: Callable[[Tensor], Tensor]) -> Inputs:
    """The inputs with each tensor changed."""
    if isinstance(inputs, Mapping):
        return {name: change(tensor) for name, tensor in inputs.items()}
    return tuple(change(tensor) for tensor in inputs)


def call(module: nn.Module, inputs: Inputs) -> Any:
    """The module's output for these inputs."""
    return module(**inputs) if isinstance(inputs, Mapping) else module(*inputs)


def named(inputs: Inputs) -> dict[str, Tensor]:
    """The inputs under their names, or numbered."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    return {f"input {number}": tensor for number, tensor in enumerate(inputs, start=1)}
