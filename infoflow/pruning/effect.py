"""What a network loses: its loss and accuracy on data, against those of the whole network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.data import Data
from infoflow.errors import DataError
from infoflow.measures.outputs.logits import logits_of
from infoflow.measures.outputs.reading import Reading
from infoflow.measures.outputs.stream import OutputStream
from infoflow.statistics.intervals import batch_interval, interval
from infoflow.statistics.proportion import Proportion


@dataclass(frozen=True)
class Measured:
    """One network on the data.

    Args:
        losses: (n,) of each sample, in nats (half the squared error for numbers).
        accuracy: None where there are no classes.
    """

    losses: Tensor
    accuracy: Proportion | None

    @property
    def loss(self) -> float:
        """The mean over the samples."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Number:
    """A figure with its 95 % interval, None where it does not exist."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Effect:
    """What one way of choosing filters costs.

    Args:
        method: ``unpruned``, a name in `METHODS`, or ``random-same-layers``: as many filters of
            each layer as the chosen way takes, at random.
        filters: How many went.
        loss: Mean over samples; at random, of the seeds' means.
        change: Of the loss: paired over the samples; at random, over the seeds.
        accuracy: With Wilson's interval; at random, the seeds' mean with a t interval.
        seeds: (seed, loss, accuracy) of each draw at random.
    """

    method: str
    filters: int
    loss: Number
    change: Number
    accuracy: Number
    seeds: tuple[tuple[int, float, float | None], ...] = ()


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
    outputs = OutputStream()
    with torch.no_grad():
        for batch in map(prepare, data.batches(batch_size)):
            outputs.add_log_probabilities(*reading.log_probabilities(batch.call(module), batch))
    found = outputs.outputs()
    assert found.nll is not None
    return Measured(found.nll[~found.nll.isnan()], found.accuracy)


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
    """The network before anything went."""
    return Effect("unpruned", 0, _finite(whole.loss), Number(0.0), _accuracy(whole))


def of_one(method: str, filters: int, whole: Measured, pruned: Measured) -> Effect:
    """One choice: the change of the loss from the same samples' differences."""
    differences = pruned.losses - whole.losses
    mean = float(differences.mean())
    found = interval(mean, differences - mean)
    change = _finite(found.value, found.low, found.high)
    return Effect(method, filters, _finite(pruned.loss), change, _accuracy(pruned))


def of_draws(
    method: str, filters: int, whole: Measured, draws: Sequence[tuple[int, Measured]]
) -> Effect:
    """Several draws at random: means over the seeds with t intervals."""
    losses = [one.loss for _, one in draws]
    change = batch_interval([loss - whole.loss for loss in losses])
    mean = batch_interval(losses)
    shares = [one.accuracy.value for _, one in draws if one.accuracy is not None]
    accuracy = Number(None)
    if shares:
        share = batch_interval(shares)
        accuracy = _finite(share.value, share.low, share.high)
    seeds = tuple(
        (seed, one.loss, None if one.accuracy is None else one.accuracy.value)
        for seed, one in draws
    )
    return Effect(
        method, filters, _finite(mean.value, mean.low, mean.high),
        _finite(change.value, change.low, change.high), accuracy, seeds,
    )  # fmt: skip


def _accuracy(found: Measured) -> Number:
    one = found.accuracy
    return Number(None) if one is None else Number(one.value, one.low, one.high)


def _finite(*numbers: float) -> Number:
    return Number(*(one if math.isfinite(one) else None for one in numbers))
