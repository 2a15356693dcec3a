"""The summed loss whose gradients are the error signals."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from infoflow.capture.batches import Batch
from infoflow.capture.nesting import main_output
from infoflow.errors import CaptureError

IGNORED = -100
OWN_CLASSES = "without labels, the errors are those against the network's own most likely class"


def summed_loss(output: Any, batch: Batch) -> Tensor:
    """The loss of each sample, summed over the batch.

    Integer targets: cross-entropy in nats, with classes in dimension 1 (images, masks) or, for
    token sequences, in the last; positions that the mask excludes and targets of −100 do not count.
    Targets that are the tokens themselves are to be foretold from the position before. An output
    that is non-negative and sums to 1 over the classes is taken for probabilities. One logit for
    labels 0 and 1: the logistic loss. Floating-point targets: half the squared error. No targets:
    cross-entropy against the most likely class (see ``OWN_CLASSES``).

    Args:
        output: The network's output; its main tensor is read.
        batch: With the targets.

    Raises:
        CaptureError: Output and targets do not fit each other.
    """
    found = main_output(output)
    if found is None or not found.is_floating_point() or found.dim() == 0:
        raise CaptureError("The network gives no floating-point tensor, so that it has no loss.")
    logits = found if found.dtype.itemsize >= 4 else found.float()
    targets = batch.targets
    if targets is None:
        if logits.dim() < 2:
            raise CaptureError("The network gives one number a sample: without targets, no loss.")
        targets = logits.detach().argmax(1)
    if targets.is_floating_point():
        return _squared(logits, targets)
    if logits.shape in {targets.shape, (*targets.shape, 1)}:
        flat = logits.reshape(targets.shape)
        return functional.binary_cross_entropy_with_logits(
            flat, targets.to(flat.dtype), reduction="sum"
        )
    return _cross_entropy(logits, targets, batch)


def _squared(output: Tensor, targets: Tensor) -> Tensor:
    if output.numel() != targets.numel():
        raise _misfit(output, targets)
    return 0.5 * (output.reshape(len(output), -1) - targets.reshape(len(output), -1)).square().sum()


def _cross_entropy(logits: Tensor, targets: Tensor, batch: Batch) -> Tensor:
    mask, x = batch.mask, batch.x
    of_tokens = mask is not None and mask.shape == targets.shape
    own = not x.is_floating_point() and x.shape == targets.shape
    classes_last = logits.dim() > 2 and logits.shape[1:-1] == targets.shape[1:]
    if classes_last and (of_tokens or own or logits.shape[2:] != targets.shape[1:]):
        logits = logits.movedim(-1, 1)
    if logits.shape[2:] != targets.shape[1:] or len(logits) != len(targets):
        raise _misfit(logits, targets)
    if mask is not None and of_tokens:
        targets = targets.masked_fill(~mask.bool(), IGNORED)
    if own and torch.equal(x[targets != IGNORED], targets[targets != IGNORED]):
        # Position i foretells token i + 1; one that is padding foretells nothing.
        known = targets[:, :-1] != IGNORED
        logits, targets = logits[..., :-1], targets[:, 1:].masked_fill(~known, IGNORED)
    counted = targets[targets != IGNORED]
    classes = logits.shape[1]
    if len(counted) and (int(counted.min()) < 0 or int(counted.max()) >= classes):
        raise CaptureError(
            f"Labels go from {int(counted.min())} to {int(counted.max())}, but the network has "
            f"{classes} classes."
        )
    if _are_probabilities(logits):
        logits = logits.clamp_min(torch.finfo(logits.dtype).tiny).log()
    return functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")


def _are_probabilities(values: Tensor) -> bool:
    """Whether the network ends in a softmax of its own, to five digits."""
    with torch.no_grad():
        return bool((values >= 0).all() and ((values.sum(1) - 1).abs() < 1e-5).all())


def _misfit(output: Tensor, targets: Tensor) -> CaptureError:
    return CaptureError(
        f"An output of shape {tuple(output.shape)} and targets of shape {tuple(targets.shape)} "
        "do not fit each other."
    )
