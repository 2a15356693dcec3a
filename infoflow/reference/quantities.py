"""The figures by which layers of different size compare, each from a layer's rows.

A total does not compare (log|det| and log-volume grow with the width), nor does a score in
standard errors (it grows with the number of weights). Everything here is a mean a direction, or
relative to a random layer of the same shape. What is in no row of `QUANTITIES` is not placed:

- rank, zeros, dead, duplicate and negligible filters: no healthy layer seen has any, so that there
  is no distribution to lie in; findings of their own tell them;
- outlier filters: zero for most layers, and already judged against their own layer;
- spectral norm: without the scale of the weights it is the stable rank;
- condition number: hangs on the smallest singular value and on the width;
- totals, and z scores of the random twin: see above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infoflow.reference import random_layer
from infoflow.report import LayerSummary, Measurement


@dataclass(frozen=True)
class Rows:
    """The rows of one layer, by measure and statistic."""

    layer: LayerSummary
    rows: Mapping[tuple[str, str], Measurement]

    def value(self, measure: str, statistic: str = "value") -> float | None:
        """The number of a row, None where it was not measured or does not exist."""
        row = self.rows.get((measure, statistic))
        return None if row is None else row.value

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of one group's map, the smaller first."""
        return random_layer.sides(self.layer)

    @property
    def full(self) -> float:
        """Directions of all groups together."""
        return float(self.sides[0] * max(self.layer.groups, 1))


@dataclass(frozen=True)
class Quantity:
    """A figure that compares.

    Args:
        name: Stable name; tables store values under it.
        words: As in a sentence.
        unit: What a value of it is, as in a sentence after the number.
        measures: The measures whose row the placing stands beside: the first that a layer has.
        compute: From a layer's rows; None where one of them is missing.
        statistic: Of that row; part of the placing's name where it is no ``value`` or ``mean``.
        ratio: Whether values are logarithms of what is said of them.
        version: Raised when the formula changes, so that tables of two versions do not mix.
    """

    name: str
    words: str
    unit: str
    measures: tuple[str, ...]
    compute: Callable[[Rows], float | None]
    statistic: str = "value"
    ratio: bool = False
    version: int = 1

    @property
    def definition(self) -> str:
        """What a table must agree on for its values to be comparable."""
        return f"{'logarithm of a share ' if self.ratio else ''}{self.unit}, version {self.version}"

    def shown(self, value: float) -> str:
        """A value in three digits and three decimals at most, with print's minus sign, no unit."""
        number = math.exp(value) if self.ratio else value
        text = f"{number:.3g}" if abs(number) >= 0.1 or not number else f"{number:.3f}"
        if number and not float(text):
            text = f"{number:.0e}"
        return text.replace("-", "−")

    def measure(self, rows: Rows) -> str:
        """The measure that a layer has of those the quantity stands beside, ``""`` for none."""
        found = (name for name in self.measures if (name, self.statistic) in rows.rows)
        return next(found, "")


def log_volume(rows: Rows) -> float | None:
    """(log-volume − its random twin's expectation) / directions; a random layer has 0."""
    volume = rows.value("log-volume.density")
    volume = rows.value("log-volume") if volume is None else volume
    twin = rows.value("random-twin.log-volume", "expected-mean")
    return None if volume is None or twin is None else (volume - twin) / rows.full


def log_determinant(rows: Rows) -> float | None:
    """(log|det W_sq| − its random twin's expectation) / directions; a random layer has 0."""
    change = rows.value("entropy-change.logdet")
    twin = rows.value("random-twin.logdet", "expected-mean")
    return None if change is None or twin is None else (change - twin) / rows.full


def corner(rows: Rows) -> float | None:
    """Mean log|c₁₁| − log(root mean square weight); Gaussian weights have −0.635.

    Source of the constant: (γ + log 2)/2.
    """
    mean, scale = rows.value("entropy-change.c11", "mean"), rows.value("weight-scale")
    return None if mean is None or not scale else mean - math.log(scale)


def corner_spread(rows: Rows) -> float | None:
    """Standard deviation of log|c₁₁| over slices; Gaussian weights have π/√8 = 1.111."""
    return rows.value("entropy-change.c11", "standard-deviation")


def stable_rank(rows: Rows) -> float | None:
    """log(stable rank / a random layer's of the same shape, (√k+√n)⁻²·kn)."""
    value = rows.value("stable-rank")
    if not value:
        return None
    return math.log(value / (random_layer.stable_rank(*rows.sides) * max(rows.layer.groups, 1)))


def effective_rank(rows: Rows) -> float | None:
    """log(effective rank / a random layer's of the same shape), by Marchenko and Pastur's law."""
    value = rows.value("effective-rank")
    if not value:
        return None
    return math.log(value / (rows.full * random_layer.effective_rank_share(*rows.sides)))


def von_neumann(rows: Rows) -> float | None:
    """S₁ − a random layer's of the same shape, log₂k − k/(2n·ln 2)."""
    value = rows.value("spectral-entropy.von-neumann")
    if value is None:
        return None
    return value - math.log2(rows.full) + random_layer.von_neumann_deficit(*rows.sides)


def renyi(rows: Rows) -> float | None:
    """S₂ − a random layer's of the same shape, log₂((kn + 1)/(k + n))."""
    value = rows.value("spectral-entropy.renyi")
    if value is None:
        return None
    return value - math.log2(rows.full) + random_layer.renyi_deficit(*rows.sides)


def gain(rows: Rows) -> float | None:
    """½·log(fan-in · mean w²), as it is measured."""
    return rows.value("signal-gain")


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "log-volume",
        "log-volume",
        "nats a direction from a random layer's",
        ("log-volume.density", "log-volume"),
        log_volume,
    ),
    Quantity(
        "log-determinant",
        "log|det W_sq|",
        "nats a direction from a random layer's",
        ("entropy-change.logdet",),
        log_determinant,
    ),
    Quantity(
        "corner",
        "mean log|c₁₁|",
        "nats from the root mean square weight",
        ("entropy-change.c11",),
        corner,
        "mean",
    ),
    Quantity(
        "corner-spread",
        "spread of log|c₁₁|",
        "nats",
        ("entropy-change.c11",),
        corner_spread,
        "standard-deviation",
    ),
    Quantity(
        "stable-rank",
        "stable rank",
        "of a random layer's",
        ("stable-rank",),
        stable_rank,
        ratio=True,
    ),
    Quantity(
        "effective-rank",
        "effective rank",
        "of a random layer's",
        ("effective-rank",),
        effective_rank,
        ratio=True,
    ),
    Quantity(
        "von-neumann",
        "spectral entropy S₁",
        "bits from a random layer's",
        ("spectral-entropy.von-neumann",),
        von_neumann,
    ),
    Quantity(
        "renyi",
        "spectral entropy S₂",
        "bits from a random layer's",
        ("spectral-entropy.renyi",),
        renyi,
    ),
    Quantity("gain", "linear gain", "nats", ("signal-gain",), gain),
)
"""Every quantity, once; where one is added."""
