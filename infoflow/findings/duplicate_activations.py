"""Filters whose maps repeat those of another on the data."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.findings.sites import at_sites, samples
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, listed


def duplicate_activations(report: Report) -> Iterator[Finding]:
    """Sites at which a map repeats another up to a factor, whatever the weights say."""
    every = at_sites(report, "duplicate-filters", "activations")
    found = [one for one in every if one[2] > 0]
    if not found:
        return
    total = sum(count for _, _, count in found)
    told = [
        f"{site.name} ({count:,.0f}{': ' if row.note else ''}{row.note})"
        for site, row, count in found
    ]
    yield Finding(
        rule="duplicate-activations",
        severity=Severity.NOTE,
        layers=tuple(site.name for site, _, _ in found),
        measure="duplicate-filters",
        value=total,
        threshold=0.0,
        sentence=f"{counted(total, 'filter')} {'repeats' if total == 1 else 'repeat'} another one "
        f"in {samples(report)}: {listed(told)}.",
        advice="One of each pair can go: infoflow prune --by redundancy measures what that "
        "costs. Weights that differ may still compute the same on these data.",
    )


DUPLICATE_ACTIVATIONS = Rule(
    "duplicate-activations",
    "filters whose activations repeat those of another",
    ("duplicate-filters",),
    duplicate_activations,
)
