"""Normalisations that switch channels off."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, listed


def zero_scales(report: Report) -> Iterator[Finding]:
    """Scales γ of normalisation layers that are exactly zero."""
    found = []
    for layer in report.layers:
        row = report.row(layer.name, "zeros", "count")
        if layer.kind == "normalisation" and row is not None and row.value:
            found.append((layer, row.value))
    if not found:
        return
    total = sum(value for _, value in found)
    told = [f"{layer.name} ({value:,.0f} of {layer.parameters:,})" for layer, value in found]
    verb = "is" if total == 1 else "are"
    yield Finding(
        rule="zero-scales",
        severity=Severity.NOTE,
        layers=tuple(layer.name for layer, _ in found),
        measure="zeros",
        value=total,
        threshold=0.0,
        sentence=f"{counted(total, 'scale')} of normalisations {verb} exactly zero: "
        f"{listed(told)}. These channels pass their shift only.",
        advice="If this is pruning or a residual branch that starts at zero, as intended; if "
        "not, the filters before them can be removed.",
    )


ZERO_SCALES = Rule(
    "zero-scales",
    "scales of normalisation layers that are exactly zero",
    ("zeros",),
    zero_scales,
)
