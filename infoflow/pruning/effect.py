"""What a network loses: its loss and accuracy on data, against those of the whole network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.data import Data
from infoflow.data.batch import IGNORED
from infoflow.errors import DataError
from infoflow.measures.outputs.logits import logits_of
from infoflow.measures.outputs.predictive import correct, negative_log_likelihood, sample_means
from infoflow.measures.outputs.reading import Reading
from infoflow.statistics.intervals import interval
from infoflow.statistics.proportion import Proportion, proportion

INTERVAL = "95 % interval"
RANGE = "least and greatest"


@dataclass(frozen=True)
class Measured:
    """One network on the data.

    Args:
        losses: (n,) of each sample that has a target, in nats (half the squared error for numbers).
        accuracy: None where there are no classes.
        without: Samples that have none.
    """

    losses: Tensor
    accuracy: Proportion | None
    without: int = 0

    @property
    def loss(self) -> float:
        """The mean over the samples."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Number:
    """A figure, None where it does not exist, and how sure it is.

    Args:
        value: The figure.
        low: Lower end.
        high: Upper end.
        ends: What the ends are: a 95 % interval, or the least and the greatest of the draws.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    ends: str = INTERVAL


@dataclass(frozen=True)
class Effect:
    """What one way of choosing filters costs.

    Args:
        method: ``unpruned``, a name in `METHODS`, or ``random-same-layers``: as many filters of
            each layer as the chosen way takes, at random.
        filters: How many went.
        loss: Mean over samples; at random, of the seeds' means.
        change: Of the loss: paired over the samples, a t interval; at random, over the seeds.
        accuracy: With Wilson's interval; at random, over the seeds.
        seeds: (seed, loss, accuracy) of each draw at random.
        note: Why a figure does not exist; ``""`` where all do.

    At random, figures are means over the seeds with the least and the greatest: of five draws a t
    interval would reach below a loss of 0 and out of 0 to 100 %.
    """

    method: str
    filters: int
    loss: Number
    change: Number
    accuracy: Number
    seeds: tuple[tuple[int, float | None, float | None], ...] = ()
    note: str = ""


def measure(
    module: nn.Module, data: Data, reading: Reading, *, batch_size: int, prepare: Any
) -> Measured:
    """Run a network on all samples.

    Raises:
        DataError: The data have no targets, so that there is no loss.
    """
    if data.task == "none":
        raise DataError(
            f"{data.name} has no labels or other targets, so that no loss can be measured; give "
            "data with targets."
        )
    if reading.form == "numbers":
        return _of_numbers(module, data, reading, batch_size, prepare)
    losses: list[Tensor] = []
    hits = positions = 0
    with torch.no_grad():
        for batch in map(prepare, data.batches(batch_size)):
            log_q, targets = reading.log_probabilities(batch.call(module), batch)
            assert targets is not None
            counts = targets != IGNORED
            nll = sample_means(negative_log_likelihood(log_q, targets), counts).cpu()
            losses.append(nll[counts.reshape(len(targets), -1).any(dim=1).cpu()])
            hits += int(correct(log_q, targets)[counts].sum())
            positions += int(counts.sum())
    found = torch.cat(losses)
    if not len(found):
        raise DataError(f"{data.name}: no sample here has a target that counts.")
    return Measured(found, proportion(hits, positions), data.samples - len(found))


def _of_numbers(
    module: nn.Module, data: Data, reading: Reading, batch_size: int, prepare: Any
) -> Measured:
    losses = []
    with torch.no_grad():
        for batch in map(prepare, data.batches(batch_size)):
            output = logits_of(batch.call(module))
            losses += [
                reading.loss(output[i : i + 1], batch.part(i, i + 1)).double()
                for i in range(batch.size)
            ]
    return Measured(torch.stack(losses).cpu(), None)


def of_whole(whole: Measured) -> Effect:
    """The network before anything went.

    Raises:
        DataError: Its loss is not a number for some samples: nothing could be compared.
    """
    if fault := _fault(whole):
        raise DataError(
            f"the unpruned network's {fault}, so that no change of it can be told: is the "
            "preprocessing right (--mean, --std, --precision)?"
        )
    return Effect("unpruned", 0, _finite(whole.loss), Number(0.0), _accuracy(whole))


def of_one(method: str, filters: int, whole: Measured, pruned: Measured) -> Effect:
    """One choice: the change of the loss from the same samples' differences."""
    differences = pruned.losses - whole.losses
    mean = float(differences.mean())
    found = interval(mean, differences - mean)
    change = _finite(found.value, found.low, found.high)
    return Effect(
        method, filters, _finite(pruned.loss), change, _accuracy(pruned), note=_fault(pruned)
    )


def of_draws(
    method: str, filters: int, whole: Measured, draws: Sequence[tuple[int, Measured]]
) -> Effect:
    """Several draws at random: means over the seeds, with the least and the greatest."""
    losses = [one.loss for _, one in draws]
    shares = [one.accuracy.value for _, one in draws if one.accuracy is not None]
    seeds = tuple(
        (
            seed,
            one.loss if math.isfinite(one.loss) else None,
            None if one.accuracy is None else one.accuracy.value,
        )
        for seed, one in draws
    )
    faults = [f"seed {seed}: {fault}" for seed, one in draws if (fault := _fault(one))]
    return Effect(
        method, filters, _ranged(losses), _ranged([loss - whole.loss for loss in losses]),
        _ranged(shares), seeds, "; ".join(faults),
    )  # fmt: skip


def _fault(found: Measured) -> str:
    """How often the loss is no finite number, in words; ``""`` where it never is."""
    said = []
    for words, places in (
        ("not a number", found.losses.isnan()),
        ("infinite", found.losses.isinf()),
    ):
        if count := int(places.sum()):
            said.append(f"{words} for {count:,}")
    return f"loss is {' and '.join(said)} of {len(found.losses):,} samples" if said else ""


def _ranged(values: Sequence[float]) -> Number:
    if not values or not all(map(math.isfinite, values)):
        return Number(None, ends=RANGE)
    return Number(math.fsum(values) / len(values), min(values), max(values), RANGE)


def _accuracy(found: Measured) -> Number:
    one = found.accuracy
    return Number(None) if one is None else Number(one.value, one.low, one.high)


def _finite(value: float, low: float = math.nan, high: float = math.nan) -> Number:
    return Number(_known(value), _known(low), _known(high))


def _known(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None
