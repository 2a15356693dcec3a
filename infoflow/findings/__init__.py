"""Findings: from the rows of a report to sentences that a person should read.

A rule is one file and one row of `WEIGHT_RULES` or `ACTIVATION_RULES`. It reads only the flat
report, so that findings can be made again from a report that was read back.
"""

from __future__ import annotations

from infoflow.findings.all_zero import ALL_ZERO
from infoflow.findings.cannot_be_told import CANNOT_BE_TOLD
from infoflow.findings.coverage import ASSUMED_GEOMETRY, NOT_ANALYSED
from infoflow.findings.dead_filters import DEAD_FILTERS
from infoflow.findings.dead_inputs import DEAD_INPUTS
from infoflow.findings.dead_neurons import DEAD_NEURONS
from infoflow.findings.duplicate_activations import DUPLICATE_ACTIVATIONS
from infoflow.findings.duplicate_filters import DUPLICATE_FILTERS
from infoflow.findings.far_from_random import FAR_FROM_RANDOM
from infoflow.findings.idle_tokens import IDLE_TOKENS
from infoflow.findings.idle_updates import IDLE_UPDATES
from infoflow.findings.ill_conditioned import ILL_CONDITIONED
from infoflow.findings.information_rises import INFORMATION_RISES
from infoflow.findings.miscalibrated import MISCALIBRATED
from infoflow.findings.negligible_filters import NEGLIGIBLE_FILTERS
from infoflow.findings.non_finite import NON_FINITE
from infoflow.findings.outlier_filters import OUTLIER_FILTERS
from infoflow.findings.rank_deficient import RANK_DEFICIENT
from infoflow.findings.rule import Rule
from infoflow.findings.saturated_neurons import SATURATED_NEURONS
from infoflow.findings.signal_collapse import SIGNAL_COLLAPSE
from infoflow.findings.unlike_healthy import UNLIKE_HEALTHY
from infoflow.findings.untrainable import UNTRAINABLE
from infoflow.findings.volume_collapse import VOLUME_COLLAPSE
from infoflow.findings.wrong_preprocessing import WRONG_PREPROCESSING
from infoflow.findings.zero_scales import ZERO_SCALES
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, plural

__all__ = ["ACTIVATION_RULES", "RULES", "WEIGHT_RULES", "Rule", "find", "summary"]

WEIGHT_RULES: tuple[Rule, ...] = (
    NON_FINITE,
    ALL_ZERO,
    SIGNAL_COLLAPSE,
    VOLUME_COLLAPSE,
    DEAD_FILTERS,
    DEAD_INPUTS,
    NEGLIGIBLE_FILTERS,
    DUPLICATE_FILTERS,
    RANK_DEFICIENT,
    ILL_CONDITIONED,
    NOT_ANALYSED,
    OUTLIER_FILTERS,
    ZERO_SCALES,
    IDLE_TOKENS,
    IDLE_UPDATES,
    UNLIKE_HEALTHY,
    FAR_FROM_RANDOM,
    ASSUMED_GEOMETRY,
)
ACTIVATION_RULES: tuple[Rule, ...] = (
    WRONG_PREPROCESSING,
    UNTRAINABLE,
    DEAD_NEURONS,
    SATURATED_NEURONS,
    MISCALIBRATED,
    DUPLICATE_ACTIVATIONS,
    INFORMATION_RISES,
    CANNOT_BE_TOLD,
)
RULES = ACTIVATION_RULES + WEIGHT_RULES
"""Every rule, once; among findings of one severity and depth, in this order."""


def find(report: Report) -> tuple[Finding, ...]:
    """Every finding of a report: most serious first, then in depth order.

    Args:
        report: Its rows, layers and coverage are read; findings that it holds are not.
    """
    severities = list(Severity)
    depth = _depth(report)
    end = (len(report.layers), 0)
    findings = [finding for rule in RULES for finding in rule.find(report)]
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                severities.index(finding.severity),
                min((depth.get(layer, end) for layer in finding.layers), default=end),
            ),
        )
    )


def _depth(report: Report) -> dict[str, tuple[int, int]]:
    """The place of each layer, and of each site: after the last layer at or before it."""
    depth = {layer.name: (place, -1) for place, layer in enumerate(report.layers)}
    last = -1
    for place, site in enumerate(report.sites):
        last, _ = depth.get(site.name.partition("#")[0], (last, 0))
        depth.setdefault(site.name, (last, place))
    return depth


def summary(report: Report) -> str:
    """One line that sums up the findings of a report.

    Example:
        ``3 findings in 21 layers: 1 serious, 2 notes``.
    """
    looked_at = counted(len(report.layers), "layer")
    if report.members:
        looked_at = f"{counted(len(report.members), 'network')} as one"
    if report.sites:
        looked_at += f" and {counted(len(report.sites), 'site')}"
    total = len(report.findings)
    if not total:
        return f"nothing to report in {looked_at}{'' if report.members else ' looked at'}"
    parts = []
    for severity in Severity:
        count = sum(finding.severity is severity for finding in report.findings)
        many = severity.value if severity is Severity.SERIOUS else ""
        if count:
            parts.append(f"{count} {plural(count, severity.value, many)}")
    return f"{total} {plural(total, 'finding')} in {looked_at}: {', '.join(parts)}"
