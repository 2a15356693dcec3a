"""A data set as the commands see it: a fixed number of samples in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from infoflow.data.batch import Batch
from infoflow.errors import DataError

Task = Literal["classification", "segmentation", "regression", "next-token", "none"]
Pictures = Callable[[Sequence[int]], "list[np.ndarray[Any, Any]]"]


@dataclass(frozen=True)
class Data:
    """Samples in a fixed order, the same for every batch size and every pass.

    Args:
        name: As the user gave it.
        description: One sentence: which samples, how many, from where.
        samples: How many there are to be read.
        classes: Names of the classes, None where they have none.
        task: What the targets are: labels (``classification``), a label a position
            (``segmentation``), numbers (``regression``), the tokens themselves (``next-token``),
            or ``none``.
        x_name: Which tensor is X, in words.
        read: ``read(start, stop)`` gives these samples as one batch on the CPU.
        preprocessing: One sentence: what was done to the pictures, ``""`` where they came prepared.
        pictures: The samples of these numbers as uint8 arrays (height, width[, 3]), before any
            normalisation; None where samples are no pictures.
        notes: Sentences: what was skipped, renamed, or is less than what was asked for.
        largest: Of targets that are floats, but whole numbers from 0 on; they may be labels.
    """

    name: str
    description: str
    samples: int
    classes: tuple[str, ...] | None
    task: Task
    x_name: str
    read: Callable[[int, int], Batch]
    preprocessing: str = ""
    pictures: Pictures | None = None
    notes: tuple[str, ...] = ()
    largest: int | None = None

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All samples in order, ``batch_size`` at a time; the last batch may be smaller."""
        if batch_size < 1:
            raise DataError(f"a batch has at least one sample, not {batch_size}.")
        for start in range(0, self.samples, batch_size):
            yield replace(self.read(start, min(start + batch_size, self.samples)), start=start)

    def first(self, count: int) -> Batch:
        """The first samples, as many as there are up to ``count``, as one batch."""
        return self.read(0, min(count, self.samples))


def chosen(available: int, samples: int | None, seed: int) -> np.ndarray[Any, Any]:
    """Numbers of the samples to take, without replacement.

    The first k of one seeded order, so that a smaller choice is a part of a larger one. All samples
    are taken in their own order.

    >>> chosen(5, None, 0), len(set(chosen(1000, 10, 0)))
    (array([0, 1, 2, 3, 4]), 10)
    """
    if samples is None or samples >= available:
        return np.arange(available)
    return np.random.default_rng(seed).permutation(available)[:samples]


def fewer(available: int, samples: int | None) -> tuple[str, ...]:
    """A note where there are not as many samples as were asked for.

    >>> fewer(10, 20), fewer(10, 5)
    (('20 samples were asked for; there are 10, and all are used.',), ())
    """
    if samples is None or samples <= available:
        return ()
    return (f"{samples:,} samples were asked for; there are {available:,}, and all are used.",)
