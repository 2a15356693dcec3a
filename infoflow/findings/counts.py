"""Rules that read one count a layer share their form: one finding, the layers that have any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from infoflow.findings.rule import is_all_zero, measured
from infoflow.report import Finding, LayerSummary, Report, Severity
from infoflow.words import counted, listed


def outputs(layer: LayerSummary) -> int:
    """Output channels of a layer (transposed convolutions store them second, a group's)."""
    if layer.kind == "transposed convolution":
        return layer.shape[1] * layer.groups
    return layer.shape[0]


def inputs(layer: LayerSummary) -> int:
    """Input channels of a layer."""
    if layer.kind == "transposed convolution":
        return layer.shape[0]
    return layer.shape[1] * layer.groups


def count_finding(
    report: Report,
    *,
    rule: str,
    severity: Severity,
    measure: str,
    noun: str,
    predicate: tuple[str, str],
    advice: str,
    total: Callable[[LayerSummary], int] = outputs,
    statistic: str = "value",
) -> Iterator[Finding]:
    """One finding for all layers in which a count is above zero.

    Args:
        report: Whose rows are read.
        rule: Name of the rule.
        severity: Of the finding.
        measure: Whose count is read.
        noun: What is counted, in the singular.
        predicate: What is the matter with one of them, and with several.
        advice: What to do.
        total: How many a layer has of them.
        statistic: Of the measure.
    """
    found = [
        (layer, row, value)
        for layer, row, value in measured(report, measure, statistic)
        if value > 0 and not is_all_zero(report, layer)
    ]
    if not found:
        return
    layer, row, value = found[0]
    if len(found) == 1:
        which = f" ({row.note})" if row.note else ""
        amount = f"{value:,.0f} of {counted(total(layer), noun)}"
        sentence = f"{layer.name}: {amount} {predicate[value != 1]}{which}."
    else:
        told = [
            f"{layer.name} ({value:,.0f} of {total(layer):,}{_channels(row.note)})"
            for layer, row, value in found
        ]
        amount = counted(sum(value for _, _, value in found), noun)
        sentence = f"{amount} in {len(found):,} layers {predicate[1]}: {listed(told)}."
    yield Finding(
        rule=rule,
        severity=severity,
        layers=tuple(layer.name for layer, _, _ in found),
        measure=measure,
        value=sum(value for _, _, value in found),
        threshold=0.0,
        sentence=sentence,
        advice=advice,
    )


def _channels(note: str) -> str:
    """The channels that a note names, without what it says of each in brackets."""
    return ": " + re.sub(r" \([^()]*\)", "", note) if note else ""
