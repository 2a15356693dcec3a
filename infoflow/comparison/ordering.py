"""Which layer changed most: one score a layer, and its reason in words.

The score is the relative change of the weight, ‖B − A‖_F / ‖A‖_F, where there are weights. Of
reports alone it is the largest change of a measure, in standard deviations of that measure over
the first file's layers. A layer whose figure left or became −∞, or whose weight was all zero, has
no number and stands first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import pstdev

from infoflow.comparison.comparison import WEIGHT_CHANGE, Change, Outcome

MAIN = ("value", "mean")
"""Statistics that say what a measure is of a layer; others describe its distribution."""

DERIVED = ("random-twin.", "zeros", "non-finite")
"""Measures that follow from others, or count what others measure."""


@dataclass(frozen=True, slots=True)
class Score:
    """How much a layer changed: see the module. ``value`` None stands above every number."""

    value: float | None
    reason: str
    changed: bool

    @property
    def key(self) -> tuple[bool, float]:
        """What changed most comes first."""
        return (self.value is not None, -(self.value or 0.0))


def scores(layers: Sequence[str], changes: Iterable[Change]) -> dict[str, Score]:
    """The score of each layer.

    Args:
        layers: Names.
        changes: From the first file to the last.
    """
    rows: dict[str, list[Change]] = {name: [] for name in layers}
    for row in changes:
        if row.layer in rows:
            rows[row.layer].append(row)
    spreads = _spreads(rows)
    return {name: _score(found, spreads) for name, found in rows.items()}


def _score(rows: Sequence[Change], spreads: Mapping[tuple[str, str], float]) -> Score:
    for row in rows:
        if (row.measure, row.statistic) == (WEIGHT_CHANGE, "relative"):
            changed = row.outcome is not Outcome.SAME
            reason = "relative change of the weight" if row.change is not None else row.note
            return Score(row.change, reason, changed)
    moved = [row for row in rows if row.outcome not in (Outcome.SAME, Outcome.STAYED_INFINITE)]
    changed = any(row.outcome is not Outcome.ABSENT for row in moved)
    for row in moved:
        if row.outcome in (Outcome.BECAME_INFINITE, Outcome.LEFT_INFINITE):
            return Score(None, f"{row.measure} {row.outcome}", changed)
    best, name = 0.0, ""
    for row in moved:
        spread = spreads.get((row.measure, row.statistic), 0.0)
        if row.change is not None and spread and abs(row.change) / spread > best:
            best, name = abs(row.change) / spread, row.measure
    return Score(best, f"{name}, in standard deviations over layers" if name else "", changed)


def _spreads(rows: Mapping[str, Sequence[Change]]) -> dict[tuple[str, str], float]:
    """Of each measure, the standard deviation over the first file's layers."""
    values: dict[tuple[str, str], list[float]] = {}
    for found in rows.values():
        for row in found:
            if row.before is None or row.statistic not in MAIN:
                continue
            if not row.measure.startswith(DERIVED):
                values.setdefault((row.measure, row.statistic), []).append(row.before)
    return {
        key: spread for key, known in values.items() if len(known) > 1 and (spread := pstdev(known))
    }
