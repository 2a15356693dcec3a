"""How activations are gathered within a memory budget: in one pass, in several, on disk.

Gram matrices need all samples of a site at once; a network's sites together may be larger than the
memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infoflow.capture.site import Site
from infoflow.capture.survey import SiteSize
from infoflow.errors import CaptureError
from infoflow.memory import bytes_text

MAX_PASSES = 3
"""From here on a spool on disk is quicker than running the network again."""

FEWEST_AT_ONCE = 32
"""Samples of a batch below which a network runs slower for each of them."""

SCRATCH = 128 * 2**20
"""Bytes that libraries of convolutions and products take for themselves, and what the heap does not
give back, about."""

WITH_ERRORS = 2.2
"""Times a forward pass that one with error signals takes (VGG16 on one thread: 2.1)."""


@dataclass(frozen=True)
class Plan:
    """Which sites are gathered in which pass.

    Args:
        passes: Sites of each pass; every site is in exactly one.
        sizes: Of all sites.
        samples: How many are gathered.
        batch_size: How many run at once.
        errors: Whether error signals are gathered too.
        spooled: Whether what is gathered lies on disk.
        memory: Bytes at the peak, parameters not counted.
        disk: Bytes of the spool.
        seconds: Of running the network, estimated; 0 where nothing was measured.
    """

    passes: tuple[tuple[Site, ...], ...]
    sizes: tuple[SiteSize, ...]
    samples: int
    batch_size: int
    errors: bool
    spooled: bool
    memory: int
    disk: int
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Bytes of everything that is gathered."""
        return _gathered(self.sizes, self.samples, errors=self.errors)

    @property
    def sentence(self) -> str:
        """The plan in words, told before it is carried out."""
        what = "activations and error signals" if self.errors else "activations"
        one_pass = "in one pass"
        how = (
            one_pass
            if len(self.passes) == 1
            else f"in {len(self.passes)} passes by groups of layers"
        )
        if self.spooled:
            how = f"{one_pass} into a spool of {bytes_text(self.disk)} on disk"
        time = f" and {self.seconds:,.0f} s of running the network" if self.seconds >= 1 else ""
        return (
            f"The {what} of {len(self.sizes)} sites for {self.samples:,} samples are "
            f"{bytes_text(self.total)}; they are gathered {how}, with about "
            f"{bytes_text(self.memory)} of memory{time}."
        )


def plan(
    sizes: Sequence[SiteSize],
    samples: int,
    budget: int,
    *,
    errors: bool = False,
    batch_size: int = 64,
    reserved: int = 0,
    disk: int = 0,
    seconds: float = 0.0,
) -> Plan:
    """Choose between one pass, passes by groups of layers, and a spool on disk.

    One batch's working memory comes first: every site once, with error signals twice (what
    autograd keeps, and the gradients), and the input and output of the largest, in two layouts. The
    batch is halved until that takes at most half of the budget. What is left holds the gathered
    sites: all of them, or as many neighbours as fit into each pass. The batch is halved further,
    down to ``FEWEST_AT_ONCE``, where that saves passes. Where a single site does not fit, or more
    than ``MAX_PASSES`` passes would be needed, everything is spooled on disk if that has room.

    Args:
        sizes: The sites, in order.
        samples: How many will be gathered.
        budget: Bytes of memory, parameters not counted.
        errors: Whether error signals are gathered too.
        batch_size: How many samples run at once, at most.
        reserved: Bytes of the budget that the caller needs for itself, such as for Gram matrices.
        disk: Bytes free for a spool.
        seconds: Of running one sample forwards, as a survey measured it.

    Raises:
        CaptureError: It fits neither way.
    """
    reserved += SCRATCH
    left = budget - reserved
    batch = max(1, min(batch_size, samples))
    while batch > 1 and _working(sizes, batch, errors=errors) > left // 2:
        batch //= 2
    largest_batch = batch
    batch, groups = _fewest_passes(sizes, samples, left, batch, errors=errors)
    total = _gathered(sizes, samples, errors=errors)
    cost = seconds * (WITH_ERRORS if errors else 1)
    if groups is None or (len(groups) > MAX_PASSES and total <= disk):
        working = _working(sizes, largest_batch, errors=errors)
        if total > disk or working > left:
            base = reserved + 2 * _working(sizes, 1, errors=errors)
            raise CaptureError(_too_small(sizes, samples, budget, base, errors=errors, disk=disk))
        everything = tuple(size.site for size in sizes)
        peak, time = working + reserved, cost * samples
        return Plan(
            (everything,), tuple(sizes), samples, largest_batch, errors, True, peak, total, time
        )
    working = _working(sizes, batch, errors=errors)
    largest = max((_gathered(group, samples, errors=errors) for group in groups), default=0)
    passes = tuple(tuple(size.site for size in group) for group in groups)
    peak = working + reserved + largest
    time = cost * samples * len(passes)
    return Plan(passes, tuple(sizes), samples, batch, errors, False, peak, 0, time)


def _working(sizes: Sequence[SiteSize], batch: int, *, errors: bool) -> int:
    """Bytes that one batch needs while it runs."""
    everything = sum(size.bytes for size in sizes)
    largest = max((size.bytes for size in sizes), default=0)
    return batch * ((2 if errors else 1) * everything + 4 * largest)


def _gathered(sizes: Sequence[SiteSize], samples: int, *, errors: bool) -> int:
    return (2 if errors else 1) * samples * sum(size.bytes for size in sizes)


def _fewest_passes(
    sizes: Sequence[SiteSize], samples: int, left: int, batch: int, *, errors: bool
) -> tuple[int, list[list[SiteSize]] | None]:
    """The largest batch with which there are fewest passes, and these."""
    found = []
    while True:
        room = left - _working(sizes, batch, errors=errors)
        found.append((batch, _groups(sizes, samples, room, errors=errors)))
        if batch <= FEWEST_AT_ONCE:
            break
        batch = max(batch // 2, FEWEST_AT_ONCE)
    return min(found, key=lambda one: math.inf if one[1] is None else len(one[1]))


def _groups(
    sizes: Sequence[SiteSize], samples: int, room: int, *, errors: bool
) -> list[list[SiteSize]] | None:
    """Neighbouring sites that fit together, None where one alone does not fit."""
    groups: list[list[SiteSize]] = []
    taken = 0
    for size in sizes:
        needed = _gathered([size], samples, errors=errors)
        if needed > room:
            return None
        if not groups or taken + needed > room:
            groups.append([])
            taken = 0
        groups[-1].append(size)
        taken += needed
    return groups


def _too_small(
    sizes: Sequence[SiteSize], samples: int, budget: int, base: int, *, errors: bool, disk: int
) -> str:
    """With the smallest budget that works: a spool holds no site, where the disk has room."""
    largest = max(sizes, key=lambda size: size.bytes)
    spooled = _gathered(sizes, samples, errors=errors) <= disk
    site = 0 if spooled else _gathered([largest], samples, errors=errors)
    return (
        f"{bytes_text(max(budget, 0))} of memory are too few for {samples:,} samples, which need "
        f"{bytes_text(_rounded_up(base + site))}: give --mem-budget that much, or take fewer "
        "samples."
    )


def _rounded_up(size: int) -> int:
    """The next number of bytes of four digits as `bytes_text` writes them: it is never too few."""
    unit: int = 10 ** max(len(str(size)) - 3, 0)
    return -(-size // unit) * unit
