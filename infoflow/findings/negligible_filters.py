"""Filters that are rounding beside the others of their layer."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding
from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity


def negligible_filters(report: Report) -> Iterator[Finding]:
    """Output filters whose norm is below the stored precision times the layer's largest."""
    return count_finding(
        report,
        rule="negligible-filters",
        severity=Severity.WARNING,
        measure="filters.negligible",
        noun="filter",
        predicate=(
            "is not zero but below the stored precision beside the largest",
            "are not zero but below the stored precision beside the largest",
        ),
        advice="Treat them as dead: weight decay has left nothing in them but rounding, though a "
        "normalisation that follows can still amplify it.",
    )


NEGLIGIBLE_FILTERS = Rule(
    "negligible-filters",
    "output filters whose norm is rounding beside the largest of their layer",
    ("filters.negligible",),
    negligible_filters,
)
