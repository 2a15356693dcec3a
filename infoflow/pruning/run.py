"""One network on one data set: filters chosen, made dead, and what that costs."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import torch
from torch import nn

from infoflow.activations.request import ActivationRequest
from infoflow.activations.running import device_of, dtype_of, opened, placed, preprocessing_of
from infoflow.data.batch import Batch
from infoflow.errors import SelectionError
from infoflow.measures.outputs.reading import reading_of
from infoflow.models import Runnable, trial
from infoflow.pruning.convolutions import convolutions, silence
from infoflow.pruning.cutting import Cut, cut
from infoflow.pruning.effect import Effect, Measured, measure, of_draws, of_one, of_whole
from infoflow.pruning.merging import Intakes, intakes, merge
from infoflow.pruning.ranking import (
    SAMPLES,
    Candidate,
    Orders,
    by_lot,
    by_norm,
    by_redundancy,
    choose,
    lot_in_layers,
)
from infoflow.words import counted

SEEDS = 5
"""Draws at random that stand beside every choice."""

METHODS = ("redundancy", "norm", "random")
"""How filters can be chosen."""

SAME_LAYERS = "random-same-layers"
"""At random, as many of each layer as the chosen way takes."""

Progress = Callable[[str], None]
"""Is told what is being done, in a few words; a whole sentence is to stay."""


class PruningRun:
    """One network on one data set: what every step below needs.

    Args:
        network: The network.
        request: The data.
        patterns: Of convolutions; empty for all.
        share: Of the filters.
        across_layers: Whether the best of all layers go, and not a share of each.
        merging: Whether the filters that stay take over what others gave.
        telling: Is told what is being done.

    Raises:
        InfoflowError: The data, the patterns or the share do not serve.
    """

    def __init__(
        self,
        network: Runnable,
        request: ActivationRequest,
        patterns: Sequence[str],
        share: float,
        across_layers: bool,
        merging: bool,
        telling: Progress,
    ) -> None:
        self.request, self.share, self.telling = request, share, telling
        self.across_layers, self.merging = across_layers, merging
        self.notes: tuple[str, ...] = ()
        self.device, self.dtype = device_of(request.device), dtype_of(request.precision)
        self.original = network.module
        self.data = opened(request, preprocessing_of(network, request))
        self.module = placed(network.module, self.device, self.dtype)
        tried = trial(self.module, self.data, self.prepare)
        self.data, self.reading = reading_of(tried)
        self.few = tried.batch
        self.layers = convolutions(self.module, self.few, patterns)
        self._refuse_less_than_one()

    @property
    def filters(self) -> int:
        """Of all chosen layers."""
        return sum(layer.filters for layer in self.layers)

    def _refuse_less_than_one(self) -> None:
        largest = self.filters if self.across_layers else max(one.filters for one in self.layers)
        if round(self.share * largest) == 0:
            where = "" if self.across_layers else ", the most that a layer has,"
            raise SelectionError(
                f"A share of {self.share:g} of {largest} filters{where} is less than one; the "
                f"least that takes one is {1 / largest:.2g}."
            )

    def prepare(self, batch: Batch) -> Batch:
        """A batch where the network is."""
        return batch.to(self.device, self.dtype)

    @cached_property
    def redundant(self) -> tuple[Candidate, ...]:
        """The maps are compared once."""
        self.telling("maps")
        return self.chosen(
            by_redundancy(
                self.module, self.data, self.layers,
                batch_size=self.request.batch_size, memory=self.request.memory,
                prepare=self.prepare,
            )
        )  # fmt: skip

    def chosen(self, orders: Orders) -> tuple[Candidate, ...]:
        """The share that was asked for."""
        return choose(orders, self.layers, self.share, across_layers=self.across_layers)

    def candidates(self, method: str, seed: int) -> tuple[Candidate, ...]:
        """The filters that a method takes."""
        if method == "redundancy":
            return self.redundant
        if method == "norm":
            return self.chosen(by_norm(self.module, self.layers))
        return self.chosen(by_lot(self.layers, seed))

    def without(self, removed: Sequence[Candidate], module: nn.Module | None = None) -> nn.Module:
        """A copy of the network in which these filters are dead; of the file's own by default."""
        smaller = copy.deepcopy(self.original if module is None else module)
        filters = by_layer(removed)
        if self.merging:
            merge(smaller, filters, self.intakes)
        silence(smaller, self.layers, filters)
        return smaller

    @cached_property
    def intakes(self) -> Intakes:
        """Where channels are read, seen once."""
        self.telling("maps as the next layers read them")
        return intakes(
            self.module, self.layers, self.data,
            samples=SAMPLES, batch_size=self.request.batch_size, prepare=self.prepare,
        )  # fmt: skip

    def merged(self, removed: Sequence[Candidate]) -> tuple[str, ...]:
        """Layers whose removed filters others take over."""
        return (
            tuple(merge(copy.deepcopy(self.original), by_layer(removed), self.intakes))
            if (self.merging)
            else ()
        )

    def smaller(self, zeroed: nn.Module, removed: Sequence[Candidate]) -> Cut:
        """The network without the dead channels that can be taken out."""
        self.telling("taking channels out")
        module = placed(zeroed, self.device, torch.float32)

        def batches() -> Iterator[Batch]:
            for batch in self.data.batches(self.request.batch_size):
                yield batch.to(self.device, torch.float32)

        few = self.few.to(self.device, torch.float32)
        return cut(module, self.layers, by_layer(removed), few, batches)

    def effects(self, by: str) -> tuple[Effect, ...]:
        """The loss of the whole network, and after each way of choosing."""
        self.telling("the whole network")
        whole = self.measured(self.module)
        self.notes = _without_targets(whole)
        found = [of_whole(whole)]
        for method in METHODS[:-1]:
            removed = self.candidates(method, self.request.seed)
            self.telling(f"without {len(removed)} filters, by {method}")
            found.append(of_one(method, len(removed), whole, self.measured_without(removed)))
        found.append(self.drawn("random", whole, partial(self.candidates, "random")))
        if by != "random" and self.across_layers:
            # Is it the layers that the method takes from, or the filters in them?
            counts = Counter(one.layer for one in self.candidates(by, self.request.seed))
            draw = partial(lot_in_layers, self.layers, counts)
            found.append(self.drawn(SAME_LAYERS, whole, draw))
        return tuple(found)

    def drawn(
        self, method: str, whole: Measured, draw: Callable[[int], tuple[Candidate, ...]]
    ) -> Effect:
        """Five draws at random."""
        seeds = range(self.request.seed, self.request.seed + SEEDS)
        draws = []
        for seed in seeds:
            removed = draw(seed)
            self.telling(f"without {len(removed)} filters at random, seed {seed}")
            draws.append((seed, self.measured_without(removed)))
        return of_draws(method, len(removed), whole, draws)

    def measured_without(self, removed: Sequence[Candidate]) -> Measured:
        """The network on the data without some filters."""
        return self.measured(self.without(removed, self.module))

    def measured(self, module: nn.Module) -> Measured:
        """A network on the data."""
        return measure(
            module, self.data, self.reading,
            batch_size=self.request.batch_size, prepare=self.prepare,
        )  # fmt: skip


def _without_targets(whole: Measured) -> tuple[str, ...]:
    if not whole.without:
        return ()
    verb = "has" if whole.without == 1 else "have"
    return (f"{counted(whole.without, 'sample')} {verb} no target that counts and no loss.",)


def by_layer(removed: Sequence[Candidate]) -> dict[str, list[int]]:
    """Numbers of filters by the name of their layer."""
    filters: dict[str, list[int]] = {}
    for one in removed:
        filters.setdefault(one.layer, []).append(one.filter)
    return filters
