"""What changed between two or more checkpoints, as plain data: one tidy row a change.

This module knows neither torch nor numpy nor any renderer. As in a report, a number that does not
exist is ``None`` with a note that says why; NaN and infinities never appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from infoflow.report import MINUS_INFINITY, Finding, Severity, refuse_non_finite

COMPARISON_VERSION = 1

WEIGHT_CHANGE = "weight-change"
SUBSPACE_ANGLE = "subspace-angle"


class Outcome(StrEnum):
    """What became of a figure from the one file to the other."""

    SAME = "same"
    CHANGED = "changed"
    BECAME_INFINITE = "became −∞"
    LEFT_INFINITE = "left −∞"
    STAYED_INFINITE = "stayed −∞"
    APPEARED = "appeared"
    """There is a figure now, and there was none."""
    DISAPPEARED = "disappeared"
    """There was a figure, and there is none now."""
    ABSENT = "no figure"
    """There is none in either, or the change does not exist."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of a layer in two files, or one figure of its two weights together.

    Args:
        layer: Name of the layer, or ``""`` for the whole network.
        measure: Stable name of a measure; ``weight-change`` and ``subspace-angle`` are of the two
            weights together, and their figure is in ``change``.
        statistic: As in a report; ``relative``, ``cosine``, ``left``, ``right-mean``, …
        first: Place of the file before, in ``Comparison.snapshots``.
        second: Place of the file after.
        before: The figure before, None where there is none.
        after: The figure after.
        change: ``after − before``, or the figure of the two weights; None where it does not exist.
        unit: Of all three.
        outcome: What became of the figure.
        low: Lower end of the 95 % interval of the change, where the figures are estimates.
        high: Upper end.
        note: Why there is no change, or what the reader must know to read it right.
    """

    layer: str
    measure: str
    statistic: str
    first: int
    second: int
    before: float | None
    after: float | None
    change: float | None
    unit: str
    outcome: Outcome
    low: float | None = None
    high: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        row = f"{self.layer} {self.measure}"
        refuse_non_finite(row, self.before, self.after, self.change, self.low, self.high)
        if self.change is None and not self.note:
            raise ValueError(f"{row}: a missing change needs a note")

    @property
    def beyond(self) -> bool | None:
        """Whether the change is beyond the interval of the estimates; None without interval."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0

    @property
    def was_infinite(self) -> bool:
        """Whether the figure was −∞ before."""
        return self.outcome in (Outcome.LEFT_INFINITE, Outcome.STAYED_INFINITE)

    @property
    def is_infinite(self) -> bool:
        """Whether the figure is −∞ after."""
        return self.outcome in (Outcome.BECAME_INFINITE, Outcome.STAYED_INFINITE)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One of the files that are compared.

    Args:
        source: Path as it was given, or of the report.
        label: What it is called here: as short as tells it from the others.
        step: Number on the axis: the step in its name, else its place.
        format: Of the checkpoint.
        digest: SHA-256, or ``""`` where it was not asked for.
        architecture: What it was recognised as, or ``""``.
        parameters: Of the file.
        report: Whether it is a report that was read, without weights.
        findings: Every finding in it.
        settings: Of its analysis.
        notes: What was done to read it.
    """

    source: str
    label: str
    step: int
    format: str
    digest: str
    architecture: str
    parameters: int
    report: bool
    findings: tuple[Finding, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedLayer:
    """A layer that every file has in one shape; the more it changed, the earlier it stands.

    Args:
        name: Of the layer.
        kind: ``dense``, ``convolution``, …
        shape: Of its weight.
        dtypes: As stored in each file, in the order of the files.
        parameters: Number of weights.
        place: In the network's order, from 0.
        changed: Whether anything in it changed from the first file to the last.
        score: What the order goes by, None where it has no number (``reason`` says which).
        reason: What ``score`` is, in words.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtypes: tuple[str, ...]
    parameters: int
    place: int
    changed: bool
    score: float | None
    reason: str

    @property
    def linear(self) -> bool:
        """Whether it is a linear map of its own and no normalisation."""
        return self.kind != "normalisation"


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A layer that is not compared: some file lacks it, or it has another shape or kind there.

    ``present`` are the places of the files that have it; ``reason`` says what differs.
    """

    name: str
    reason: str
    present: tuple[int, ...]


class Fate(StrEnum):
    """What became of a finding from the first file to the last."""

    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    MOVED = "other layers"
    """The same rule still speaks, of other layers than before."""
    PERSISTS = "persists"
    PASSED = "only in between"


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding along the files.

    Args:
        fate: What became of it.
        rule: Stable name of its rule.
        severity: Of the latest file that has it.
        layers: In the latest file that has it.
        present: Places of the files that have it.
        gained: Layers that it names in the last file and did not in the first.
        lost: Layers that it named in the first file and does not in the last.
        sentence: Of the latest file that has it.
    """

    fate: Fate
    rule: str
    severity: Severity
    layers: tuple[str, ...]
    present: tuple[int, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Everything that changed, whole.

    Measures are compared with the first file, in every later one; figures of two weights also
    with the file before.

    Args:
        snapshots: The files, in order; two are before and after.
        layers: Layers that are compared, what changed most first.
        changes: One row a figure, in the network's order.
        unpaired: Layers that are not compared, and why.
        findings: What became of each finding.
        settings: How the comparison was made.
        versions: Of infoflow and what it computes with.
        notes: What the reader must know.
        created: When.
        schema_version: Of its JSON form.
    """

    snapshots: tuple[Snapshot, ...]
    layers: tuple[ComparedLayer, ...]
    changes: tuple[Change, ...]
    unpaired: tuple[Unpaired, ...]
    findings: tuple[FindingChange, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    created: str = ""
    schema_version: int = COMPARISON_VERSION

    def __repr__(self) -> str:
        return (
            f"Comparison({len(self.snapshots)} files, {len(self.layers)} layers, "
            f"{len(self.changes)} changes)"
        )

    @property
    def last(self) -> int:
        """Place of the last file."""
        return len(self.snapshots) - 1

    def row(
        self,
        layer: str,
        measure: str,
        statistic: str = "value",
        *,
        first: int = 0,
        second: int | None = None,
    ) -> Change | None:
        """The change of a figure; from the first file to the last unless told otherwise."""
        after = self.last if second is None else second
        return self._index.get((layer, measure, statistic, first, after))

    @cached_property
    def _index(self) -> dict[tuple[str, str, str, int, int], Change]:
        return {(r.layer, r.measure, r.statistic, r.first, r.second): r for r in self.changes}


def infinite_note(*notes: str) -> str:
    """The first of the notes that speaks of −∞, without its beginning."""
    found = next((note for note in notes if note.startswith(MINUS_INFINITY)), "")
    return found.removeprefix(MINUS_INFINITY).lstrip(": ")
