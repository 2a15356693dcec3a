"""Units that sit at an end of their range for nearly every sample."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.findings.shares import share_finding
from infoflow.report import Finding, Report

LIMIT = 0.1
"""Share of a site's units from which on it is named."""

WARN_FROM = 0.5
"""Share from which on this is a warning: half of the layer passes hardly any gradient."""


def saturated_neurons(report: Report) -> Iterator[Finding]:
    """Sites at which at least `LIMIT` of the units are saturated."""
    return share_finding(
        report,
        rule="saturated-neurons",
        measure="saturated-neurons",
        limit=LIMIT,
        serious=WARN_FROM,
        words="are saturated",
        advice="Where the function is flat hardly any gradient passes: scale the weights or the "
        "inputs down, or put a normalisation before it.",
    )


SATURATED_NEURONS = Rule(
    "saturated-neurons",
    "sites at which a tenth of the units or more sit at an end of their range",
    ("saturated-neurons", "units"),
    saturated_neurons,
)
