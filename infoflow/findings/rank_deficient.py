"""Layers that lose directions, beyond what dead channels explain."""

from __future__ import annotations

import math
from collections.abc import Iterator

from infoflow.findings.counts import inputs, outputs
from infoflow.findings.rule import Rule, is_all_zero, measured
from infoflow.report import Finding, LayerSummary, Report, Severity
from infoflow.words import listed


def rank_deficient(report: Report) -> Iterator[Finding]:
    """Dense layers and convolutions below full rank.

    A layer whose lost rank is that of its dead filters or input channels, all of which have
    findings of their own, is left out.
    """
    found = []
    for layer, row, rank in measured(report, "rank"):
        full = _value(report, layer, "rank", "full")
        if full is not None and rank < full and not _explained(report, layer, rank, full):
            found.append((layer, row, rank, full))
    if not found:
        return
    _, _, worst, of = min(found, key=lambda entry: entry[2] / entry[3])
    yield Finding(
        rule="rank-deficient-layers",
        severity=Severity.WARNING,
        layers=tuple(layer.name for layer, *_ in found),
        measure="rank",
        value=worst,
        threshold=of,
        sentence=_sentence([(layer.name, row.note, rank, of) for layer, row, rank, of in found]),
        advice="Its log-volume is −∞: read the value over its rank, and look at the filters "
        "named. A factorisation of this rank computes the same.",
    )


def _sentence(found: list[tuple[str, str, float, float]]) -> str:
    name, note, rank, full = found[0]
    ranks = f"rank {rank:,.0f} of {full:,.0f}"
    if len(found) == 1:
        why = _why(note, rank, full)
        return f"{name}: {ranks}{': ' if why else ''}{why}."
    told = []
    for name, note, rank, full in found:
        why = _why(note, rank, full)
        told.append(f"{name} ({rank:,.0f} of {full:,.0f}{'; ' if why else ''}{why})")
    return (
        f"{len(found):,} layers are below full rank, beyond what dead channels explain: "
        f"{listed(told)}."
    )


def _why(note: str, rank: float, full: float) -> str:
    """What the rank's note says of the channels, without the rank itself."""
    return note.removeprefix(f"rank {rank:.0f} of {full:.0f}").strip(":; .")


def _explained(report: Report, layer: LayerSummary, rank: float, full: float) -> bool:
    """Whether exact zeros alone leave no more rank than this."""
    if is_all_zero(report, layer):
        return True
    dead = _value(report, layer, "filters.dead", "value") or 0.0
    unread = _value(report, layer, "filters.dead", "dead-inputs") or 0.0
    if layer.groups > 1:
        # Which group lost a channel is not in the rows; each lost one costs at most one.
        return full - rank <= max(dead, unread)
    out, into = outputs(layer) - dead, inputs(layer) - unread
    if layer.kind == "transposed convolution":
        return rank >= min(out * _phases(layer), into)
    return rank >= min(out, into * _phases(layer))


def _phases(layer: LayerSummary) -> int:
    """How many positions of the finer grid meet in one of the coarser."""
    if not layer.stride:
        return 1
    steps = layer.dilation or (1,) * len(layer.stride)
    return math.prod(
        len({tap * step % stride for tap in range(taps)})
        for taps, stride, step in zip(layer.shape[2:], layer.stride, steps, strict=False)
    )


def _value(report: Report, layer: LayerSummary, measure: str, statistic: str) -> float | None:
    row = report.row(layer.name, measure, statistic)
    return None if row is None else row.value


RANK_DEFICIENT = Rule(
    "rank-deficient-layers",
    "dense layers and convolutions below full rank, beyond their dead channels",
    ("rank", "filters.dead", "zeros"),
    rank_deficient,
)
