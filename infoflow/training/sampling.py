"""Which samples make which step, and what is done to each: functions of seed, epoch and index."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any]

ORDER, FLIP, ROWS, COLUMNS, STEPS = range(5)
"""Streams of random numbers that do not depend on each other."""


@dataclass(frozen=True)
class Plan:
    """The order of all steps: the same whatever the number of processes, workers or parts.

    A last batch with fewer than two samples for each part is left out: of one sample there are no
    statistics of a batch.

    Args:
        samples: In the training set.
        batch_size: Samples a step.
        seed: Of the order.
        parts: Into which a step is divided: processes times accumulated parts.
    """

    samples: int
    batch_size: int
    seed: int
    parts: int = 1

    @property
    def steps_an_epoch(self) -> int:
        """Steps in one pass."""
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest >= min(2 * self.parts, self.batch_size))

    def epoch(self, step: int) -> int:
        """The epoch of a step; both count from 0."""
        return step // self.steps_an_epoch

    def indices(self, step: int) -> Array:
        """The samples of a step."""
        epoch, place = divmod(step, self.steps_an_epoch)
        start = place * self.batch_size
        return order(self.seed, epoch, self.samples)[start : start + self.batch_size]

    def parts_of(self, step: int, process: int, processes: int) -> list[Array]:
        """A process's parts of a step; sizes differ by one at most."""
        shares = np.array_split(self.indices(step), self.parts)
        return shares[process::processes]


@lru_cache(maxsize=2)
def order(seed: int, epoch: int, samples: int) -> Array:
    """The samples' order in an epoch."""
    return np.random.default_rng([ORDER, seed, epoch]).permutation(samples)


def uniform(seed: int, epoch: int, indices: Array, stream: int) -> Array:
    """A number in [0, 1) for each sample, from nothing but the seed, the epoch and its index.

    Source: splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators,
    2014) as a hash of the four numbers.
    """
    with np.errstate(over="ignore"):
        state = np.full(len(indices), np.uint64(stream))
        for part in (np.uint64(seed % 2**64), np.uint64(epoch), indices.astype(np.uint64)):
            state = _mixed(state + part)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def seed_step(seed: int, process: int, step: int) -> None:
    """Seeds every generator that a network or a loss may draw from, for one step.

    So dropout depends on the seed, the process and the step alone, and there is no state to keep.
    """
    number = int(uniform(seed, process, np.array([step]), STEPS)[0] * 2**53)
    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)


def _mixed(state: Array) -> Array:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = state ^ (state >> np.uint64(31))
    return mixed
