"""What a batch must offer to be run, and running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

Inputs = tuple[Tensor, ...] | dict[str, Tensor]


class Batch(Protocol):
    """Some samples: what the model is called with, and which of it is X."""

    @property
    def inputs(self) -> Inputs:
        """A tuple, passed by position, or a dictionary, passed by name."""

    @property
    def x(self) -> Tensor:
        """The input that is X."""

    @property
    def targets(self) -> Tensor | None:
        """Labels, masks or numbers."""

    @property
    def mask(self) -> Tensor | None:
        """True where a token counts."""

    @property
    def size(self) -> int:
        """Number of samples."""

    def part(self, start: int, stop: int, /) -> Batch:
        """Some of the samples."""


@dataclass(frozen=True)
class Samples:
    """Inputs alone, the first of which is X."""

    inputs: Inputs
    targets: Tensor | None = None
    mask: Tensor | None = None

    @property
    def x(self) -> Tensor:
        """The first input."""
        return next(iter(named(self.inputs).values()))

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.x)

    def part(self, start: int, stop: int) -> Samples:
        """Some of the samples."""

        def cut(tensor: Tensor) -> Tensor:
            return tensor[start:stop]

        targets, mask = (None if t is None else cut(t) for t in (self.targets, self.mask))
        return Samples(mapped(self.inputs, cut), targets, mask)


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
