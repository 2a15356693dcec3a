"""What a network's sites are and how large, from one small batch, and how long it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import nn

from infoflow.capture.batches import Batch
from infoflow.capture.recorder import Recorder, capture
from infoflow.capture.site import Site

ENOUGH = 0.1
"""Seconds that tell how long a sample takes."""
TIMED = 64 * 2**20
"""Bytes of activations that are held for telling it, at most."""


@dataclass(frozen=True)
class SiteSize:
    """A site and the shape of its output for one sample.

    Args:
        site: The site.
        shape: Without the batch.
        element: Bytes of a number as it is gathered: 8 in double precision, else 4.
    """

    site: Site
    shape: tuple[int, ...]
    element: int = 4

    @property
    def bytes(self) -> int:
        """Bytes of one sample's values."""
        return math.prod(self.shape) * self.element


@dataclass(frozen=True)
class Survey:
    """What one small batch shows of a network.

    Args:
        sizes: The sites that have one row a sample, in order.
        left_out: The others, each with the reason.
        seconds: Of running one sample forwards, as measured.
    """

    sizes: tuple[SiteSize, ...]
    left_out: tuple[tuple[Site, str], ...] = ()
    seconds: float = 0.0

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites alone."""
        return tuple(size.site for size in self.sizes)


def survey(module: nn.Module, batch: Batch, batch_size: int = 64) -> Survey:
    """Run the network on a batch; measure its sites, and the time of a larger batch.

    Args:
        module: The network, which is left as it was.
        batch: A few samples, at least two: with one, any dimension of 1 looks like the batch.
        batch_size: Samples that will be run at once: no larger batch is timed.

    Raises:
        CaptureError: The network raises.
    """
    sizes: list[SiteSize] = []
    left_out: list[tuple[Site, str]] = []
    with capture(module) as recorder:
        recorder.run(batch)
        for site, tensor in recorder.activations.items():
            if tensor.dim() and len(tensor) == batch.size:
                element = max(tensor.element_size(), 4)
                sizes.append(SiteSize(site, tuple(tensor.shape[1:]), element))
            else:
                left_out.append((site, no_rows(tuple(tensor.shape), batch.size)))
        held = sum(size.bytes for size in sizes)
        largest = max(batch.size, min(batch_size, TIMED // max(held, 1)))
        seconds = _timed(recorder, batch, largest)
    return Survey(tuple(sizes), tuple(left_out), seconds)


def _timed(recorder: Recorder, batch: Batch, largest: int) -> float:
    """Seconds of a sample, of a batch that takes long enough for a clock, or is the largest.

    What a batch costs whatever its size is most of the time of a few samples of a small network.
    """
    size, seconds = batch.size, _seconds(recorder, batch)
    while seconds < ENOUGH and 2 * size <= largest:
        times = min(4 * size, largest) // batch.size
        try:
            seconds = _seconds(recorder, batch.repeated(times))
        except torch.OutOfMemoryError:  # the device is smaller than that
            break
        size = times * batch.size
    recorder.clear()
    return seconds / size


def _seconds(recorder: Recorder, batch: Batch) -> float:
    start = perf_counter()
    recorder.run(batch)
    return perf_counter() - start


def no_rows(shape: tuple[int, ...], size: int) -> str:
    """Why a tensor of this shape has not one row for each sample.

    >>> no_rows((49, 8), 2)
    'its shape is 49×8 for a batch of 2, not one row a sample'
    """
    told = "×".join(map(str, shape)) or "that of a single number"
    return f"its shape is {told} for a batch of {size}, not one row a sample"
