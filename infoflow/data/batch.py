"""Batches of data: put together from others, or made of one tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from infoflow.capture.batches import IGNORED, Batch, named

__all__ = ["IGNORED", "Batch", "combined", "of_one_input"]


def of_one_input(x: Tensor, targets: Tensor | None = None) -> Batch:
    """A batch of a network with one input."""
    return Batch((x,), targets)


def combined(batches: Sequence[Batch], join: Callable[[Sequence[Tensor], str], Tensor]) -> Batch:
    """One batch of several of the same form.

    Args:
        batches: One at least.
        join: Makes one tensor of those that stand in one place; told ``input``, ``targets`` or
            ``mask``.
    """
    first = batches[0]
    inputs = [named(batch.inputs) for batch in batches]
    joined = {key: join([each[key] for each in inputs], "input") for key in inputs[0]}
    targets = [batch.targets for batch in batches if batch.targets is not None]
    masks = [batch.mask for batch in batches if batch.mask is not None]
    return replace(
        first,
        inputs=joined if isinstance(first.inputs, dict) else tuple(joined.values()),
        targets=join(targets, "targets") if targets else None,
        mask=join(masks, "mask") if masks else None,
    )
