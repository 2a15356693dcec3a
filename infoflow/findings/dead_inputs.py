"""Input channels that a layer never reads."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding, inputs
from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity


def dead_inputs(report: Report) -> Iterator[Finding]:
    """Input channels with only zero weights, in layers that are not zero as a whole."""
    return count_finding(
        report,
        rule="dead-inputs",
        severity=Severity.WARNING,
        measure="filters.dead",
        statistic="dead-inputs",
        noun="input channel",
        predicate=("is never read", "are never read"),
        advice="Whatever computes these channels for this layer alone can be removed.",
        total=inputs,
    )


DEAD_INPUTS = Rule(
    "dead-inputs",
    "input channels whose every weight is exactly zero",
    ("filters.dead",),
    dead_inputs,
)
