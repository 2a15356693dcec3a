"""What a rule is, and the few questions that every rule asks of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from infoflow.report import Finding, LayerSummary, Measurement, Report

_NAMED = 4
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


def several(names: Sequence[str], limit: int = _NAMED) -> str:
    """Names as in a sentence: ``a``, ``a and b``, ``a, b, c, d and 3 more``."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit:,} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def number(count: float, singular: str, plural: str = "") -> str:
    """A count with its noun: ``1 filter``, ``3 filters``."""
    noun = singular if count == 1 else plural or f"{singular}s"
    return f"{count:,.0f} {noun}"


def figure(value: float) -> str:
    """Three digits, with the sign that print uses."""
    return f"{value:.3g}".replace("-", "−")
