"""Arrays in memory as data: pictures to be prepared, or numbers taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infoflow.data.batch import of_one_input
from infoflow.data.data import Data, Task, chosen, fewer
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError
from infoflow.words import counted, shape_text

Array = np.ndarray[Any, Any]

PICTURES = "pictures, as the network takes them"
"""What X is where samples are pictures."""

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
    available = len(inputs)
    if targets is not None and len(targets) != available:
        raise DataError(f"{name}: {available:,} inputs and {len(targets):,} labels.")
    enough(name, available if samples is None else min(available, samples))
    task, known = task_of(name, targets, classes)
    order = chosen(available, samples, seed)
    inputs = inputs[order]
    targets = None if targets is None else targets[order]
    pictures = inputs.dtype == np.uint8
    plan = preprocessing or Preprocessing()
    if pictures:
        prepare, sentence = (
            plan.prepared,
            plan.sentence(inputs.shape[1:3], *inputs.shape[3:] or (1,)),
        )
    else:
        prepare, sentence = _plain(name, inputs), "Inputs: numbers, taken as they are."

    def read(start: int, stop: int) -> Any:
        labels = None
        if targets is not None:
            labels = _targets(targets[start:stop], task, plan if pictures else Preprocessing())
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


def task_of(
    name: str, targets: Array | None, classes: Sequence[str] | None
) -> tuple[Task, tuple[str, ...] | None]:
    """What the targets are, and the names of their classes.

    Raises:
        DataError: They are negative, not finite, or beyond the classes.
    """
    if targets is None:
        return "none", None if classes is None else tuple(classes)
    if targets.dtype.kind == "f":
        if targets.ndim > 2 or not np.isfinite(targets).all():
            raise DataError(
                f"{name}: targets of the shape {shape_text(targets.shape)} are not finite numbers, "
                "one or some a sample."
            )
        return "regression", None
    if targets.dtype.kind not in "iu" or targets.ndim not in (1, 3):
        raise DataError(
            f"{name}: labels are one integer a sample, (n,), or a mask, (n, height, width); here "
            f"they are {targets.dtype} of the shape {shape_text(targets.shape)}."
        )
    least, most = (int(targets.min()), int(targets.max())) if targets.size else (0, 0)
    count = len(classes) if classes is not None else most + 1
    if least < 0 or most >= count:
        wrong = least if least < 0 else most
        raise DataError(
            f"{name}: the label {wrong} is outside its {counted(count, 'class', 'classes')}, "
            f"which are numbered from 0 to {count - 1}."
        )
    names = tuple(classes) if classes is not None else tuple(map(str, range(count)))
    return ("classification" if targets.ndim == 1 else "segmentation"), names


def one_class(
    targets: Array | None, task: Task, classes: tuple[str, ...] | None
) -> tuple[str, ...]:
    """A note where every sample has the same label."""
    if targets is None or task != "classification" or len(np.unique(targets)) > 1:
        return ()
    label = int(targets[0])
    return (
        f"All {len(targets):,} samples are of one class ({classes[label] if classes else label}): "
        "nothing can be said of information about the label.",
    )


def _targets(targets: Array, task: Task, preprocessing: Preprocessing) -> Tensor:
    if task == "segmentation":
        return preprocessing.masks(targets)
    kind = np.float32 if task == "regression" else np.int64
    return torch.from_numpy(targets.astype(kind))


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


def _plain(name: str, inputs: Array) -> Callable[[Array], Tensor]:
    if inputs.dtype.kind == "f" and inputs.ndim > 1:
        if not np.isfinite(inputs).all():
            first = int(np.argwhere(~np.isfinite(inputs.reshape(len(inputs), -1)))[0, 0])
            raise DataError(f"{name}: sample {first} holds NaN or an infinity.")
        return lambda part: torch.from_numpy(part.astype(np.float32))
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
