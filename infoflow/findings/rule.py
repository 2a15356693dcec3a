"""What a rule is, and the few questions that every rule asks of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from infoflow.report import Finding, LayerSummary, Measurement, Report

_ELSEWHERE = ("normalisation", "embedding", "low-rank update")
"""Kinds whose rules are their own: rank, dead rows and runs mean other things there."""


@dataclass(frozen=True)
class Rule:
    """A pure function from a report to findings; it reads the flat rows and nothing else.

    Args:
        name: Stable name, such as ``dead-filters``; a finding carries it.
        summary: One phrase: what it looks for.
        reads: Measures that it reads; without them it is silent.
        find: Findings, in depth order. Never raises, whatever rows are missing.
    """

    name: str
    summary: str
    reads: tuple[str, ...]
    find: Callable[[Report], Iterable[Finding]]


def linear_layers(report: Report) -> Iterator[LayerSummary]:
    """The layers that map activations to activations, in depth order."""
    return (layer for layer in report.layers if layer.kind not in _ELSEWHERE)


def measured(
    report: Report, measure: str, statistic: str = "value"
) -> Iterator[tuple[LayerSummary, Measurement, float]]:
    """Linear layers for which a number exists, with its row and the number."""
    for layer in linear_layers(report):
        row = report.row(layer.name, measure, statistic)
        if row is not None and row.value is not None:
            yield layer, row, row.value


def is_all_zero(report: Report, layer: LayerSummary) -> bool:
    """Whether every weight of the layer is exactly zero; what else it lacks follows from that."""
    row = report.row(layer.name, "zeros", "share")
    return row is not None and row.value == 1.0


def figure(value: float) -> str:
    """Three digits, with the sign that print uses."""
    return f"{value:.3g}".replace("-", "−")
