"""Filters whose every weight is exactly zero."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding
from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity


def dead_filters(report: Report) -> Iterator[Finding]:
    """Output filters that are exactly zero, in layers that are not zero as a whole."""
    return count_finding(
        report,
        rule="dead-filters",
        severity=Severity.WARNING,
        measure="filters.dead",
        noun="filter",
        predicate=("is exactly zero", "are exactly zero"),
        advice="If this is pruning, remove the filters and what reads them; if not, they died in "
        "training: look at the learning rate and the initialisation.",
    )


DEAD_FILTERS = Rule(
    "dead-filters",
    "output filters whose every weight is exactly zero",
    ("filters.dead",),
    dead_filters,
)
