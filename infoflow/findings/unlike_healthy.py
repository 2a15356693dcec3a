"""Layers whose spectrum is far poorer than that of every healthy layer that the table holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infoflow.findings.rule import Rule, measured
from infoflow.report import HEALTHY_EXCESS, HEALTHY_PERCENTILE, Finding, Report, Severity
from infoflow.words import counted, listed

LIMIT = 2.0
"""Interquartile ranges below every healthy layer.

Measured for any number of layers: with each family of networks left out of the shipped table in
turn, no layer of its nine families lies so far below the rest (log-volume at most 0.72, effective
rank at most 1.85). Nine families bound the rate of false alarms to 28 % a network, at 95 %; the
severity is a note for that reason. Of layers whose rank was cut to a tenth (plus 1 % of noise, so
that the rank is full) it finds all (benchmarks/reference_study.py).
"""

_READ = {
    "log-volume.density": "a log-volume of",
    "log-volume": "a log-volume of",
    "effective-rank": "an effective rank of",
}
"""The figures that tell damaged layers from healthy ones of other networks; others do not."""


@dataclass(frozen=True)
class Poor:
    """A layer, the measure that lies below, by how much, and how its placing says so."""

    layer: str
    measure: str
    excess: float
    said: str


def unlike_healthy(report: Report) -> Iterator[Finding]:
    """Layers more than `LIMIT` interquartile ranges below every healthy layer of their kind.

    ``value`` is the largest distance, ``threshold`` the limit, both in interquartile ranges.
    """
    worst: dict[str, Poor] = {}
    for measure, words in _READ.items():
        for layer, row, value in measured(report, measure, HEALTHY_EXCESS):
            known = worst.get(layer.name)
            if value < -LIMIT and (known is None or value < known.excess):
                worst[layer.name] = Poor(layer.name, measure, value, f"{words} {row.note}")
    if not worst:
        return
    found = [worst[layer.name] for layer in report.layers if layer.name in worst]
    farthest = min(found, key=lambda poor: poor.excess)
    looked_at = len(
        {row.layer for row in report.measurements if row.statistic == HEALTHY_PERCENTILE}
    )
    others = [poor.layer for poor in found if poor is not farthest]
    rest = f" So far below too: {listed(others)}." if others else ""
    yield Finding(
        rule="unlike-healthy-layers",
        severity=Severity.NOTE,
        layers=tuple(poor.layer for poor in found),
        measure=farthest.measure,
        value=-farthest.excess,
        threshold=LIMIT,
        sentence=f"{len(found):,} of {counted(looked_at, 'placed layer')} "
        f"{'is' if len(found) == 1 else 'are'} poorer than every healthy one by more than "
        f"{LIMIT:g} interquartile ranges. {farthest.layer}: {farthest.said}.{rest}",
        advice="The table of healthy networks is small, so that this is a reason to look and no "
        "verdict: see the layer's spectrum, and whether its directions collapsed or were pruned.",
    )


UNLIKE_HEALTHY = Rule(
    "unlike-healthy-layers",
    "layers whose log-volume or effective rank is far below every healthy layer's",
    tuple(_READ),
    unlike_healthy,
)
