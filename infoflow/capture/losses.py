"""The summed loss whose gradients are the error signals, for each kind of answer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from infoflow.capture.batches import IGNORED
from infoflow.errors import CaptureError

Form = Literal["logits", "probabilities", "one logit", "one probability", "numbers"]
"""What a network's outputs are.

``logits`` and ``probabilities`` are of the classes, along the second dimension; ``one logit`` and
``one probability`` of the second of two classes, a number a position; ``numbers`` are the answer
themselves.
"""


def summed_loss(values: Tensor, targets: Tensor | None, form: Form = "logits") -> Tensor:
    """The loss of each sample, summed over the batch, in single precision at least.

    Of classes the cross-entropy in nats, where targets of −100 do not count; of numbers half the
    squared error. Without targets the cross-entropy against the likeliest class.

    Args:
        values: (n, classes, …); of one logit or probability (n, …); of numbers any (n, …).
        targets: Labels (n, …) at the positions of the values; numbers, as many as the values.
        form: What the values are.

    Raises:
        CaptureError: Values and targets do not fit each other.
    """
    values = values if values.dtype.itemsize >= 4 else values.float()
    if form == "numbers":
        return _squared(values, targets)
    if form in ("one logit", "one probability"):
        return _of_one(values, targets, form)
    if targets is None:
        targets = values.detach().argmax(1)
    if values.shape[2:] != targets.shape[1:] or len(values) != len(targets):
        raise misfit(values, targets)
    if form == "probabilities":
        values = values.clamp_min(torch.finfo(values.dtype).tiny).log()
    return functional.cross_entropy(values, targets, ignore_index=IGNORED, reduction="sum")


def _squared(values: Tensor, targets: Tensor | None) -> Tensor:
    if targets is None:
        raise CaptureError("The network's answers are numbers: without targets, no loss.")
    if values.numel() != targets.numel():
        raise misfit(values, targets)
    return 0.5 * (values.reshape(len(values), -1) - targets.reshape(len(values), -1)).square().sum()


def _of_one(values: Tensor, targets: Tensor | None, form: Form) -> Tensor:
    if targets is None:
        targets = (values.detach() > (0.0 if form == "one logit" else 0.5)).to(torch.int64)
    if values.shape != targets.shape:
        raise misfit(values, targets)
    counts = targets != IGNORED
    kept, wanted = values[counts], targets[counts].to(values.dtype)
    if form == "one logit":
        return functional.binary_cross_entropy_with_logits(kept, wanted, reduction="sum")
    return functional.binary_cross_entropy(kept.clamp(0, 1), wanted, reduction="sum")


def misfit(values: Tensor, targets: Tensor) -> CaptureError:
    """The failure of an output and targets whose shapes do not belong together."""
    return CaptureError(
        f"An output of shape {tuple(values.shape)} and targets of shape {tuple(targets.shape)} "
        "do not fit each other."
    )
