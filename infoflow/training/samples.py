"""Training and test data: opened as the network takes them, and read in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infoflow.data import Batch, Data, Preprocessing, open_data
from infoflow.data.batch import combined
from infoflow.data.normalisations import CIFAR10, FASHION_MNIST, MNIST
from infoflow.errors import DataError, SelectionError
from infoflow.memory import available_memory
from infoflow.training.settings import DataSettings

Array = np.ndarray[Any, Any]

NORMALISATIONS = {
    "mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "cifar10": CIFAR10,
    "cifar10-jpeg": CIFAR10,
}
"""Mean and standard deviation of named sets, for networks that have none of their own."""

WITHOUT_SPLITS = "npz:"
CHUNK = 1024
"""Samples read at a time into memory."""
SHARE = 0.4
"""Of the free memory that the training set may take; beyond, samples are read at each step."""


@dataclass(frozen=True)
class Sets:
    """What a network is trained and tested on.

    Args:
        training: Read in any order.
        validation: Read in its own.
        preprocessing: What was done to pictures.
        notes: Sentences for people.
    """

    training: Samples
    validation: Data
    preprocessing: Preprocessing
    notes: tuple[str, ...]


class Samples:
    """A training set, in memory where it fits."""

    def __init__(self, data: Data) -> None:
        self.data = data
        one = data.first(1)
        self.kept = _whole(data) if _fits(one, data.samples) else None

    def __len__(self) -> int:
        return self.data.samples

    def take(self, indices: Array) -> Batch:
        """The samples of these numbers, in this order."""
        if self.kept is not None:
            where = torch.from_numpy(indices)
            return combined([self.kept], lambda tensors, role: tensors[0][where])
        return combined([self.data.read(int(i), int(i) + 1) for i in indices], _joined)

    def digest(self) -> str:
        """SHA-256 of the samples as the network takes them; of the first ones beyond memory."""
        batch = self.kept if self.kept is not None else self.data.first(CHUNK)
        found = hashlib.sha256(str(len(self)).encode())
        for tensor in (*_inputs(batch), *filter(lambda one: one is not None, [batch.targets])):
            assert tensor is not None
            found.update(tensor.contiguous().numpy().tobytes())
        return found.hexdigest()


def open_sets(settings: DataSettings, seed: int, known: Preprocessing | None) -> Sets:
    """The data that the settings name.

    Args:
        settings: Which.
        seed: Of the choice of ``samples``.
        known: What the network itself takes, None for one without a history.

    Raises:
        DataError: They cannot be read, or too few are left.
        SelectionError: What is to be held out is not there.
    """
    preparation = _preparation(settings, known)
    whole = _opened(settings, settings.split, settings.samples, seed, preparation)
    held = _held_out(settings, whole)
    if isinstance(held, int):
        training, validation = _parted(whole, held)
    else:
        training = whole
        validation = _opened(settings, held, settings.validation_samples, seed, preparation)
    if training.samples < 2:
        raise DataError(f"{settings.name}: {training.samples} samples are too few to train on.")
    notes = tuple(dict.fromkeys((*training.notes, *validation.notes)))
    return Sets(Samples(training), validation, preparation, notes)


def _preparation(settings: DataSettings, known: Preprocessing | None) -> Preprocessing:
    mean, std = NORMALISATIONS.get(settings.name, ((0.0,), (1.0,)))
    usual = Preprocessing(mean=mean, std=std, source=f"as usual for {settings.name}")
    size = (settings.size[0], settings.size[1]) if settings.size else None
    return (known or usual).changed(
        size=size, mean=settings.mean or None, std=settings.std or None, said_by="as set"
    )


def _opened(
    settings: DataSettings, split: str, samples: int, seed: int, preparation: Preprocessing
) -> Data:
    return open_data(
        settings.name,
        split=split,
        samples=samples or None,
        seed=seed,
        root=settings.root or None,
        download=settings.download,
        preprocessing=preparation,
    )


def _held_out(settings: DataSettings, whole: Data) -> str | int:
    """A split's name, or how many of the last training samples are held out."""
    held = settings.validation
    if isinstance(held, int):
        if not 0 < held < whole.samples:
            raise SelectionError(
                f"data.validation holds out {held:,} of {whole.samples:,} samples; some must be "
                "left on both sides."
            )
        return held
    without = settings.name.startswith(WITHOUT_SPLITS) or ".py:" in settings.name
    if not without:
        return "test" if held == "auto" else held
    if held != "auto":
        raise SelectionError(
            f"{settings.name} has no split {held!r}: say how many of its last samples to hold out, "
            "such as data.validation=1000."
        )
    return max(1, whole.samples // 10)


def _parted(whole: Data, held: int) -> tuple[Data, Data]:
    first = whole.samples - held
    notes = (*whole.notes, f"The last {held:,} of {whole.samples:,} samples are held out as test.")
    return (
        replace(whole, samples=first, notes=notes, pictures=None),
        replace(
            whole,
            samples=held,
            read=lambda start, stop: whole.read(start + first, stop + first),
            notes=notes,
            pictures=None,
        ),
    )


def _whole(data: Data) -> Batch:
    return combined(list(data.batches(CHUNK)), _joined)


def _joined(tensors: Sequence[Tensor], role: str) -> Tensor:
    if len({tensor.shape[1:] for tensor in tensors}) > 1:
        raise DataError("The samples are of different sizes: say which size with data.size=[H, W].")
    return torch.cat(list(tensors))


def _fits(one: Batch, samples: int) -> bool:
    tensors = [*_inputs(one), *([] if one.targets is None else [one.targets])]
    needed = samples * sum(tensor.nbytes for tensor in tensors)
    room = available_memory()
    return needed < SHARE * (room if room is not None else 2**32)


def _inputs(batch: Batch) -> list[Tensor]:
    return list(batch.inputs.values() if isinstance(batch.inputs, dict) else batch.inputs)
