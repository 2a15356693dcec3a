"""The table: healthy networks, each with its layers' values, and the distributions they make.

Values are kept network by network, so that tables merge exactly: the merged table is the table of
the union. Every network counts alike, however many layers it has, since layers of one network
resemble each other more than layers of two.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

LEAST_LAYERS = 20
LEAST_NETWORKS = 3
"""With fewer layers, or layers of fewer networks, a distribution does not speak."""

Values = Mapping[str, Mapping[str, tuple[float, ...]]]
"""By stratum and quantity, ascending."""


def rounded(value: float) -> float:
    """Four significant digits: what tables keep, and what is compared with them."""
    return float(f"{value:.4g}")


@dataclass(frozen=True)
class Network:
    """A healthy trained network.

    Args:
        name: As people call it.
        digest: SHA-256 of its file: what it is known by.
        layers: How many of its layers belong to each stratum.
        values: Of these layers, rounded and ascending.
        about: What else is known of it: ``source``, ``file``, ``licence``, ``task``, ``quality``
            and by whom it is claimed, ``family`` (networks of one maker and recipe), ``geometry``.
    """

    name: str
    digest: str
    layers: Mapping[str, int]
    values: Values
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """Networks of one family are no independent evidence."""
        return self.about.get("family", self.name)


@dataclass(frozen=True)
class Distribution:
    """A quantity over the layers of a stratum: one ascending tuple for each network."""

    samples: tuple[tuple[float, ...], ...]

    @property
    def networks(self) -> int:
        """Networks that have such layers."""
        return len(self.samples)

    @property
    def layers(self) -> int:
        """Layers of all networks together."""
        return sum(map(len, self.samples))

    @property
    def speaks(self) -> bool:
        """Whether it rests on enough layers of enough networks."""
        return self.layers >= LEAST_LAYERS and self.networks >= LEAST_NETWORKS

    @property
    def lowest(self) -> float:
        """The smallest value."""
        return min(sample[0] for sample in self.samples)

    @property
    def highest(self) -> float:
        """The largest value."""
        return max(sample[-1] for sample in self.samples)

    def percentile(self, value: float) -> float:
        """Mid-rank percentile in [0, 100]: the share below, and half of the share that is equal.

        The mean over networks of each network's share, to a tenth. 0 is below every layer and 100
        above; nothing else is.
        """
        value = rounded(value)
        if not self.lowest <= value <= self.highest:
            return 0.0 if value < self.lowest else 100.0
        shares = [
            (bisect_left(sample, value) + bisect_right(sample, value)) / (2 * len(sample))
            for sample in self.samples
        ]
        return min(max(round(100 * sum(shares) / len(shares), 1), 0.1), 99.9)

    def quantile(self, percent: float) -> float:
        """The smallest value that at least ``percent`` of the weight does not exceed."""
        reached = 0.0
        for value, weight in self._weighted:
            reached += weight
            if reached >= percent / 100 - 1e-12:
                return value
        return self.highest

    @property
    def middle_half(self) -> float:
        """Interquartile range: the measure of distance beyond the table."""
        return self.quantile(75) - self.quantile(25)

    def excess(self, value: float) -> float:
        """How far beyond every layer, in interquartile ranges; negative below, 0 inside.

        0 too where half of the weight is one value, so that there is no range to measure in.
        """
        value = rounded(value)
        beyond = min(value - self.lowest, 0.0) + max(value - self.highest, 0.0)
        return beyond / self.middle_half if beyond and self.middle_half else 0.0

    @cached_property
    def _weighted(self) -> list[tuple[float, float]]:
        share = 1 / len(self.samples)
        return sorted((value, share / len(one)) for one in self.samples for value in one)


@dataclass(frozen=True)
class Table:
    """Healthy networks, each once."""

    networks: tuple[Network, ...] = ()

    @cached_property
    def _distributions(self) -> dict[tuple[str, str], Distribution]:
        found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
        for network in self.networks:
            for stratum, quantities in network.values.items():
                for quantity, values in quantities.items():
                    if values:
                        found.setdefault((stratum, quantity), []).append(values)
        return {key: Distribution(tuple(samples)) for key, samples in found.items()}

    def distribution(self, stratum: str, quantity: str) -> Distribution | None:
        """The distribution, None where no network has such a layer."""
        return self._distributions.get((stratum, quantity))

    def counts(self, stratum: str) -> tuple[int, int]:
        """Layers of a stratum, and the networks that they are of."""
        found = [count for one in self.networks if (count := one.layers.get(stratum, 0))]
        return sum(found), len(found)

    def speaks(self, stratum: str) -> bool:
        """Whether a stratum rests on enough layers of enough networks."""
        layers, networks = self.counts(stratum)
        return layers >= LEAST_LAYERS and networks >= LEAST_NETWORKS

    def merged(self, other: Table) -> Table:
        """The table of both; a network in both is the other's."""
        return Table((*self._all_but(n.digest for n in other.networks), *other.networks))

    def without(self, digests: Iterable[str]) -> Table:
        """The table without these networks."""
        return Table(tuple(self._all_but(digests)))

    def _all_but(self, digests: Iterable[str]) -> Iterator[Network]:
        left_out = set(digests)
        return (network for network in self.networks if network.digest not in left_out)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what placings hang on: the networks and their values, in any order."""
        lines = sorted(
            f"{network.digest} {stratum} {quantity} {','.join(map(repr, values))}"
            for network in self.networks
            for stratum, quantities in network.values.items()
            for quantity, values in quantities.items()
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
