"""What is known of each sample: labels, masks of labels, numbers, or the tokens themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from infoflow.data.batch import IGNORED
from infoflow.data.data import Task
from infoflow.errors import DataError
from infoflow.words import counted, shape_text

Array = np.ndarray[Any, Any]
Classes = tuple[str, ...] | None

VOID = 255
"""The value of a mask's pixels that do not count, where masks are bytes."""


def as_targets(targets: Array) -> Array:
    """Labels as int64, a mask's ``VOID`` as ``IGNORED``; numbers as floats, single or double.

    One-hot labels (n, classes), of integers or floats, become the numbers of the classes (n,).
    """
    if targets.dtype.kind in "iubf" and is_one_hot(targets):
        return np.asarray(targets.argmax(axis=1), np.int64)
    if targets.dtype.kind == "f":
        return targets.astype(np.result_type(targets.dtype, np.float32))
    if targets.dtype.kind not in "iub":
        return targets  # task_of says that these are none
    labels = targets.astype(np.int64)
    if targets.dtype == np.uint8 and targets.ndim == 3:
        labels[labels == VOID] = IGNORED
    return labels


def is_one_hot(targets: Array) -> bool:
    """Whether they are (n, classes), two classes at least, a single 1 in each row, else 0.

    >>> is_one_hot(np.eye(3)), is_one_hot(np.ones((2, 2)))
    (True, False)
    """
    if targets.ndim != 2 or targets.shape[1] < 2 or not len(targets):
        return False
    return bool(((targets == 0) | (targets == 1)).all() and (targets.sum(axis=1) == 1).all())


def largest_whole(targets: Array | None) -> int | None:
    """The largest of floats that are whole numbers from 0 on; None where they are others."""
    if targets is None or targets.dtype.kind != "f" or not targets.size:
        return None
    whole = (targets == np.rint(targets)) & (targets >= 0)
    return int(targets.max()) if whole.all() and targets.max() < 2**31 else None


def one_hot_note(before: Array | None) -> tuple[str, ...]:
    """A note where the targets as given are one-hot."""
    if before is None or before.dtype.kind not in "iubf" or not is_one_hot(before):
        return ()
    return (f"The targets are one-hot: read as labels of {before.shape[1]} classes.",)


def task_of(
    name: str, targets: Array | None, classes: Sequence[str] | None, tokens: Array | None = None
) -> tuple[Task, Classes]:
    """What the targets are, and the names of their classes.

    Args:
        name: Of the data, for failures.
        targets: As `as_targets` gives them.
        classes: Their names; numbers where it is None.
        tokens: X where it holds token ids (n, length): targets of that shape are tokens to come.

    Raises:
        DataError: They are negative, not finite, beyond the classes, of another shape, or none of
            them counts.
    """
    given = None if classes is None else tuple(classes)
    if targets is None:
        return "none", given
    if targets.dtype.kind == "f":
        if not np.isfinite(targets).all():
            first = int(np.argwhere(~np.isfinite(targets.reshape(len(targets), -1)))[0, 0])
            raise DataError(
                f"{name}: targets of the shape {shape_text(targets.shape)} are not finite numbers "
                f"(the first NaN or infinity is of sample {first + 1})."
            )
        return "regression", None
    if tokens is not None and targets.shape == tokens.shape:
        return "next-token", None
    if targets.dtype.kind not in "iu" or targets.ndim not in (1, 2, 3):
        raise DataError(
            f"{name}: labels are one integer a sample, (n,), or one a position, (n, length) or "
            "(n, height, width); here "
            f"they are {targets.dtype} of the shape {shape_text(targets.shape)}."
        )
    return ("classification" if targets.ndim == 1 else "segmentation"), _named(name, targets, given)


def _named(name: str, targets: Array, classes: Classes) -> tuple[str, ...]:
    labels = targets[targets != IGNORED]
    if not labels.size:
        raise DataError(f"{name}: every label is {IGNORED}, which does not count; leave them out.")
    least, most = int(labels.min()), int(labels.max())
    count = len(classes) if classes is not None else most + 1
    if least < 0 or most >= count:
        raise DataError(
            f"{name}: the label {least if least < 0 else most} is outside its "
            f"{counted(count, 'class', 'classes')}, which are numbered from 0 to {count - 1}."
        )
    return classes if classes is not None else tuple(map(str, range(count)))


def one_class(targets: Array | None, task: Task, classes: Classes) -> tuple[str, ...]:
    """A note where every sample has the same label."""
    if targets is None or task != "classification" or len(np.unique(targets)) > 1:
        return ()
    label = int(targets[0])
    return (
        f"All {len(targets):,} samples are of one class ({classes[label] if classes else label}): "
        "nothing can be said of information about the label.",
    )
