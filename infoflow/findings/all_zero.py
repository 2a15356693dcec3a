"""Layers that carry nothing."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule, is_all_zero, linear_layers, several
from infoflow.report import Finding, Report, Severity


def all_zero(report: Report) -> Iterator[Finding]:
    """Linear layers whose every weight is exactly zero."""
    found = [layer for layer in linear_layers(report) if is_all_zero(report, layer)]
    if not found:
        return
    counts = [report.row(layer.name, "zeros", "count") for layer in found]
    total = sum(row.value for row in counts if row is not None and row.value is not None)
    one = len(found) == 1
    head = [*linear_layers(report)][-1]
    fresh = " A fresh network's last layer may start at zero." if found[-1] == head else ""
    yield Finding(
        rule="all-zero-layers",
        severity=Severity.SERIOUS,
        layers=tuple(layer.name for layer in found),
        measure="zeros",
        value=1.0,
        threshold=1.0,
        sentence=f"{several([layer.name for layer in found])}: every weight is exactly zero "
        f"({total:,.0f} of {total:,.0f}). What follows sees biases only.",
        advice=f"If this is pruning, remove the {'layer' if one else 'layers'}; if not, the file "
        f"is damaged.{fresh}",
    )


ALL_ZERO = Rule(
    "all-zero-layers",
    "linear layers whose every weight is exactly zero",
    ("zeros",),
    all_zero,
)
