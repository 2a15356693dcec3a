"""Layers that carry nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infoflow.findings.rule import Rule, is_all_zero, linear_layers
from infoflow.report import Finding, LayerSummary, Report, Severity
from infoflow.words import listed

STARTS_AT_ZERO = "no random twin: a fresh network holds 0 everywhere here"
"""The note of ``random-twin`` where the architecture's initialisation is zero."""


def all_zero(report: Report) -> Iterator[Finding]:
    """Linear layers whose every weight is exactly zero; a note where a fresh one is just so."""
    found = [layer for layer in linear_layers(report) if is_all_zero(report, layer)]
    fresh = [layer for layer in found if _starts_at_zero(report, layer)]
    others = [layer for layer in found if layer not in fresh]
    if others:
        one = len(others) == 1
        head = [*linear_layers(report)][-1]
        hint = " A fresh network's last layer may start at zero." if others[-1] == head else ""
        yield _finding(
            report,
            others,
            Severity.SERIOUS,
            "What follows sees biases only.",
            f"If this is pruning, remove the {'layer' if one else 'layers'}; if not, the file "
            f"is damaged.{hint}",
        )
    if fresh:
        one = len(fresh) == 1
        yield _finding(
            report,
            fresh,
            Severity.NOTE,
            f"In a fresh network of this architecture {'it is' if one else 'they are'} so.",
            "If the network is trained, nothing has reached "
            f"{'this layer' if one else 'these layers'}.",
        )


def _starts_at_zero(report: Report, layer: LayerSummary) -> bool:
    row = report.row(layer.name, "random-twin.z-mean")
    return row is not None and row.note == STARTS_AT_ZERO


def _finding(
    report: Report,
    found: Sequence[LayerSummary],
    severity: Severity,
    consequence: str,
    advice: str,
) -> Finding:
    counts = [report.row(layer.name, "zeros", "count") for layer in found]
    total = sum(row.value for row in counts if row is not None and row.value is not None)
    return Finding(
        rule="all-zero-layers",
        severity=severity,
        layers=tuple(layer.name for layer in found),
        measure="zeros",
        value=1.0,
        threshold=1.0,
        sentence=f"{listed([layer.name for layer in found])}: every weight is exactly zero "
        f"({total:,.0f} of {total:,.0f}). {consequence}",
        advice=advice,
    )


ALL_ZERO = Rule(
    "all-zero-layers",
    "linear layers whose every weight is exactly zero",
    ("zeros",),
    all_zero,
)
