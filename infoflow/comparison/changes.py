"""From the rows of two reports to changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from infoflow.comparison.comparison import Change, Outcome, infinite_note
from infoflow.report import Measurement, Report


def measure_changes(
    before: Report, after: Report, layers: Iterable[str], *, first: int, second: int
) -> Iterator[Change]:
    """The change of every figure that either report has of these layers.

    Args:
        before: The report of the file at ``first``.
        after: The report of the file at ``second``.
        layers: Names of layers; rows in their order.
        first: Place of the file before.
        second: Place of the file after.
    """
    old, new = _by_layer(before), _by_layer(after)
    for layer in dict.fromkeys(layers):
        ours, theirs = old.get(layer, {}), new.get(layer, {})
        for key in dict.fromkeys([*ours, *theirs]):
            yield change(ours.get(key), theirs.get(key), first=first, second=second)


def change(
    before: Measurement | None, after: Measurement | None, *, first: int, second: int
) -> Change:
    """The change of one figure; −∞ and missing figures become an outcome and a note.

    The interval of the change is that of a difference of two independent estimates: half-widths
    add as squares.

    Raises:
        ValueError: Both are None.
    """
    known = after or before
    if known is None:
        raise ValueError("there is no figure to compare")
    outcome = _outcome(before, after)
    old = before.value if before else None
    new = after.value if after else None
    difference = new - old if old is not None and new is not None else None
    low, high = _interval(before, after, difference)
    return Change(
        layer=known.layer,
        measure=known.measure,
        statistic=known.statistic,
        first=first,
        second=second,
        before=old,
        after=new,
        change=difference,
        unit=known.unit,
        outcome=outcome,
        low=low,
        high=high,
        note=_note(outcome, before, after),
    )


def _outcome(before: Measurement | None, after: Measurement | None) -> Outcome:
    lost = [row is not None and row.is_minus_infinity for row in (before, after)]
    if all(lost):
        return Outcome.STAYED_INFINITE
    if any(lost):
        return Outcome.BECAME_INFINITE if lost[1] else Outcome.LEFT_INFINITE
    there = [row is not None and row.value is not None for row in (before, after)]
    if not all(there):
        if not any(there):
            return Outcome.ABSENT
        return Outcome.APPEARED if there[1] else Outcome.DISAPPEARED
    assert before is not None
    assert after is not None
    return Outcome.SAME if before.value == after.value else Outcome.CHANGED


def _note(outcome: Outcome, before: Measurement | None, after: Measurement | None) -> str:
    old, new = (row.note if row else "" for row in (before, after))
    if outcome in (Outcome.SAME, Outcome.CHANGED):
        return new if old == new else "; ".join(dict.fromkeys(filter(None, (old, new))))
    said = infinite_note(new, old)
    if outcome is Outcome.LEFT_INFINITE:
        said = infinite_note(old)
    if outcome is Outcome.ABSENT:
        said = new or old
    elif outcome is Outcome.APPEARED:
        said = f"before: {old}" if old else "not measured before"
    elif outcome is Outcome.DISAPPEARED:
        said = f"after: {new}" if new else "not measured after"
    return f"{outcome}: {said}" if said else str(outcome)


def _interval(
    before: Measurement | None, after: Measurement | None, difference: float | None
) -> tuple[float | None, float | None]:
    if difference is None:
        return None, None
    halves = [half for row in (before, after) if (half := _half_width(row)) is not None]
    if not halves:
        return None, None
    half = math.hypot(*halves)
    return difference - half, difference + half


def _half_width(row: Measurement | None) -> float | None:
    if row is None or row.low is None or row.high is None:
        return None
    return (row.high - row.low) / 2


def _by_layer(report: Report) -> dict[str, dict[tuple[str, str], Measurement]]:
    rows: dict[str, dict[tuple[str, str], Measurement]] = {}
    for row in report.measurements:
        rows.setdefault(row.layer, {})[row.measure, row.statistic] = row
    return rows
