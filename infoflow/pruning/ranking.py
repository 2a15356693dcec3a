"""Which filters go first: by what the maps repeat, by the weights' norm, or by lot."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.activations.redundancy import thinned
from infoflow.capture import Site
from infoflow.capture.stream import stream
from infoflow.data import Data
from infoflow.measures.activations.redundancy import correlations, dependence, map_kernels
from infoflow.measures.activations.removal import removal_order
from infoflow.pruning.convolutions import Convolution

SAMPLES = 256
"""The first ones, at most, by which maps are compared."""
MAP_NUMBERS = 2**16
"""Filters times positions of a layer, at most; maps are thinned evenly to that."""


@dataclass(frozen=True)
class Candidate:
    """A filter that goes.

    Args:
        layer: Name of its convolution.
        filter: Its number.
        score: By which layers compare, the greatest first: normalised dependence on a filter that
            is left (∞ for a dead one); minus the norm over its layer's mean; or a lot.
        reason: ``dead``, ``copy``, ``combination``, ``similar``, ``norm`` or ``random``.
        like: The filter that it repeats most, where it is one of the first four.
    """

    layer: str
    filter: int
    score: float
    reason: str
    like: int | None = None


Orders = dict[str, Iterator[Candidate]]
"""Candidates of each layer, its first to go first; one filter of each stays."""


def by_redundancy(
    module: nn.Module,
    data: Data,
    layers: Sequence[Convolution],
    *,
    batch_size: int,
    memory: int,
    prepare: Any,
) -> Orders:
    """Greedy by normalised dependence of the maps before the nonlinearity, ranked anew each time.

    Of a layer that is called more than once, the maps of the first call are compared.

    Args:
        module: The network, unpruned.
        data: Samples, of which the first 256 are used.
        layers: Convolutions.
        batch_size: Samples at a time.
        memory: Bytes of maps at a time.
        prepare: Moves a batch to the network's device and precision.
    """
    few = replace(data, samples=min(data.samples, SAMPLES))
    at_once = max(1, memory // (4 * MAP_NUMBERS * few.samples))
    orders: Orders = {}
    for start in range(0, len(layers), at_once):
        names = [layer.name for layer in layers[start : start + at_once]]
        seen = _Maps({name: [] for name in names})
        stream(module, few, seen, names=names, batch_size=batch_size, prepare=prepare)
        for name in names:
            parts = seen.parts.pop(name)
            if not parts:  # a block speaks in its stead: its maps are not seen alone
                continue
            maps = torch.cat(parts)
            kernels = map_kernels(maps)
            orders[name] = _redundant(
                name, dependence(kernels.grams), kernels.dead, correlations(maps)
            )
    return orders


def _redundant(name: str, pairs: Tensor, dead: Tensor, correlation: Tensor) -> Iterator[Candidate]:
    for one in removal_order(pairs, dead, correlation):
        score = math.inf if one.reason == "dead" else one.score
        yield Candidate(name, one.filter, score, one.reason, one.like)


@dataclass
class _Maps:
    """The consumer that keeps thinned maps, on the CPU."""

    parts: dict[str, list[Tensor]]

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Any) -> None:
        """Keep the maps."""
        part = thinned(values, max(1, MAP_NUMBERS // values.shape[1]))
        self.parts[site.name].append(part.float().cpu())

    def error(self, site: Site, values: Tensor, rows: slice, batch: Any) -> None:
        """Not wanted."""


def by_norm(module: nn.Module, layers: Sequence[Convolution]) -> Orders:
    """By the sum of a filter's absolute weights over the mean of its layer, smallest first.

    Source: Li et al., Pruning filters for efficient convnets, 2017, within a layer; over the mean
    so that layers compare, whose scale a normalisation takes away.
    """
    orders: Orders = {}
    for layer in layers:
        weight = module.get_submodule(layer.name).weight
        assert isinstance(weight, Tensor)
        norms = weight.detach().to("cpu", torch.float64).abs().flatten(1).sum(dim=1)
        mean = float(norms.mean())
        scores = -norms / mean if mean > 0 else torch.zeros_like(norms)
        orders[layer.name] = _in_order(layer.name, scores, "norm")
    return orders


def by_lot(layers: Sequence[Convolution], seed: int) -> Orders:
    """At random, every filter as likely as any other."""
    generator = torch.Generator().manual_seed(seed)
    return {
        layer.name: _in_order(
            layer.name,
            torch.rand(layer.filters, generator=generator, dtype=torch.float64),
            "random",
        )
        for layer in layers
    }


def lot_in_layers(
    layers: Sequence[Convolution], counts: Mapping[str, int], seed: int
) -> tuple[Candidate, ...]:
    """At random, a given number of each layer's filters."""
    orders = by_lot(layers, seed)
    return tuple(
        one for layer in layers for one in islice(orders[layer.name], counts.get(layer.name, 0))
    )


def _in_order(name: str, scores: Tensor, reason: str) -> Iterator[Candidate]:
    order = scores.argsort(descending=True, stable=True).tolist()
    return (Candidate(name, index, float(scores[index]), reason) for index in order[:-1])


def choose(
    orders: Orders, layers: Sequence[Convolution], share: float, *, across_layers: bool
) -> tuple[Candidate, ...]:
    """The filters that go: a share of each layer, or of all.

    Args:
        orders: Of each layer; they are used up.
        layers: With their numbers of filters.
        share: Between 0 and 1; rounded to whole filters.
        across_layers: Whether the best candidates of all go, and not the same share of each layer.
    """
    if not across_layers:
        return tuple(
            one
            for layer in layers
            for one in islice(orders.get(layer.name, iter(())), round(share * layer.filters))
        )
    wanted = round(share * sum(layer.filters for layer in layers))
    return tuple(islice(_merged(orders), wanted))


def _merged(orders: Mapping[str, Iterator[Candidate]]) -> Iterator[Candidate]:
    """Always the best of what the layers offer next."""
    heap: list[tuple[float, int, Candidate, Iterator[Candidate]]] = []

    def offer(place: int, order: Iterator[Candidate]) -> None:
        if (candidate := next(order, None)) is not None:
            heapq.heappush(heap, (-candidate.score, place, candidate, order))

    for place, order in enumerate(orders.values()):
        offer(place, order)
    while heap:
        _, place, candidate, order = heapq.heappop(heap)
        yield candidate
        offer(place, order)
