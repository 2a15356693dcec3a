"""Tokens that an embedding does not tell from nothing, or from each other."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.report import Finding, LayerSummary, Report, Severity
from infoflow.words import counted


def idle_tokens(report: Report) -> Iterator[Finding]:
    """Notes: padding is meant to be zero, and new tokens often start from one vector."""
    for measure, verbs, advice in (
        (
            "tokens.zero",
            ("has a vector of zeros", "have vectors of zeros"),
            "A padding token is meant to be so; any other carries nothing.",
        ),
        (
            "tokens.repeated",
            ("has the vector of an earlier token", "have the vector of an earlier token"),
            "Tokens that were added or reserved and never trained look like this: the network "
            "cannot tell them apart.",
        ),
    ):
        for layer in report.layers:
            row = report.row(layer.name, measure)
            if row is None or not row.value:
                continue
            share = f"{row.value:,.0f} of {counted(_tokens(layer), 'token')}"
            yield Finding(
                rule="idle-tokens",
                severity=Severity.NOTE,
                layers=(layer.name,),
                measure=measure,
                value=row.value,
                threshold=0.0,
                sentence=f"{layer.name}: {share} {verbs[row.value != 1]} ({row.note}).",
                advice=advice,
            )


def _tokens(layer: LayerSummary) -> int:
    return layer.shape[-1]


IDLE_TOKENS = Rule(
    "idle-tokens",
    "tokens of an embedding that are zero, or equal to an earlier one",
    ("tokens.zero", "tokens.repeated"),
    idle_tokens,
)
