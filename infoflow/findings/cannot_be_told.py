"""Chains on which the estimate says nothing at any site, or of any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from infoflow.findings.chains import CHAINS, UNTOLD, Chain, along, step
from infoflow.findings.rule import Rule
from infoflow.findings.sites import samples
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, joined

REASONS = {
    "saturated": "saturated",
    "null": "inside the null",
    "constant": "constant",
    "effective pairs": "from fewer than 100 effective pairs",
}
"""Words of a note by which a figure says nothing, and how a sentence has them."""


def cannot_be_told(report: Report) -> Iterator[Finding]:
    """One note for each chain of which no figure, or no step, can be told."""
    for chain in CHAINS.values():
        yield from _of_chain(report, chain)


def _of_chain(report: Report, chain: Chain) -> Iterator[Finding]:
    sites = along(report, chain)
    judged = [one for site in sites if (one := step(report, chain, site.name)) is not None]
    blind = [reason for site in sites if (reason := _reason(report, chain, site.name))]
    steps = judged and all(one.word == UNTOLD for one in judged)
    if not sites or not (steps or len(blind) == len(sites)):
        return
    what = (
        f"{chain.symbol} tells nothing at any of the {counted(len(sites), 'site')} of the "
        if len(blind) == len(sites)
        else f"no step of the {counted(len(judged), 'step')} can be told on the "
    )
    why = [f"{many} {reason}" for reason, many in Counter(blind).items()]
    because = f": {joined(why)}" if why else ": no difference leaves its interval"
    yield Finding(
        rule="cannot-be-told",
        severity=Severity.NOTE,
        layers=tuple(site.name for site in sites),
        measure=chain.measure,
        value=float(len(blind) or len(judged)),
        threshold=0.0,
        sentence=f"{what[:1].upper()}{what[1:]}{chain.title}, from {samples(report)}{because}.",
        advice="Take more samples (--samples); where figures are saturated a larger σ, where "
        "they lie inside the null a smaller one, and see whether the order of layers stays.",
    )


def _reason(report: Report, chain: Chain, site: str) -> str:
    """Why the figure of a site says nothing, or ``""``."""
    rows = (report.row(site, measure) for measure in (chain.measure, f"{chain.measure}.above-null"))
    notes = " ".join(row.note for row in rows if row is not None)
    return next((words for key, words in REASONS.items() if key in notes), "")


CANNOT_BE_TOLD = Rule(
    "cannot-be-told",
    "chains of which no figure, or no step, can be told from its null",
    tuple(chain.measure for chain in CHAINS.values()),
    cannot_be_told,
)
