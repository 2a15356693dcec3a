"""What a check found, as plain data: one row a comparison, and whether all of them hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from infoflow.words import counted

NO_FIGURE = "no figure"
"""What was found where there was no number to compare."""


class Verdict(StrEnum):
    """What a row means for the check; only ``failed`` fails it."""

    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"
    SUPPRESSED = "suppressed"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, or one finding.

    Args:
        verdict: What it means for the check.
        source: The checkpoint as it was named, or ``""`` for the settings themselves.
        kind: ``threshold``, ``finding``, ``baseline``, ``suppression`` or ``analysis``.
        subject: A measure (with its statistic, where that is not the value) or a rule.
        layers: Which layers it is about; none for the file as a whole.
        found: What was found, in few words; ``−∞`` is such a word.
        allowed: What would have passed, in few words; ``""`` where nothing was asked.
        sentence: What is the matter, in full.
        value: The number that was found, where there is one.
        baseline: The number that it was compared with.
        unit: Of both.
        reason: Why a finding is suppressed, in the words of the settings.
        uncertain: Whether the 95 % interval reaches over the limit; the value decides.
    """

    verdict: Verdict
    source: str
    kind: str
    subject: str
    layers: tuple[str, ...]
    found: str
    allowed: str
    sentence: str
    value: float | None = None
    baseline: float | None = None
    unit: str = ""
    reason: str = ""
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check, whole.

    Args:
        sources: The checkpoints, as they were named.
        rows: Every comparison and finding, in the order of checkpoints and settings.
        settings: The file that the settings were read from, or ``""`` for the default ones.
        baseline: The file of the baseline, or ``""``.
        notes: What a reader must know besides: which gate it is, how the baseline differs.
    """

    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    settings: str = ""
    baseline: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.of(Verdict.FAILED)

    def of(self, *verdicts: Verdict) -> tuple[Row, ...]:
        """Rows of these verdicts, in order."""
        return tuple(row for row in self.rows if row.verdict in verdicts)

    def of_source(self, source: str) -> tuple[Row, ...]:
        """Rows of one checkpoint, in order."""
        return tuple(row for row in self.rows if row.source == source)

    @property
    def summary(self) -> str:
        """One line: how many of how many failed, and what else there is.

        Example:
            ``failed: 2 of 31 checks; 1 warning, 1 suppressed``.
        """
        failed = len(self.of(Verdict.FAILED))
        asked = failed + len(self.of(Verdict.PASSED))
        checks = counted(asked, "check")
        lead = f"failed: {failed:,} of {checks}" if failed else f"passed: {checks}"
        return "; ".join(filter(None, (lead, ", ".join(self._others()))))

    def _others(self) -> Iterable[str]:
        for verdict, noun in (
            (Verdict.WARNING, "warning"),
            (Verdict.SUPPRESSED, "suppressed"),
            (Verdict.NOTE, "note"),
        ):
            if count := len(self.of(verdict)):
                yield counted(count, noun, noun if verdict is Verdict.SUPPRESSED else "")
