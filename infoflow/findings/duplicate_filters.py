"""Filters that repeat another filter."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding
from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity


def duplicate_filters(report: Report) -> Iterator[Finding]:
    """Output filters that equal an earlier one of their layer up to a factor."""
    return count_finding(
        report,
        rule="duplicate-filters",
        severity=Severity.WARNING,
        measure="filters.duplicate",
        noun="filter",
        predicate=(
            "repeats an earlier one up to a factor",
            "repeat an earlier one up to a factor",
        ),
        advice="They add next to no direction to the layer's output: merge each into its "
        "original, and check that the initialisation draws every filter afresh.",
    )


DUPLICATE_FILTERS = Rule(
    "duplicate-filters",
    "output filters that repeat an earlier one up to a factor",
    ("filters.duplicate",),
    duplicate_filters,
)
