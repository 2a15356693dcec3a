"""The figures of two weights together, as rows; one layer of every file alive at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from infoflow.comparison.comparison import SUBSPACE_ANGLE, WEIGHT_CHANGE, Change, Outcome
from infoflow.comparison.subspaces import (
    GAP,
    Angles,
    Leading,
    angles,
    leading,
    unturned,
    wanted_directions,
)
from infoflow.comparison.weight_change import WeightChange, weight_change
from infoflow.threads import threads_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from infoflow.layers import PlannedLayer


def weight_rows(files: Sequence[PlannedLayer | None]) -> Iterator[Change]:
    """How one layer's weight changed: in each file against the first, and against the one before.

    Three weights are alive at most. Files without weights (None) are passed over, and nothing is
    compared with the first file where it has none.

    Args:
        files: The layer in each file, in order.
    """
    with_weights = [place for place, planned in enumerate(files) if planned is not None]
    held: dict[int, tuple[NDArray[Any], Leading | None]] = {}
    for index, place in enumerate(with_weights):
        planned = files[place]
        assert planned is not None
        weight = planned.read().weight
        against = {0} if 0 in held else set()
        if index:
            against.add(with_weights[index - 1])
        changes = {first: weight_change(held[first][0], weight) for first in sorted(against)}
        same = next((f for f, change in changes.items() if change.changed == 0), None)
        with threads_for(planned.summary.shape):
            turned = held[same][1] if same is not None else leading(weight)
            for first, change in changes.items():
                yield from _rows(planned, first, place, change, held[first][1], turned)
        held = {p: one for p, one in held.items() if p == 0}
        held[place] = (weight, turned)


def _rows(
    planned: PlannedLayer,
    first: int,
    second: int,
    change: WeightChange,
    before: Leading | None,
    after: Leading | None,
) -> Iterator[Change]:
    name = planned.summary.name
    outcome = Outcome.CHANGED if change.changed else Outcome.SAME

    def row(measure: str, statistic: str, value: float | None, unit: str, note: str = "") -> Change:
        known = outcome if value is not None else Outcome.ABSENT
        return Change(
            name, measure, statistic, first, second, None, None, value, unit, known, note=note
        )

    yield row(WEIGHT_CHANGE, "relative", change.relative, "ratio", change.note)
    yield row(WEIGHT_CHANGE, "cosine", change.cosine, "cosine", change.note)
    yield row(WEIGHT_CHANGE, "changed", change.changed / max(change.size, 1), "share")
    zeros = float(change.zeros_before), float(change.zeros_after)
    yield Change(
        name, WEIGHT_CHANGE, "zeros", first, second, *zeros, zeros[1] - zeros[0], "count",
        Outcome.SAME if zeros[0] == zeros[1] else Outcome.CHANGED,
    )  # fmt: skip
    if not wanted_directions(planned.summary.shape):
        return
    if before is None or after is None:
        note = "there are no leading directions: the weight is zero, or not finite"
        yield row(SUBSPACE_ANGLE, "left", None, "degrees", note)
        yield row(SUBSPACE_ANGLE, "right", None, "degrees", note)
        return
    found = angles(before, after) if change.changed else unturned(after)
    note = _stability(found)
    yield row(SUBSPACE_ANGLE, "left", found.left, "degrees", note)
    yield row(SUBSPACE_ANGLE, "left-mean", found.left_mean, "degrees")
    yield row(SUBSPACE_ANGLE, "right", found.right, "degrees", note)
    yield row(SUBSPACE_ANGLE, "right-mean", found.right_mean, "degrees")
    yield row(SUBSPACE_ANGLE, "directions", float(found.directions), "count")


def _stability(found: Angles) -> str:
    if found.stable:
        return ""
    k = found.directions
    return (
        f"not stable: singular values {k} and {k + 1} differ by less than {GAP - 1:.0%}, so that "
        "a small change may exchange their directions"
    )
