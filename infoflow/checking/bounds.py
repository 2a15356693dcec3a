"""What a bound allows: a number, the number that it was, and how far they may be apart.

Minus infinity is a number here (``-math.inf``), since a measure may fall to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ROUNDING = 1e-9
"""Changes below this share of the figures are rounding of another machine, and no change."""


@dataclass(frozen=True)
class Bound:
    """One way to limit a figure.

    Args:
        directions: Where it may not go too far: −1 down, +1 up.
        against_baseline: Whether the change since the baseline is limited, not the figure.
        percent: Whether the limit is in per cent of the baseline's size.
        words: What it allows, with a place for the limit.
    """

    directions: tuple[int, ...]
    against_baseline: bool
    percent: bool
    words: str

    def excess(self, figure: float, limit: float, base: float = 0.0) -> float:
        """By how much the figure is beyond the limit; it holds where that is not above 0.

        Args:
            figure: The figure itself; against a baseline, its change (see `change`).
            limit: Finite; not negative against a baseline.
            base: The baseline's figure, or −∞. A percentage of a baseline of 0 or −∞ says
                nothing: it then allows no change.
        """
        if not self.against_baseline:
            return max(direction * (figure - limit) for direction in self.directions)
        size = abs(base) if math.isfinite(base) else 0.0
        allowed = limit / 100 * size if self.percent else limit
        rounding = ROUNDING * (size + abs(figure)) if math.isfinite(figure) else 0.0
        return max(direction * figure for direction in self.directions) - allowed - rounding


def change(value: float, base: float) -> float:
    """What was added since the baseline; 0 from −∞ to −∞."""
    return 0.0 if value == base else value - base


BOUNDS: Mapping[str, Bound] = {
    "min": Bound((-1,), False, False, "at least {}"),
    "max": Bound((1,), False, False, "at most {}"),
    "max-decrease": Bound((-1,), True, False, "a fall of at most {}"),
    "max-increase": Bound((1,), True, False, "a rise of at most {}"),
    "max-change": Bound((-1, 1), True, False, "a change of at most {}"),
    "max-decrease-percent": Bound((-1,), True, True, "a fall of at most {}\xa0%"),
    "max-increase-percent": Bound((1,), True, True, "a rise of at most {}\xa0%"),
    "max-change-percent": Bound((-1, 1), True, True, "a change of at most {}\xa0%"),
}
"""Every bound by its key in the settings."""
