"""How the units of a site vary over the samples: batch-entropy, dead and saturated units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from infoflow.activations.rows import number
from infoflow.measures.activations.batch_entropy import batch_entropy
from infoflow.measures.activations.collapse import collapse
from infoflow.measures.activations.neighbours import NEIGHBOURS, unit_entropies
from infoflow.measures.activations.neurons import NeuronCounts, share
from infoflow.report import Measurement, Series
from infoflow.statistics.moments import Moments

BOUNDS = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
}
"""Ranges of the nonlinearities that have one, by the lower-case name of module or function."""

BINS = 40
SERIES_UNITS = 4096
"""Units up to which a series has each one."""
NEIGHBOUR_UNITS = 256
"""Units whose nearest neighbours are looked at, at most."""
NUMBERS = 2**18
"""Of a site that are worked on together: 2 MiB of float64, which a cache holds."""
FEWEST_UNITS = 64
"""Units that are worked on together, at least."""


@dataclass
class Units:
    """What accumulates over the batches of a site.

    Args:
        nonlinearity: Its lower-case name, ``""`` where the site is none.
        moments: None before the first batch.
        counts: Of nonlinearities in `BOUNDS`, from the first batch on.
    """

    nonlinearity: str
    moments: Moments | None = None
    counts: NeuronCounts | None = None

    def add(self, batch: Tensor) -> None:
        """One batch (samples, …)."""
        found = Moments.of(batch)
        self.moments = found if self.moments is None else self.moments.merged(found)
        if self.nonlinearity in BOUNDS:
            counts = NeuronCounts.of(batch, BOUNDS[self.nonlinearity])
            self.counts = counts if self.counts is None else self.counts.merged(counts)


def whole(nonlinearity: str, values: Tensor) -> Units:
    """All samples (n, …) of a site, some units at a time: no copy of all of it is made."""
    flat = values.reshape(len(values), -1)
    parts = []
    for columns in torch.split(flat, max(FEWEST_UNITS, NUMBERS // len(flat)), dim=1):
        one = Units(nonlinearity)
        one.add(columns)
        parts.append(one)
    return together(parts)


def together(parts: Sequence[Units]) -> Units:
    """The units of all parts, of the same samples, one after the other."""
    found = Units(parts[0].nonlinearity)
    moments = [one.moments for one in parts if one.moments is not None]
    counts = [one.counts for one in parts if one.counts is not None]
    joined = {
        name: torch.cat([getattr(one, name) for one in moments])
        for name in ("mean", "deviation", "low", "high")
    }
    found.moments = Moments(moments[0].count, **joined)
    if counts:
        found.counts = NeuronCounts(counts[0].count, torch.cat([one.at_ends for one in counts]))
    return found


def rows(name: str, units: Units, values: Tensor) -> Iterator[Measurement]:
    """Batch-entropy, and of nonlinearities the shares of dead and of saturated units.

    Args:
        name: Of the site.
        units: Of the site, all batches seen.
        values: Activations (samples, …), from which nearest neighbours are taken.
    """
    moments = units.moments
    assert moments is not None
    count = len(moments.mean)
    method = f"population variance; n = {moments.count}"
    entropies = batch_entropy(moments.variance, moments.count)
    state = collapse(moments)
    note = "" if state == "alive" else state

    row = partial(number, name)
    yield row("units", "count", count, unit="count")
    mean = float(entropies.mean())
    yield row("batch-entropy", "value", mean, unit="nats", method=method, note=note)
    for statistic, quantile in _quartiles(entropies).items():
        yield row("batch-entropy", statistic, quantile, unit="nats", method=method)
    moving = moments.variance > 0
    still = count - int(moving.sum())
    raw = batch_entropy(moments.variance[moving], moments.count, "raw")
    said = f"over the units that vary; {still} of {count} do not" if still else ""
    value = float(raw.mean()) if len(raw) else -float("inf")
    yield row("batch-entropy.raw", "value", value, unit="nats", method=method, note=said)
    yield from _neighbours(name, moments, values)
    if not units.nonlinearity:
        return
    method = f"the same value for all samples; n = {moments.count}"
    dead = moments.low == moments.high
    yield row("dead-neurons", "value", share(dead), unit="share", method=method)
    yield row("dead-neurons", "count", int(dead.sum()), unit="count", method=method)
    counts = units.counts
    if counts is not None:
        method = f"within 1 % of an end of the range in 95 % of the samples; n = {counts.count}"
        yield row(
            "saturated-neurons", "value", share(counts.saturated), unit="share", method=method
        )
        saturated = int(counts.saturated.sum())
        yield row("saturated-neurons", "count", saturated, unit="count", method=method)


def _neighbours(name: str, moments: Moments, values: Tensor) -> Iterator[Measurement]:
    """The nearest-neighbour entropy of units, and the Gaussian one of the same units."""
    count = len(moments.mean)
    chosen = torch.linspace(0, count - 1, min(count, NEIGHBOUR_UNITS)).round().long()
    entropies = unit_entropies(values.reshape(len(values), -1)[:, chosen])
    told = entropies.isfinite()
    few = f"{len(chosen)} of {count:,} units, evenly spaced" if len(chosen) < count else ""
    words = f"Kozachenko and Leonenko, k = {NEIGHBOURS}, of each unit by itself"
    method = "; ".join(filter(None, [words, few, f"n = {moments.count}"]))
    tied = len(chosen) - int(told.sum())
    note = f"over the units without repeated values; {tied} of {len(chosen)} have some: −∞"
    row = partial(number, name, "nearest-neighbour-entropy", unit="nats",
                  note=note if tied else "")  # fmt: skip
    if tied == len(chosen):
        row = partial(row, note=f"{NEIGHBOURS + 1} samples have the same value in every unit")
    mean = float(entropies[told].mean()) if bool(told.any()) else -float("inf")
    yield row("value", mean, method=method)
    gaussian = batch_entropy(moments.variance[chosen][told], moments.count, "raw")
    mean = float(gaussian.mean()) if len(gaussian) else -float("inf")
    same = "; ".join(filter(None, ["½ ln(2πe σ²) of the same units", f"n = {moments.count}"]))
    yield row("gaussian", mean, method=same)


def series(name: str, units: Units, values: Tensor) -> Iterator[Series]:
    """Histograms of all activations and of the units' batch-entropies, and those one by one.

    Args:
        name: Of the site.
        units: Of the site, all batches seen.
        values: Activations (samples, …), of which the histogram is made.
    """
    yield _histogram(name, "activation-histogram", values.reshape(-1), "activations")
    moments = units.moments
    assert moments is not None
    entropies = batch_entropy(moments.variance, moments.count)
    yield _histogram(name, "batch-entropy-histogram", entropies, "nats")
    every = -(-len(entropies) // SERIES_UNITS)
    kept = tuple(float(f"{one:.5g}") for one in entropies[::every].tolist())
    note = f"every {every}th of {len(entropies):,} units" if every > 1 else "each unit"
    yield Series(name, "batch-entropy.units", "nats", (len(kept),), kept, note)


def _histogram(name: str, kind: str, values: Tensor, what: str) -> Series:
    values = values.detach()
    low, high = float(values.min()), float(values.max())
    if low == high:
        shares: tuple[float, ...] = (1.0,)
    else:
        parts = torch.split(values, NUMBERS)
        found = [torch.histc(part.to(torch.float64), BINS, low, high) for part in parts]
        counts = torch.stack(found).sum(dim=0)
        shares = tuple(float(f"{x:.5g}") for x in (counts / counts.sum()).tolist())
    note = f"{what} from {low:.6g} to {high:.6g}"
    return Series(name, kind, "share", (len(shares),), shares, note)


def _quartiles(values: Tensor) -> dict[str, float]:
    points = torch.tensor([0.25, 0.5, 0.75], dtype=values.dtype)
    # torch.quantile takes 16 million values at most.
    thinned = values[:: max(1, len(values) // 1_000_000)]
    return dict(zip(("q1", "median", "q3"), torch.quantile(thinned, points).tolist(), strict=True))
