"""Weights that are no numbers."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, listed


def non_finite(report: Report) -> Iterator[Finding]:
    """NaN or infinite weights, in linear layers and normalisations alike."""
    found = {
        row.layer: row.value
        for row in report.rows(measure="non-finite", statistic="count")
        if row.value
    }
    if not found:
        return
    total = sum(found.values())
    verb = "is" if total == 1 else "are"
    yield Finding(
        rule="non-finite-weights",
        severity=Severity.SERIOUS,
        layers=tuple(found),
        measure="non-finite",
        value=total,
        threshold=0.0,
        sentence=f"{listed(list(found))}: {counted(total, 'value')} {verb} NaN or infinite.",
        advice="Training has diverged or the file is damaged: go back to an earlier checkpoint. "
        "Nothing else is computed for " + ("this layer." if len(found) == 1 else "these layers."),
    )


NON_FINITE = Rule(
    "non-finite-weights",
    "weights that are NaN or infinite",
    ("non-finite",),
    non_finite,
)
