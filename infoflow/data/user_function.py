"""``path/file.py:function``: any iterable of batches that a file of the user's makes."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from infoflow.architectures.factories import load_file
from infoflow.capture.batches import named
from infoflow.data.arrays import enough
from infoflow.data.batch import Batch
from infoflow.data.collating import as_batch, together
from infoflow.data.data import Data
from infoflow.data.labels import (
    as_targets,
    largest_whole,
    one_class,
    one_hot_note,
    task_of,
)
from infoflow.errors import ArchitectureError, DataError, UserCodeError, first_line
from infoflow.memory import available_memory, bytes_text
from infoflow.nearest import nearest
from infoflow.words import counted, shape_text


def is_function(spec: str) -> bool:
    """Whether a specification names something in a Python file."""
    path, _, function = spec.rpartition(":")
    return spec.endswith(".py") or (path.endswith(".py") and bool(function))


def open_function(spec: str, *, samples: int | None = None) -> Data:
    """The first samples of what the user's function returns, kept in memory.

    The file is run, because they named it, alone: without its folder on the import path. What it
    prints goes to standard error. The samples stay as the function gives them: in its order, not
    resized, not normalised.

    Args:
        spec: The file and the name of a function without arguments, or of the iterable itself.
        samples: How many to take from its beginning, None for all there are.

    Raises:
        UserCodeError: The user's code fails; its exception is the cause.
        DataError: It gives no batches, or batches of no known form.
    """
    path, _, function = spec.rpartition(":")
    if not path.endswith(".py"):
        raise DataError(
            f"{spec!r} does not say what to call: write {spec}:FUNCTION, which returns batches."
        )
    batches = list(_first(spec, _batches(spec, Path(path), function), samples))
    whole = together(batches, spec) if batches else None
    enough(spec, whole.size if whole is not None else 0)
    assert whole is not None
    return data_of(spec, whole, f"{spec}: {_how_many(whole.size, samples)}")


def data_of(name: str, whole: Batch, description: str) -> Data:
    """All samples of one batch as data, taken as they are."""
    given = None if whole.targets is None else whole.targets.numpy()
    targets = None if given is None else as_targets(given)
    if targets is not None and targets is not given:
        whole = replace(whole, targets=torch.from_numpy(targets))
    integers = whole.x.ndim == 2 and not whole.x.is_floating_point()
    task, classes = task_of(name, targets, None, whole.x.numpy() if integers else None)
    kind = str(whole.x.dtype).removeprefix("torch.")
    return Data(
        name=name,
        description=f"{description}.",
        samples=whole.size,
        classes=classes,
        task=task,
        x_name=f"{_x_name(whole)}, {kind} {shape_text(tuple(whole.x.shape[1:]))} a sample",
        read=whole.part,
        preprocessing="Inputs: taken as they are.",
        notes=(*one_hot_note(given), *one_class(targets, task, classes)),
        largest=largest_whole(targets),
    )


def _batches(spec: str, path: Path, function: str) -> Iterator[Batch]:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file to take data from.")
    try:
        module = load_file(path)
    except ArchitectureError as error:
        raise UserCodeError(str(error)) from error.__cause__
    if not hasattr(module, function):
        public = [name for name in vars(module) if not name.startswith("_")]
        raise DataError(f"{path} has no {function!r}; {nearest(function, public)}.")
    found = getattr(module, function)
    made: Any = found
    with _their_code(spec):
        made = found() if callable(found) else found
    if isinstance(made, torch.Tensor | dict | tuple):
        made = [made]  # one batch, not an iterable of them
    if isinstance(made, torch.utils.data.Dataset) and not isinstance(made, Iterable):
        raise DataError(
            f"{spec} is a data set of single samples: return a DataLoader of it, which makes "
            "batches."
        )
    if not isinstance(made, Iterable):
        raise DataError(f"{spec} gives a {type(made).__name__}, which is no iterable of batches.")
    with _their_code(spec):
        iterator = iter(made)
    for number in itertools.count():
        with _their_code(spec, f" in batch {number}"):
            item = next(iterator, _END)
        if item is _END:
            return
        yield as_batch(item, f"{spec}, batch {number}")


_END = object()


def _first(spec: str, batches: Iterator[Batch], samples: int | None) -> Iterator[Batch]:
    left, room, held = samples, available_memory(), 0
    for number, batch in enumerate(batches, start=1):
        if left is None:
            held += sum(tensor.nbytes for tensor in named(batch.inputs).values())
            if room is not None and held > room / 2:
                raise DataError(
                    f"{spec} gave {bytes_text(held)} in {number:,} batches and has not ended; say "
                    "how many samples to take, such as --samples 1000."
                )
            yield batch
            continue
        yield batch.part(0, left)
        left -= min(batch.size, left)
        if left == 0:
            return


@contextlib.contextmanager
def _their_code(spec: str, where: str = "") -> Iterator[None]:
    try:
        # What it prints must not break a report on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:  # whatever their code raises, and sys.exit
        kind = type(error).__name__
        said = first_line(error)
        what = kind if said == kind else f"{kind}: {said}"
        raise UserCodeError(f"{spec} failed{where}: {what}.") from error


def _how_many(size: int, samples: int | None) -> str:
    if samples is not None and size == samples:
        return f"the first {counted(size, 'sample')}"
    return f"all {counted(size, 'sample')} that it gives"


def _x_name(whole: Batch) -> str:
    if not isinstance(whole.inputs, dict):
        number = next(i for i, tensor in enumerate(whole.inputs) if tensor is whole.x)
        return "the input" if len(whole.inputs) == 1 else f"input {number + 1}"
    return next(name for name, tensor in whole.inputs.items() if tensor is whole.x)
