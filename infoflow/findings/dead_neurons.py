"""Units that are silent for every sample."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.findings.shares import share_finding
from infoflow.findings.sites import samples
from infoflow.report import Finding, Report

LIMIT = 0.1
"""Share of a site's units from which on it is named."""

WARN_FROM = 0.5
"""Share from which on this is a warning: half of the layer computes nothing."""


def dead_neurons(report: Report) -> Iterator[Finding]:
    """Sites at which at least `LIMIT` of the units never change."""
    return share_finding(
        report,
        rule="dead-neurons",
        measure="dead-neurons",
        limit=LIMIT,
        serious=WARN_FROM,
        words=f"are dead, the same for all of {samples(report)}",
        advice="Look with more samples first: a rare unit is not dead. If they stay, lower the "
        "learning rate, see the biases, or prune the units.",
    )


DEAD_NEURONS = Rule(
    "dead-neurons",
    "sites at which a tenth of the units or more never change",
    ("dead-neurons", "units"),
    dead_neurons,
)
