"""Running data through a network, batch by batch, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from infoflow.capture.batches import Batch
from infoflow.capture.plan import Plan
from infoflow.capture.recorder import Recorder, capture
from infoflow.capture.rooms import Gathered, Room, Spool
from infoflow.capture.site import Site
from infoflow.errors import CaptureError

Loss = Callable[[Any, Any], Tensor]
"""The summed loss of a batch from the network's output."""


class DeviceFullError(CaptureError):
    """The device has too little memory for a single sample."""


class Data(Protocol):
    """Samples that can be gone through several times, in the same order for every batch size."""

    def batches(self, batch_size: int) -> Iterator[Any]:
        """All samples, in batches."""


class Consumer(Protocol):
    """Takes each site's values batch by batch; what it keeps of them it copies."""

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """The site's output for these rows of the data."""

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """The site's error signal for these rows of the data."""


def stream(
    module: nn.Module,
    data: Data,
    consumer: Consumer,
    *,
    names: Collection[str] | None = None,
    batch_size: int = 64,
    loss: Loss | None = None,
    prepare: Callable[[Any], Batch] = lambda batch: batch,
    done: Callable[[int], None] = lambda samples: None,
) -> int:
    """Give a consumer every batch of every site in one pass.

    A batch for which the device has too little memory is run again in halves.

    Args:
        module: The network, which is left as it was.
        data: The samples.
        consumer: Is given the values, each row exactly once.
        names: Sites wanted, None for all.
        batch_size: Samples at once.
        loss: Makes the summed loss; error signals are given where there is one.
        prepare: Moves a batch to the network's device and precision.
        done: Is told how many samples have been run, after each batch.

    Returns:
        How many samples there were.

    Raises:
        CaptureError: The network raises.
        DeviceFullError: There is too little memory for a single sample.
    """
    start = 0
    with capture(module, errors=loss is not None, names=names) as recorder:
        for whole in data.batches(batch_size):
            for batch, errors in _pieces(recorder, prepare(whole), loss):
                rows = slice(start, start + batch.size)
                for site, values in recorder.activations.items():
                    consumer.activation(site, values, rows, batch)
                for site, values in errors.items():
                    consumer.error(site, values, rows, batch)
                start += batch.size
            done(start)
    return start


def _pieces(
    recorder: Recorder, batch: Batch, loss: Loss | None
) -> Iterator[tuple[Batch, dict[Site, Tensor]]]:
    """Run the batch, or its halves where memory does not suffice; the errors of each piece."""
    try:
        output = recorder.run(batch)
        errors = {} if loss is None else recorder.errors(loss(output, batch))
    except torch.OutOfMemoryError:
        errors = None
    if errors is not None:
        yield batch, errors
        return
    recorder.clear()
    if batch.size == 1:
        raise DeviceFullError("The memory does not suffice to run a single sample.")
    half = batch.size // 2
    for start, stop in ((0, half), (half, batch.size)):
        yield from _pieces(recorder, batch.part(start, stop), loss)


def gather(
    module: nn.Module,
    data: Data,
    plan: Plan,
    *,
    loss: Loss | None = None,
    prepare: Callable[[Any], Batch] = lambda batch: batch,
    done: Callable[[int], None] = lambda samples: None,
    spool: Path | None = None,
    first: Consumer | None = None,
    also: Collection[str] = (),
) -> Iterator[Gathered]:
    """Carry out a plan: yield what each pass gathered, of a spool one site after the other.

    Take what is wanted before asking for the next, and keep no reference to the tensors: their
    memory is given back then.

    Args:
        module: The network, which is left as it was.
        data: The samples, ``plan.samples`` of them.
        plan: Which sites in which pass.
        loss: Makes the summed loss; needed where the plan gathers error signals.
        prepare: Moves a batch to the network's device and precision.
        done: Is told how many samples of the pass have been run.
        spool: Folder for a spool, the system's for temporary files where not given.
        first: Sees the first pass too, before what it gathered is given.
        also: Names of further sites for it.

    Raises:
        CaptureError: The network raises.
    """
    sizes = {size.site: size for size in plan.sizes}
    for number, sites in enumerate(plan.passes):
        with TemporaryDirectory(prefix="infoflow-", dir=spool) as folder:
            wanted = {site: sizes[site] for site in sites}
            room: Room | Spool = Room(plan.samples, wanted)
            if plan.spooled:
                room = Spool(plan.samples, wanted, Path(folder))
            watching = first if number == 0 else None
            names = {site.name for site in sites}
            stream(
                module,
                data,
                room if watching is None else _Both(room, watching, wanted),
                names=names if watching is None else names | set(also),
                batch_size=plan.batch_size,
                loss=loss if plan.errors else None,
                prepare=prepare,
                done=done,
            )
            yield from room.taken()


class _Both:
    """Gives everything to one consumer, and to a room what is to be kept."""

    def __init__(self, room: Consumer, other: Consumer, wanted: Collection[Site]) -> None:
        self.room, self.other, self.wanted = room, other, wanted

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Pass the rows on."""
        self.other.activation(site, values, rows, batch)
        if site in self.wanted:
            self.room.activation(site, values, rows, batch)

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Pass the rows on."""
        self.other.error(site, values, rows, batch)
        if site in self.wanted:
            self.room.error(site, values, rows, batch)
