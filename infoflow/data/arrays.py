"""Arrays in memory as data: pictures to be prepared, or numbers taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from infoflow.data.batch import Batch, of_one_input
from infoflow.data.data import Data, chosen, fewer
from infoflow.data.labels import (
    Array,
    as_targets,
    largest_whole,
    one_class,
    one_hot_note,
    task_of,
)
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError
from infoflow.words import counted, shape_text

PICTURES = "pictures, as the network takes them"
"""What X is where samples are pictures."""

Prepare = Callable[[Array], Tensor]

LEAST = 2
"""Samples without which nothing can be said of a batch."""


def from_arrays(
    name: str,
    inputs: Array,
    targets: Array | None,
    *,
    title: str = "",
    classes: Sequence[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    notes: tuple[str, ...] = (),
) -> Data:
    """Arrays as data.

    Args:
        name: As the user gave it; failures name it.
        inputs: Pictures as uint8, (n, h, w), (n, h, w, 3) or (n, 3, h, w); floats (n, …), which are
            taken as they are; or token ids, integers (n, length).
        targets: Labels (n,), masks of labels (n, h, w), numbers as floats (n,) or (n, k), or None.
        title: Of the set, for its description.
        classes: Their names; numbers where it is None.
        samples: How many to take, None for all.
        seed: Of the choice.
        preprocessing: For pictures.
        notes: To be handed on.

    Raises:
        DataError: The arrays do not fit together, or are of no such kind.
    """
    inputs, further = _as_pictures(name, inputs)
    available = len(np.atleast_1d(inputs))
    if targets is not None and len(np.atleast_1d(targets)) != available:
        raise DataError(f"{name}: {available:,} inputs and {len(np.atleast_1d(targets)):,} labels.")
    enough(name, available if samples is None else min(available, samples))
    further = (*further, *one_hot_note(targets))
    targets = None if targets is None else as_targets(targets)
    tokens = inputs if inputs.dtype.kind in "iu" and inputs.ndim == 2 else None
    task, known = task_of(name, targets, classes, tokens)
    order = chosen(available, samples, seed)
    inputs = inputs[order]
    targets = None if targets is None else targets[order]
    pictures = inputs.dtype == np.uint8
    plan = preprocessing or Preprocessing()
    if pictures:
        prepare: Prepare = plan.prepared
        sentence = plan.sentence(inputs.shape[1:3], 1 if inputs.ndim == 3 else 3)
    else:
        prepare, sentence = _plain(name, inputs), "Inputs: numbers, taken as they are."

    def read(start: int, stop: int) -> Batch:
        labels = None
        if targets is not None and task == "segmentation" and pictures:
            labels = plan.masks(targets[start:stop])
        elif targets is not None:
            labels = torch.from_numpy(targets[start:stop])
        return of_one_input(prepare(inputs[start:stop]), labels)

    return Data(
        name=name,
        description=f"{title or name}: {of_all(len(order), available, seed)}.",
        samples=len(order),
        classes=known,
        task=task,
        x_name=_x_name(inputs),
        read=read,
        preprocessing=sentence,
        pictures=(lambda which: [inputs[i] for i in which]) if pictures else None,
        notes=(*notes, *further, *fewer(available, samples), *one_class(targets, task, known)),
        largest=largest_whole(targets),
    )


def of_all(taken: int, available: int, seed: int) -> str:
    """How many samples are used, in words.

    >>> of_all(5, 10, 0), of_all(10, 10, 0)
    ('5 of 10 samples, drawn with seed 0', 'all 10 samples')
    """
    if taken == available:
        return f"all {counted(taken, 'sample')}"
    return f"{taken:,} of {counted(available, 'sample')}, drawn with seed {seed}"


def enough(name: str, count: int) -> None:
    """Refuses data of no sample or of one."""
    if count < LEAST:
        raise DataError(
            f"{name}: {counted(count, 'sample')}; what a network does with information shows in "
            f"how its samples differ, so at least {LEAST} are needed."
        )


def refuse_constant(name: str, inputs: Tensor) -> None:
    """Refuses data of which every sample is the same.

    Raises:
        DataError: Says that it is the data, not the network.
    """
    if bool((inputs == inputs[:1]).all()):
        raise DataError(
            f"{name}: all {len(inputs):,} samples are the same, so that nothing in the network can "
            "differ between them either: what it does with information shows in how samples differ."
        )


def _as_pictures(name: str, inputs: Array) -> tuple[Array, tuple[str, ...]]:
    """Pictures with their channels last, a single channel dropped; anything else as it is."""
    if inputs.dtype != np.uint8:
        return inputs, ()
    notes: tuple[str, ...] = ()
    if inputs.ndim == 4 and inputs.shape[3] not in (1, 3) and inputs.shape[1] in (1, 3):
        inputs, notes = np.moveaxis(inputs, 1, 3), ("The pictures have their channels first.",)
    if inputs.ndim == 4 and inputs.shape[3] == 1:
        inputs = inputs[..., 0]
    if inputs.ndim not in (3, 4) or (inputs.ndim == 4 and inputs.shape[3] != 3):
        raise DataError(
            f"{name}: pictures in bytes are (n, height, width) or (n, height, width, 3), not "
            f"{shape_text(inputs.shape)}."
        )
    if 0 in inputs.shape[1:]:
        raise DataError(f"{name}: its pictures have no pixels ({shape_text(inputs.shape)}).")
    return inputs, notes


def _plain(name: str, inputs: Array) -> Prepare:
    if inputs.dtype.kind == "f" and inputs.ndim > 1:
        if not np.isfinite(inputs).all():
            first = int(np.argwhere(~np.isfinite(inputs.reshape(len(inputs), -1)))[0, 0])
            raise DataError(f"{name}: sample {first} of those drawn holds NaN or an infinity.")
        return lambda part: torch.from_numpy(part.astype(np.result_type(part.dtype, np.float32)))
    if inputs.dtype.kind in "iu" and inputs.ndim == 2:
        return lambda part: torch.from_numpy(part.astype(np.int64))
    raise DataError(
        f"{name}: inputs are pictures in bytes (uint8), floats (n, …) or token ids (n, length), "
        f"not {inputs.dtype} of the shape {shape_text(inputs.shape)}."
    )


def _x_name(inputs: Array) -> str:
    if inputs.dtype == np.uint8:
        return PICTURES
    return "inputs" if inputs.dtype.kind == "f" else "token ids"
