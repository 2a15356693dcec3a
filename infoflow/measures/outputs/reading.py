"""How a network's outputs are read against the data's targets: decided once, for the whole run.

Decided over the first samples, by these rules:

- Labels (n,) need an output (n, classes), or one number a sample where they are 0 and 1.
- Labels a position (n, …) need (n, classes, …), for tokens (n, length, classes), or one number a
  position where they are 0 and 1; several labels 0 and 1 a sample are such positions.
- Targets of the shape of the token ids are next tokens where they are those ids (the output at a
  position foretells the one after it) or those ids one further (it foretells the target there);
  else labels a position.
- Floats are numbers, except whole ones from 0 on that fit the outputs as labels.
- One number a position is a logit, unless a sigmoid gave it; several are logits, unless they are
  nowhere negative and sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infoflow.capture.batches import IGNORED, Batch
from infoflow.capture.losses import Form, summed_loss
from infoflow.data import Data, Task
from infoflow.errors import DataError
from infoflow.measures.outputs.logits import (
    are_probabilities,
    check_labels,
    log_probabilities,
    logits_of,
    next_token,
)
from infoflow.models import Trial
from infoflow.words import counted, shape_text

OWN_CLASSES = (
    "Without labels, the error signals are those against the network's own likeliest class; "
    "accuracy, likelihood, calibration and the information about the label need labels."
)
OWN_NUMBERS = (
    "Without targets, the error signals are the gradients of the sum of the outputs; an error and "
    "the information about the target need targets."
)


@dataclass(frozen=True)
class Reading:
    """What outputs and targets mean to each other.

    Args:
        form: What the outputs are.
        classes_last: Whether the classes lie along the last dimension, as of tokens.
        shifted: Whether the output at a position foretells the target of the next one.
        notes: What was assumed, in sentences.
    """

    form: Form = "logits"
    classes_last: bool = False
    shifted: bool = False
    notes: tuple[str, ...] = ()

    def answers(self, output: object, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Outputs (n, classes, …), or (n, …) of one number a position, and targets (n, …).

        Raises:
            DataError: There is no such output, or a label that is none of the classes.
        """
        values, targets = logits_of(output), batch.targets
        if self.form == "numbers":
            return values, targets
        if self.shifted and targets is not None:
            values, targets = next_token(values, targets, batch.mask)
        else:
            values = values.movedim(-1, 1) if self.classes_last else values
            targets = _masked(targets, batch.mask)
        if self.form in ("one logit", "one probability"):
            values = values.reshape(_squeezed(values) if targets is None else targets.shape)
            positions, classes = tuple(values.shape), 2
        else:
            if values.ndim > 2 and targets is not None and targets.ndim == 1:
                values = values.flatten(2).squeeze(2)  # a head of maps of 1×1
            positions, classes = (len(values), *values.shape[2:]), values.shape[1]
        if targets is not None:
            check_labels(targets, positions, classes, batch.start)
        return values, targets

    def loss(self, output: object, batch: Batch) -> Tensor:
        """The summed loss of a batch, see `infoflow.capture.losses.summed_loss`."""
        values, targets = self.answers(output, batch)
        if targets is None and self.form == "numbers":
            return values.float().sum() if values.dtype.itemsize < 4 else values.sum()
        if targets is None and batch.mask is not None and self.classes_last:
            targets = _masked(values.detach().argmax(1), batch.mask)
        return summed_loss(values, targets, self.form)

    def log_probabilities(self, output: object, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Ln q (n, classes, …) in double precision, and the targets (n, …) at its positions."""
        values, targets = self.answers(output, batch)
        return log_probabilities(values, self.form), targets

    def counts(self, log_q: Tensor, batch: Batch) -> Tensor | None:
        """Which positions count where there are no targets: those of the mask; None for all."""
        fits = batch.mask is not None and batch.mask.shape == log_q[:, 0].shape
        return batch.mask if fits else None


def reading_of(found: Trial) -> tuple[Data, Reading]:
    """The data with targets as the network's outputs ask for them, and how outputs are read.

    Args:
        found: What the first samples showed.

    Raises:
        DataError: Outputs and targets do not fit each other; one sentence says how.
    """
    data, values = found.data, logits_of(found.output)
    if values.ndim == 0 or len(values) != found.batch.size:
        raise DataError(
            f"the network's output of the shape {shape_text(tuple(values.shape))} for "
            f"{counted(found.batch.size, 'sample')} has no row for each sample: nothing can be "
            "said of it."
        )
    if data.task == "regression":
        data, notes = _of_floats(data, values, found.batch)
        if data.task == "regression":
            return data, Reading("numbers", notes=notes)
        found = replace(found, data=data, batch=_whole(found.batch))
        data, reading = reading_of(found)
        return data, replace(reading, notes=(*notes, *reading.notes))
    if data.task == "none":
        return data, _without(values, found)
    data, reading = _of_tokens(data, values, found.batch)
    if data.task != "next-token" and _one_a_position(values, found.batch):
        return _of_one(data, found, values)
    return data, _with_form(reading, values, found)


def _with_form(reading: Reading, values: Tensor, found: Trial) -> Reading:
    classes = values.shape[-1] if reading.classes_last else values.shape[min(1, values.ndim - 1)]
    held = values.movedim(-1, 1) if reading.classes_last else values
    if values.ndim > 1 and classes > 1 and are_probabilities(held, _precision(found)):
        note = "The network's outputs are probabilities already, and are read as such."
        return replace(reading, form="probabilities", notes=(*reading.notes, note))
    return reading


def _precision(found: Trial) -> torch.dtype:
    """The coarsest of the output's type and of the inputs'."""
    values, x = logits_of(found.output), found.batch.x
    return x.dtype if x.is_floating_point() and x.dtype.itemsize < values.dtype.itemsize else (
        values.dtype
    )  # fmt: skip


def _without(values: Tensor, found: Trial) -> Reading:
    """Outputs without targets: classes only where the shape says so."""
    x = found.batch.x
    tokens = _are_tokens(x) and values.ndim == 3 and values.shape[:2] == x.shape
    as_maps = values.ndim == 4 and values.shape != x.shape and values.shape[1] > 1
    if tokens or as_maps or (values.ndim == 2 and values.shape[1] > 1):
        return _with_form(Reading(classes_last=tokens, notes=(OWN_CLASSES,)), values, found)
    return Reading("numbers", notes=(OWN_NUMBERS,))


def _of_tokens(data: Data, values: Tensor, batch: Batch) -> tuple[Data, Reading]:
    """Whether targets a token are next tokens, or labels."""
    targets, x = batch.targets, batch.x
    assert targets is not None
    last = (
        values.ndim == 3
        and targets.ndim == 2
        and values.shape[:2] == targets.shape
        and (_are_tokens(x) or batch.mask is not None or values.shape[2] != targets.shape[1])
    )
    if data.task != "next-token":
        return data, Reading(classes_last=last)
    if not last:
        if values.shape == targets.shape or values.shape[2:] == targets.shape[1:]:
            return replace(data, task="segmentation"), Reading()
        raise DataError(
            f"{data.name} has a target for each of its tokens, and the network's output is "
            f"{shape_text(tuple(values.shape))}: (n, length, classes) is needed, or one label a "
            "sample."
        )
    if _agree(targets, x):
        note = "The targets are the token ids: each output is held against the token after it."
        return data, Reading(classes_last=True, shifted=True, notes=(note,))
    if _agree(targets[:, :-1], x[:, 1:]):
        note = "The targets are the token ids one further: each output is held against its target."
        return data, Reading(classes_last=True, notes=(note,))
    note = "The targets are other numbers than the token ids: read as a label for each token."
    return replace(data, task="segmentation"), Reading(classes_last=True, notes=(note,))


def _agree(targets: Tensor, tokens: Tensor) -> bool:
    counts = targets != IGNORED
    return bool(counts.any()) and torch.equal(targets[counts], tokens[counts].to(targets.dtype))


def _are_tokens(x: Tensor) -> bool:
    return x.ndim == 2 and not x.is_floating_point()


def _one_a_position(values: Tensor, batch: Batch) -> bool:
    assert batch.targets is not None
    shape = tuple(batch.targets.shape)
    return tuple(values.shape) in {shape, (shape[0], 1, *shape[1:]), (*shape, 1)}


def _of_one(data: Data, found: Trial, values: Tensor) -> tuple[Data, Reading]:
    """One number a position: the second of two classes."""
    classes = data.classes or ()
    if len(classes) > 2:
        raise DataError(
            f"the network gives one number where {data.name} has labels of "
            f"{len(classes)} classes (0 to {len(classes) - 1}): one number tells two classes, 0 "
            "and 1; for numbers to be foretold give the targets as floats."
        )
    squashed = "sigmoid" in found.last and _are_shares(values)
    form: Form = "one probability" if squashed else "one logit"
    what = "probability" if form == "one probability" else "logit"
    place = "sample" if values.numel() == len(values) else "position"
    note = f"The network gives one number a {place}: it is read as the {what} of class 1."
    known = classes if len(classes) == 2 else ("0", "1")
    return replace(data, classes=known), Reading(form, notes=(note,))


def _are_shares(values: Tensor) -> bool:
    """Whether all lie between 0 and 1: a log-sigmoid's do not."""
    return bool(((values >= 0) & (values <= 1)).all())


def _of_floats(data: Data, values: Tensor, batch: Batch) -> tuple[Data, tuple[str, ...]]:
    """Targets that are floats: labels where they are whole and the outputs ask for it."""
    targets, largest = batch.targets, data.largest
    assert targets is not None
    outputs = values.numel() // len(values)
    numbers = targets.numel() // len(targets)
    if outputs == numbers:
        if largest == 1:
            note = "The targets are floats, but 0 and 1 only: read as labels."
            return _labelled(data, 2, single=numbers == 1), (note,)
        note = "The targets are floats: read as numbers to be foretold (regression)."
        return data, (note,)
    if numbers == 1 and largest is not None and values.ndim == 2:
        if largest >= outputs:
            raise DataError(
                f"{data.name} has the label {largest}, and the network has "
                f"{counted(outputs, 'output')} (labels 0 to {outputs - 1})."
            )
        note = (
            f"The targets are floats, but whole numbers from 0 to {largest}, and the network has "
            f"{outputs} outputs: read as labels."
        )
        return _labelled(data, outputs, single=True), (note,)
    raise DataError(
        f"{data.name} has {counted(numbers, 'number')} for each sample as targets, and the network "
        f"gives {outputs:,}: for numbers to be foretold they must be as many; labels are given as "
        "one integer a sample."
    )


def _labelled(data: Data, classes: int, *, single: bool) -> Data:
    """The same data with their floats as labels."""
    task: Task = "classification" if single else "segmentation"

    def read(start: int, stop: int) -> Batch:
        return _whole(data.read(start, stop))

    return replace(data, read=read, task=task, classes=tuple(map(str, range(classes))))


def _whole(batch: Batch) -> Batch:
    assert batch.targets is not None
    labels = batch.targets.round().to(torch.int64)
    single = labels.numel() == len(labels)
    return replace(batch, targets=labels.flatten() if single else labels)


def _masked(targets: Tensor | None, mask: Tensor | None) -> Tensor | None:
    if targets is None or mask is None or mask.shape != targets.shape:
        return targets
    return targets.masked_fill(~mask.bool(), IGNORED)


def _squeezed(values: Tensor) -> tuple[int, ...]:
    """The shape without a second dimension of one class."""
    return (len(values), *values.shape[2:]) if values.ndim > 1 else tuple(values.shape)
