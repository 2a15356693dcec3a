"""Pruning a checkpoint and measuring what it costs, beside other ways of choosing as many."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from torch import Tensor, nn

from infoflow.activations.request import ActivationRequest
from infoflow.activations.running import device_of, dtype_of, opened, placed, preprocessing_of
from infoflow.architectures.spelling import modern
from infoflow.checkpoints import Checkpoint, open_checkpoint
from infoflow.data.batch import Batch
from infoflow.errors import SelectionError
from infoflow.measures.outputs.reading import reading_of
from infoflow.models import Runnable, runnable, trial
from infoflow.nearest import nearest
from infoflow.pruning.convolutions import Convolution, convolutions, silence
from infoflow.pruning.effect import Effect, Measured, measure, of_draws, of_one, of_whole
from infoflow.pruning.ranking import (
    Candidate,
    Orders,
    by_lot,
    by_norm,
    by_redundancy,
    choose,
    lot_in_layers,
)
from infoflow.pruning.writing import stored_as, told

PROBED = 4
"""Samples of the run in which layers and their norms are found."""
SEEDS = 5
"""Draws at random that stand beside every choice."""

METHODS = ("redundancy", "norm", "random")
"""How filters can be chosen."""

SAME_LAYERS = "random-same-layers"
"""At random, as many of each layer as the chosen way takes."""

Progress = Callable[[str], None]
"""Is told what is being done, in a few words; a whole sentence is to stay."""


@dataclass(frozen=True)
class Pruned:
    """A pruned network and what was measured.

    Args:
        source: The checkpoint.
        method: How its filters were chosen.
        share: That was asked for.
        per_layer: Whether of each layer.
        filters: Of all chosen layers, before.
        layers: Each with its number of filters.
        removed: In the order in which they went.
        effects: Unpruned first, then each method at the same share.
        data: The samples in words.
        preprocessing: What was done to pictures, ``""`` where nothing.
        notes: What the reader should know.
        tensors: The pruned network's, by name, in the file's types and shapes.
        metadata: To be written with them.
    """

    source: str
    method: str
    share: float
    per_layer: bool
    filters: int
    layers: tuple[Convolution, ...]
    removed: tuple[Candidate, ...]
    effects: tuple[Effect, ...]
    data: str
    preprocessing: str
    notes: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def prune(
    source: str | os.PathLike[str] | Checkpoint,
    *,
    data: str | ActivationRequest,
    by: str = "redundancy",
    share: float = 0.2,
    per_layer: bool = False,
    layers: Sequence[str] = (),
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
    telling: Progress = lambda words: None,
) -> Pruned:
    """Make a share of a network's filters dead, and measure the loss before and after.

    Filters of convolutions become 0 with their bias and the scale and shift of the normalisation
    after them; every shape stays. Beside the chosen way stand the others at the same share: by
    redundancy, by norm, at random with five seeds, and at random with as many filters of each layer
    as the chosen way takes: what the choice of layers costs, and not that of filters. The maps
    that redundancy is told by are those of the unpruned network, on the first 256 of the samples
    on which the loss is measured; no label is looked at.

    Args:
        source: A checkpoint file or folder, or one that is open.
        data: As after ``--data``, or a whole request; its ``seed`` is that of the first draw.
        by: A name in ``METHODS``.
        share: Of the filters, between 0 and 1.
        per_layer: Take the share of each layer, not the best candidates of all.
        layers: Patterns of convolutions; empty for all.
        arch: What to run the weights in, where they are not recognised.
        input_size: Spatial size of the input, where it is not the usual one.
        weights: ``auto``, ``ema`` or ``raw``.
        trust_pickle: Let a pickled file run its code.
        telling: Is told what is being done.

    Raises:
        InfoflowError: The request, the file or the data cannot be served; one sentence says why.
    """
    if by not in METHODS:
        raise SelectionError(f"Filters cannot be chosen by {by!r}; {nearest(by, METHODS)}.")
    if not 0 < share < 1:
        raise SelectionError(f"A share of {share:g} is not between 0 and 1, such as 0.2.")
    checkpoint = (
        source
        if isinstance(source, Checkpoint)
        else open_checkpoint(source, weights=weights, trust_pickle=trust_pickle)
    )
    network = runnable(checkpoint, arch=arch, input_size=input_size)
    request = ActivationRequest(data) if isinstance(data, str) else data
    run = _Run(network, request, layers, share, per_layer, telling)
    effects = run.effects(by)
    removed = run.candidates(by, request.seed)
    module = run.without(removed)
    names = {modern(name): tensor.dtype for name, tensor in checkpoint.tensors.items()}
    total = sum(layer.filters for layer in run.layers)
    done = f"{len(removed)} of {total} filters made dead, by {by}"
    return Pruned(
        checkpoint.path, by, share, per_layer, total, run.layers, removed, effects,
        run.data.description, run.data.preprocessing, (*network.notes, *run.data.notes),
        stored_as(module, names), told(network, arch, done),
    )  # fmt: skip


class _Run:
    """One network on one data set: what every step below needs."""

    def __init__(
        self,
        network: Runnable,
        request: ActivationRequest,
        patterns: Sequence[str],
        share: float,
        per_layer: bool,
        telling: Progress,
    ) -> None:
        self.request, self.share, self.per_layer, self.telling = request, share, per_layer, telling
        self.device, self.dtype = device_of(request.device), dtype_of(request.precision)
        self.original = network.module
        self.data = opened(request, preprocessing_of(network, request))
        self.module = placed(network.module, self.device, self.dtype)
        tried = trial(self.module, self.data, self.prepare)
        self.data, self.reading = reading_of(tried)
        self.layers = convolutions(self.module, tried.batch, patterns)
        filters = sum(layer.filters for layer in self.layers)
        largest = max(layer.filters for layer in self.layers) if per_layer else filters
        if round(share * largest) == 0:
            raise SelectionError(
                f"A share of {share:g} of {largest} filters is less than one; the least that takes "
                f"one is {1 / largest:.2g}."
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
        return choose(orders, self.layers, self.share, per_layer=self.per_layer)

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
        filters: dict[str, list[int]] = {}
        for one in removed:
            filters.setdefault(one.layer, []).append(one.filter)
        silence(smaller, self.layers, filters)
        return smaller

    def effects(self, by: str) -> tuple[Effect, ...]:
        """The loss of the whole network, and after each way of choosing."""
        self.telling("the whole network")
        whole = self.measured(self.module)
        found = [of_whole(whole)]
        for method in METHODS[:-1]:
            removed = self.candidates(method, self.request.seed)
            self.telling(f"without {len(removed)} filters, by {method}")
            found.append(of_one(method, len(removed), whole, self.measured_without(removed)))
        found.append(self.drawn("random", whole, partial(self.candidates, "random")))
        if by != "random" and not self.per_layer:
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
