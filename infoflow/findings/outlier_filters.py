"""Filters whose norm stands out from their layer's."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.counts import count_finding
from infoflow.findings.rule import Rule, measured
from infoflow.report import Finding, Report, Severity


def outlier_filters(report: Report) -> Iterator[Finding]:
    """Output filters of unusual norm; the measure's limits allow for the number of filters."""
    below, above = (
        sum(value for _, _, value in measured(report, "filters.outlier", side))
        for side in ("below", "above")
    )
    where = "far from" if below and above else "far above" if above else "far below"
    return count_finding(
        report,
        rule="outlier-filters",
        severity=Severity.NOTE,
        measure="filters.outlier",
        noun="filter",
        predicate=(
            f"has a norm {where} the layer's others",
            f"have norms {where} their layer's others",
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
