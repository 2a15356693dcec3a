"""One batch: what the model is called with, which tensor is X, and what is known of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

IGNORED = -100
"""The label of a position that does not count, as torch has it."""


@dataclass(frozen=True)
class Batch:
    """Some samples, on one device.

    Args:
        inputs: What the model is called with: a tuple by position, a dictionary by name. The first
            dimension of each tensor counts samples.
        x: The tensor that is X, one of the inputs.
        targets: Labels (n,) or (n, …) as int64, numbers (n,) or (n, k) as floats, None where there
            are none.
        mask: (n, length), True where a token counts; None where everything does.
        size: n.
    """

    inputs: tuple[Tensor, ...] | dict[str, Tensor]
    x: Tensor
    targets: Tensor | None
    mask: Tensor | None
    size: int

    def call(self, model: nn.Module) -> Any:
        """What the model makes of the inputs."""
        if isinstance(self.inputs, dict):
            return model(**self.inputs)
        return model(*self.inputs)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Batch:
        """The same batch elsewhere; ``dtype`` is that of floating-point inputs (not targets)."""

        def moved(tensor: Tensor) -> Tensor:
            kind = dtype if tensor.is_floating_point() else None
            return tensor.to(device=device, dtype=kind)

        if isinstance(self.inputs, dict):
            named = {name: moved(tensor) for name, tensor in self.inputs.items()}
            pairs = zip(self.inputs.values(), named.values(), strict=True)
            inputs: tuple[Tensor, ...] | dict[str, Tensor] = named
        else:
            inputs = tuple(moved(tensor) for tensor in self.inputs)
            pairs = zip(self.inputs, inputs, strict=True)
        x = next((new for old, new in pairs if old is self.x), None)
        return Batch(
            inputs,
            moved(self.x) if x is None else x,
            None if self.targets is None else self.targets.to(device),
            None if self.mask is None else self.mask.to(device),
            self.size,
        )


def of_one_input(x: Tensor, targets: Tensor | None = None) -> Batch:
    """A batch of a model with one input."""
    return Batch((x,), x, targets, None, len(x))
