"""Filters whose norm stands out from their layer's."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding
from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity


def outlier_filters(report: Report) -> Iterator[Finding]:
    """Output filters of unusual norm; the measure's limits allow for the number of filters."""
    return count_finding(
        report,
        rule="outlier-filters",
        severity=Severity.NOTE,
        measure="filters.outlier",
        noun="filter",
        predicate=(
            "has a norm far from the layer's others",
            "have norms far from their layer's others",
        ),
        advice="Small ones carry next to nothing and are candidates for pruning; large ones "
        "dominate what follows and are the first to suffer from quantisation.",
    )


OUTLIER_FILTERS = Rule(
    "outlier-filters",
    "output filters whose norm stands out from their layer's, corrected for their number",
    ("filters.outlier",),
    outlier_filters,
)
