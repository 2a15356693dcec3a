"""One batch: what the model is called with, which tensor is X, and what is known of each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        targets: Labels (n,) or (n, …) as int64, ``IGNORED`` where one does not count; numbers (n,)
            or (n, k) as floats; None where there are none.
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

        def moved(tensors: Sequence[Tensor], role: str) -> Tensor:
            (tensor,) = tensors
            kind = dtype if role == "input" and tensor.is_floating_point() else None
            return tensor.to(device=device, dtype=kind)

        return combined([self], moved)

    def part(self, start: int, stop: int) -> Batch:
        """Some of its samples."""
        return combined([self], lambda tensors, role: tensors[0][start:stop])


def of_one_input(x: Tensor, targets: Tensor | None = None) -> Batch:
    """A batch of a model with one input."""
    return Batch((x,), x, targets, None, len(x))


def combined(batches: Sequence[Batch], join: Callable[[Sequence[Tensor], str], Tensor]) -> Batch:
    """One batch of several of the same form.

    Args:
        batches: One at least.
        join: Makes one tensor of those that stand in one place; told ``input``, ``targets`` or
            ``mask``.
    """
    first = batches[0]
    named = [dict(_items(batch)) for batch in batches]
    joined = {key: join([each[key] for each in named], "input") for key in named[0]}
    x = joined[next(key for key, tensor in named[0].items() if tensor is first.x)]
    targets = [batch.targets for batch in batches if batch.targets is not None]
    masks = [batch.mask for batch in batches if batch.mask is not None]
    by_name = isinstance(first.inputs, dict)
    return Batch(
        {str(key): tensor for key, tensor in joined.items()} if by_name else tuple(joined.values()),
        x,
        join(targets, "targets") if targets else None,
        join(masks, "mask") if masks else None,
        len(x),
    )


def _items(batch: Batch) -> list[tuple[str | int, Tensor]]:
    if isinstance(batch.inputs, dict):
        return list(batch.inputs.items())
    return list(enumerate(batch.inputs))
