"""Chains on which the estimate says nothing at any site, or of any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from infoflow.findings.chains import MAIN, UNTOLD, Chain, along, step
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
    """One note for all chains of which no figure, or no step, can be told.

    ``value`` is the number of figures that say nothing, ``threshold`` the number that there is.
    """
    found = [blind for chain in MAIN if (blind := _blind(report, chain)) is not None]
    if not found:
        return
    told = ", and ".join(blind.words for blind in found)
    yield Finding(
        rule="cannot-be-told",
        severity=Severity.NOTE,
        layers=tuple(dict.fromkeys(name for blind in found for name in blind.sites)),
        measure=found[0].chain.measure,
        value=float(sum(blind.silent for blind in found)),
        threshold=float(sum(len(blind.sites) for blind in found)),
        sentence=f"From {samples(report)} {told}.",
        advice="Take more samples (--samples); where figures are saturated a larger σ, where "
        "they lie inside the null a smaller one, and see whether the order of layers stays.",
    )


@dataclass(frozen=True)
class Blind:
    """A chain that tells nothing: its sites, how many figures say nothing, and why, in words."""

    chain: Chain
    sites: tuple[str, ...]
    silent: int
    words: str


def _blind(report: Report, chain: Chain) -> Blind | None:
    sites = along(report, chain)
    judged = [one for site in sites if (one := step(report, chain, site.name)) is not None]
    reasons = [reason for site in sites if (reason := _reason(report, chain, site.name))]
    every = len(reasons) == len(sites)
    if not sites or not (every or (judged and all(one.word == UNTOLD for one in judged))):
        return None
    why = joined([f"{many} {reason}" for reason, many in Counter(reasons).items()])
    if every:
        words = f"{chain.symbol} tells nothing at any of its {counted(len(sites), 'site')}"
    else:
        words = f"no step of {chain.symbol} can be told, of {len(judged)}"
    because = why or "no difference leaves its interval"
    return Blind(chain, tuple(site.name for site in sites), len(reasons), f"{words} ({because})")


def _reason(report: Report, chain: Chain, site: str) -> str:
    """Why the figure of a site says nothing, or ``""``."""
    rows = (report.row(site, measure) for measure in (chain.measure, f"{chain.measure}.above-null"))
    notes = " ".join(row.note for row in rows if row is not None)
    return next((words for key, words in REASONS.items() if key in notes), "")


CANNOT_BE_TOLD = Rule(
    "cannot-be-told",
    "chains of which no figure, or no step, can be told from its null",
    tuple(chain.measure for chain in MAIN),
    cannot_be_told,
)
