"""Running data through a network, batch by batch, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from infoflow.capture.batches import Batch
from infoflow.capture.plan import Plan
from infoflow.capture.recorder import Recorder, capture
from infoflow.capture.site import Site
from infoflow.capture.survey import SiteSize
from infoflow.errors import CaptureError

Loss = Callable[[Any, Any], Tensor]
"""The summed loss of a batch from the network's output."""


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
        raise CaptureError("The memory does not suffice to run a single sample.")
    half = batch.size // 2
    for start, stop in ((0, half), (half, batch.size)):
        yield from _pieces(recorder, batch.part(start, stop), loss)


@dataclass
class Gathered:
    """All samples of the sites of one pass, on the CPU, in float32 (float64 where computed so).

    Args:
        activations: (n, …) for each site.
        errors: (n, …) for each site that the loss depends on.
        non_finite: For each site with a NaN or an infinity, the first row that has one.
    """

    activations: dict[Site, Tensor] = field(default_factory=dict)
    errors: dict[Site, Tensor] = field(default_factory=dict)
    non_finite: dict[Site, int] = field(default_factory=dict)


def gather(
    module: nn.Module,
    data: Data,
    plan: Plan,
    *,
    loss: Loss | None = None,
    prepare: Callable[[Any], Batch] = lambda batch: batch,
    done: Callable[[int], None] = lambda samples: None,
    spool: Path | None = None,
) -> Iterator[Gathered]:
    """Carry out a plan: yield what each pass gathered, whose memory is given back afterwards.

    Take what is wanted of a pass before asking for the next, and keep no reference to its tensors.

    Args:
        module: The network, which is left as it was.
        data: The samples, ``plan.samples`` of them.
        plan: Which sites in which pass.
        loss: Makes the summed loss; needed where the plan gathers error signals.
        prepare: Moves a batch to the network's device and precision.
        done: Is told how many samples of the pass have been run.
        spool: Folder for a spool, the system's for temporary files where not given.

    Raises:
        CaptureError: The network raises.
    """
    sizes = {size.site: size for size in plan.sizes}
    for sites in plan.passes:
        with TemporaryDirectory(prefix="infoflow-", dir=spool) as folder:
            room = _Room(plan.samples, {s: sizes[s] for s in sites}, Path(folder), plan.spooled)
            names = [site.name for site in sites]
            stream(
                module,
                data,
                room,
                names=names,
                batch_size=plan.batch_size,
                loss=loss if plan.errors else None,
                prepare=prepare,
                done=done,
            )
            yield room.gathered
            room.clear()


class _Room:
    """The consumer that keeps everything."""

    def __init__(
        self, samples: int, sizes: dict[Site, SiteSize], folder: Path, spooled: bool
    ) -> None:
        self.samples, self.sizes = samples, sizes
        self.folder, self.spooled = folder, spooled
        self.gathered = Gathered()

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the rows."""
        self._keep(self.gathered.activations, site, values, rows)
        finite = values.reshape(len(values), -1).isfinite().all(1)
        if site not in self.gathered.non_finite and not bool(finite.all()):
            self.gathered.non_finite[site] = rows.start + int((~finite).nonzero()[0])

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the rows."""
        self._keep(self.gathered.errors, site, values, rows)

    def clear(self) -> None:
        """Let go of everything."""
        self.gathered = Gathered()

    def _keep(self, kept: dict[Site, Tensor], site: Site, values: Tensor, rows: slice) -> None:
        if site not in kept:
            kept[site] = self._empty(
                self.sizes[site], f"{len(kept)}-{kept is self.gathered.errors}"
            )
        kept[site][rows] = values.to(kept[site].dtype).cpu()

    def _empty(self, size: SiteSize, name: str) -> Tensor:
        shape = (self.samples, *size.shape)
        dtype = np.float64 if size.element == 8 else np.float32
        if self.spooled:
            file = self.folder / f"{name}.raw"
            return torch.from_numpy(np.memmap(file, dtype=dtype, mode="w+", shape=shape))
        return torch.from_numpy(np.empty(shape, dtype))
