"""A network tried on the first samples: as what it takes the data, and where the two do not fit."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from infoflow.capture import capture
from infoflow.capture.nesting import main_output
from infoflow.data import Batch, Data
from infoflow.errors import CaptureError, DataError, first_line
from infoflow.words import cut, joined, plural, shape_text

PROBED = 4
"""Samples of a trial."""

Prepare = Callable[[Batch], Batch]


@dataclass(frozen=True)
class Trial:
    """What the first samples showed.

    Args:
        data: As the network takes them.
        batch: The samples that ran, where the network is.
        output: What it made of them.
        last: Class of the module, or name of the function, that gave the output.
        notes: What else must be known of the network.
    """

    data: Data
    batch: Batch
    output: Any
    last: str = ""
    notes: tuple[str, ...] = ()


def trial(module: nn.Module, data: Data, prepare: Prepare = lambda batch: batch) -> Trial:
    """Run a network on the first samples, which is left as it was.

    Floats that it does not take as they are may be pictures without a dimension for their one
    channel, or with their channels last: they are tried as such.

    Raises:
        DataError: It does not take such inputs; says their shapes and what torch says.
        torch.OutOfMemoryError: As it is, for whoever can take smaller pieces.
    """
    try:
        return _run(module, data, prepare)
    except DataError:
        for other in _other_forms(data):
            try:
                return _run(module, other, prepare)
            except DataError:
                continue
        raise


def _run(module: nn.Module, data: Data, prepare: Prepare) -> Trial:
    batch = prepare(data.first(PROBED))
    with capture(module) as recorder:
        try:
            output = recorder.run(batch)
        except CaptureError as error:
            pictures = data.pictures is not None
            raise _refusal(data.name, batch, error, pictures=pictures) from error
        said = recorder.note
        sites = list(recorder.activations.items())
        answer = main_output(output)
        last = next((site for site, values in sites[::-1] if _same(values, answer)), None)
        changing = list(_changing(recorder.run, batch, answer))
    notes = [*_normalisations(module), *changing, *([f"{said}."] if said else [])]
    return Trial(data, batch, output, last.module_type.lower() if last else "", tuple(notes))


def first_output(module: nn.Module, batch: Batch, name: str) -> Any:
    """What a network makes of a batch, in evaluation mode; it is left as it was.

    Args:
        module: The network.
        batch: The samples, where the network is.
        name: Of the data, for the sentence.

    Raises:
        DataError: It does not take such inputs.
    """
    try:
        with capture(module) as recorder:
            return recorder.run(batch)
    except CaptureError as error:
        raise _refusal(name, batch, error, pictures=False) from error


def _same(values: Tensor, answer: Tensor | None) -> bool:
    return answer is not None and values.numel() == answer.numel() and values.dtype == (
        answer.dtype
    ) and torch.equal(values.reshape(answer.shape), answer.detach())  # fmt: skip


def _refusal(name: str, batch: Batch, error: CaptureError, *, pictures: bool) -> DataError:
    cause = error.__cause__
    if cause is None:  # a sentence of our own, such as that of an id outside an embedding
        return DataError(f"{name}: {error}")
    how = (
        "say its input size with --input-size, or give data of the shape that it was trained on"
        if pictures
        else "give data of the shape that it was trained on"
    )
    return DataError(
        f"the network fails on {_inputs(batch)} ({type(cause).__name__}: {first_line(cause)}"
        f"{_place(cause)}): unless its code is at fault, {how}."
    )


def _place(cause: BaseException) -> str:
    """File and line of the network's own code in which it failed, ``""`` where none is known."""
    frames = traceback.extract_tb(cause.__traceback__)
    own = [one for one in frames if not one.filename.startswith((*_LIBRARIES, "<"))]
    return f", {Path(own[-1].filename).name} line {own[-1].lineno}" if own else ""


_LIBRARIES = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))


def _other_forms(data: Data) -> Iterator[Data]:
    """Floats as grey pictures of one channel; as pictures whose channels are last."""
    few = data.first(1)
    if isinstance(few.inputs, dict) or len(few.inputs) > 1 or not few.x.is_floating_point():
        return
    if few.x.ndim == 3:
        yield _changed(
            data,
            lambda x: x[:, None],
            "The inputs (n, height, width) are given to the network as pictures of one channel.",
        )
    if few.x.ndim == 4 and few.x.shape[3] in (1, 3, 4):
        yield _changed(
            data,
            lambda x: x.movedim(3, 1).contiguous(),
            "The inputs (n, height, width, channels) are given to the network channels first.",
        )


def _changed(data: Data, change: Callable[[Tensor], Tensor], note: str) -> Data:
    def read(start: int, stop: int) -> Batch:
        batch = data.read(start, stop)
        return replace(batch, inputs=(change(batch.x),))

    return replace(data, read=read, notes=(*data.notes, note))


def _normalisations(module: nn.Module) -> Iterator[str]:
    """Normalisations that have no statistics of their own, so that they take the batch's."""
    names = [
        name or "the network itself"
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm) and part.running_mean is None
    ]
    if names:
        normalises = plural(len(names), "normalises", "normalise")
        yield (
            f"{cut(names, 3)} {normalises} by the batch in evaluation mode too "
            "(track_running_stats=False): every figure depends on the batch size."
        )


def _changing(run: Callable[[Batch], Any], batch: Batch, answer: Tensor | None) -> Iterator[str]:
    """Whether a sample's answer depends on the other samples, or on chance."""
    if answer is None or batch.size < PROBED or len(answer) != batch.size:
        return
    answer = answer.detach().clone()
    try:
        some = main_output(run(batch.part(0, 2)))
    except CaptureError:
        return
    if some is None or _alike(some, answer[:2]):
        return
    again = main_output(run(batch))
    if again is not None and not _alike(again, answer):
        yield (
            "The network draws at random in evaluation mode too: the same samples give other "
            "outputs each time."
        )
        return
    yield (
        "The network's output for a sample depends on the others in its batch: every figure "
        "depends on the batch size."
    )


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    near = 1e-3 if one.dtype.itemsize >= 4 else 5e-2
    scale = float(other.float().abs().nan_to_num(0, 0, 0).max()) if other.numel() else 0.0
    return torch.allclose(one.float(), other.float(), rtol=near, atol=near * scale, equal_nan=True)


def _inputs(batch: Batch) -> str:
    if isinstance(batch.inputs, dict):
        return joined([f"{name} of {_shape(one)}" for name, one in batch.inputs.items()])
    return "inputs of " + joined([_shape(one) for one in batch.inputs])


def _shape(tensor: Tensor) -> str:
    shape = shape_text(tuple(tensor.shape[1:])) if tensor.ndim > 1 else "one number"
    return f"{shape} ({str(tensor.dtype).removeprefix('torch.')})"
