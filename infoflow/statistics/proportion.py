"""A share of independent samples, with Wilson's interval.

Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Proportion:
    """``count`` of ``total``, and the interval in which the share lies."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.total


def proportion(count: int, total: int, level: float = 0.95) -> Proportion:
    """Wilson's score interval of a share; it never leaves 0..1.

    Args:
        count: Of the samples that have the property.
        total: Of all samples, one at least.
        level: That the interval holds the true share.

    >>> found = proportion(915, 1000)
    >>> round(found.low, 4), round(found.high, 4)
    (0.8961, 0.9307)
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, extra = count / total, z * z / total
    centre = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / total + extra / (4 * total))
    low = 0.0 if count == 0 else max(centre - half, 0.0)
    high = 1.0 if count == total else min(centre + half, 1.0)
    return Proportion(count, total, low, high)
