"""Steps of a chain at which the measured information rises."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.chains import MAIN, RISES, Chain, along, step
from infoflow.findings.rule import Rule, figure
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, listed


def information_rises(report: Report) -> Iterator[Finding]:
    """One note for each chain along which the information rises somewhere beyond its interval."""
    for chain in MAIN:
        yield from _of_chain(report, chain)


def _of_chain(report: Report, chain: Chain) -> Iterator[Finding]:
    steps = [(site, step(report, chain, site.name)) for site in along(report, chain)]
    judged = [(site, one) for site, one in steps if one is not None]
    rising = [(site, one.row.value) for site, one in judged if one.word == RISES]
    if not rising:
        return
    told = [
        f"{site.name}{'' if v is None else f' (+{figure(v)} of the ceiling)'}" for site, v in rising
    ]
    yield Finding(
        rule="information-rises",
        severity=Severity.NOTE,
        layers=tuple(site.name for site, _ in rising),
        measure=chain.steps,
        value=max((v for _, v in rising if v is not None), default=None),
        threshold=0.0,
        sentence=f"{chain.symbol} rises at {len(rising)} of "
        f"{counted(len(judged), 'step')} of the {chain.title}: {listed(told)}.",
        advice=f"{chain.rise}.",
    )


INFORMATION_RISES = Rule(
    "information-rises",
    "steps of a chain at which the measured information rises, and what that means",
    tuple(chain.steps for chain in MAIN),
    information_rises,
)
