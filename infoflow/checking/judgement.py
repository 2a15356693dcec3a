"""One figure held against one bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infoflow.checking.bounds import BOUNDS, Bound, change
from infoflow.checking.outcome import NO_FIGURE
from infoflow.checking.words import figure
from infoflow.report import Measurement

_UNIT_IS_PLAIN = {"count", "ratio", "share", "root mean square"}


def has_figure(row: Measurement | None) -> bool:
    """Whether there is a number to compare; −∞ is one."""
    return row is not None and (row.value is not None or row.is_minus_infinity)


@dataclass(frozen=True)
class Judgement:
    """A row, the bound that it is held against, and the baseline's row where that counts.

    It fails closed: without a figure it does not hold, unless the baseline has none either, so
    that nothing has changed.

    Args:
        row: The new figure.
        key: Of the bound, in ``BOUNDS``.
        limit: Of the bound.
        base: The baseline's row of the same layer, measure and statistic.
    """

    row: Measurement
    key: str
    limit: float
    base: Measurement | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is within the bound."""
        if not self.compared:
            return self._unchanged_without_figure
        return self._within(self._limited)

    @property
    def compared(self) -> bool:
        """Whether there are the numbers to compare."""
        return has_figure(self.row) and (not self._bound.against_baseline or has_figure(self.base))

    @property
    def uncertain(self) -> bool:
        """Whether some figure within the 95 % intervals would be judged otherwise."""
        if not self.compared:
            return False
        low, high = _ends(self.row)
        if self._bound.against_baseline:
            base_low, base_high = _ends(self.base)
            low, high = low - base_high, high - base_low
        if not (math.isfinite(low) and math.isfinite(high)):
            return False
        smallest = min(max(0.0, low), high)
        return any(self._within(x) != self.holds for x in (low, high, smallest))

    @property
    def found(self) -> str:
        """What was found, in few words."""
        if not self.compared:
            return NO_FIGURE
        if not self._bound.against_baseline:
            return figure(self._value, self.limit)
        before, after = self._base, self._value
        if before == after:
            return f"{figure(after)}, as before"
        return f"{figure(before, after)} → {figure(after, before)}{self._percentage}"

    @property
    def allowed(self) -> str:
        """What the bound allows, in few words."""
        return self._bound.words.format(figure(self.limit))

    @property
    def sentence(self) -> str:
        """What was found and what is allowed; and whether that can be told at all."""
        row = self.row
        statistic = "" if row.statistic == "value" else f" {row.statistic}"
        name = f"{row.measure}{statistic}" + (f" of {row.layer}" if row.layer else "")
        if not self.compared:
            return f"{name} {self._missing}."
        unit = "" if row.unit in _UNIT_IS_PLAIN else f" {row.unit}"
        before, arrow, after = self.found.partition(" → ")
        verb = f"went from {before} to {after}" if arrow else f"is {before}"
        told = f"{name} {verb}{unit}; allowed: {self.allowed}."
        if self.uncertain:
            told += " The 95 % interval reaches over the limit, so that this cannot be told apart."
        return told

    @property
    def _bound(self) -> Bound:
        return BOUNDS[self.key]

    @property
    def _value(self) -> float:
        return _number(self.row)

    @property
    def _base(self) -> float:
        return _number(self.base) if self.base is not None else 0.0

    @property
    def _limited(self) -> float:
        """What the bound limits: the figure, or its change."""
        if self._bound.against_baseline:
            return change(self._value, self._base)
        return self._value

    def _within(self, limited: float) -> bool:
        return self._bound.excess(limited, self.limit, self._base) <= 0

    @property
    def _unchanged_without_figure(self) -> bool:
        return (
            self._bound.against_baseline
            and self.base is not None
            and not has_figure(self.row)
            and not has_figure(self.base)
        )

    @property
    def _percentage(self) -> str:
        share = self._limited / abs(self._base) if self._base else math.inf
        if not math.isfinite(share) or not self._bound.percent:
            return ""
        return f" ({'+' if share > 0 else ''}{figure(100 * share, self.limit, -self.limit)}\xa0%)"

    @property
    def _missing(self) -> str:
        if self._unchanged_without_figure:
            return "has no figure, here and in the baseline"
        if not has_figure(self.row):
            return f"has no figure: {self.row.note}"
        if self.base is None:
            return "has no row in the baseline; update the baseline"
        return f"has no figure in the baseline: {self.base.note}"


def _number(row: Measurement) -> float:
    return -math.inf if row.value is None else row.value


def _ends(row: Measurement | None) -> tuple[float, float]:
    """The 95 % interval; the number itself where it is exact."""
    assert row is not None
    value = _number(row)
    return (value if row.low is None else row.low, value if row.high is None else row.high)
