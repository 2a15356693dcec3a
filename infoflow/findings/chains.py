"""The chains on which information is followed, and how a step of one is told.

What a rise means on each chain is said here, once for findings and for every output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infoflow.report import Measurement, Report, Site

FALLS, RISES, UNTOLD = "falls", "rises", "cannot be told"
WORDS = (FALLS, RISES, UNTOLD)
"""The three words of a step; "violated" is none of them, since no true order is known."""

WHEN_COMPARED = (
    "Two figures may be compared where X and the rule for σ are the same, and with each one's "
    "ceiling beside it"
)

A_RISE = (
    "A rise says on the input chain that a layer made visible, at the kernel's resolution, what "
    "was there; on the label chain that it moved the classes apart; on the error chain it proves "
    "nothing"
)


@dataclass(frozen=True)
class Chain:
    """A chain of sites along which information is followed.

    Args:
        name: ``input``, ``label`` or ``error``.
        symbol: Of the information, as print has it.
        title: What the chain is.
        rise: What a rise along it means, one sentence.
        backward: Whether it runs from the output to the input.
        beside: Whether it stands beside another chain of the same sites: findings do not repeat it.
    """

    name: str
    symbol: str
    title: str
    rise: str
    backward: bool = False
    beside: bool = False

    @property
    def measure(self) -> str:
        """Stable name of the information."""
        return f"mutual-information.{self.name}"

    @property
    def steps(self) -> str:
        """Stable name of the verdicts on its steps."""
        return f"data-processing.{self.name}"


CHAINS: Mapping[str, Chain] = {
    chain.name: chain
    for chain in (
        Chain(
            "input",
            "I(X;T)",
            "input chain",
            "True information about the input cannot rise along the chain; this is information at "
            "the kernel's resolution, and a rise says that a layer made visible what was there",
        ),
        Chain(
            "label",
            "I(T;Y)",
            "label chain",
            "A rise says that a layer moved the classes apart at the kernel's resolution: the sign "
            "of learning, and no violated theorem",
        ),
        Chain(
            "error",
            "I(δ_L;δ_k)",
            "error chain",
            "An error signal depends on the activations that it passes as well as on the one "
            "behind it, so this is no Markov chain, and a rise is no proof of an error",
            backward=True,
        ),
        Chain(
            "error.magnitude",
            "I(‖δ_L‖;‖δ_k‖)",
            "error chain by magnitude",
            "Magnitudes ln‖δ‖ alone: how large a sample's error is on its way down; a rise is no "
            "proof of an error",
            backward=True,
            beside=True,
        ),
        Chain(
            "error.raw",
            "I(δ_L;δ_k), raw",
            "error chain, δ as it is",
            "Of a trained network it says little but whether an error is large or small; a rise is "
            "no proof of an error",
            backward=True,
            beside=True,
        ),
    )
}
MAIN = tuple(chain for chain in CHAINS.values() if not chain.beside)
"""The chains that findings and sentences speak of."""


@dataclass(frozen=True)
class Step:
    """A step of a chain to a site: its word, why, and the difference to the site before."""

    word: str
    reason: str
    row: Measurement


def step(report: Report, chain: Chain, site: str) -> Step | None:
    """How the information changes at a site, None where no step was judged."""
    return told(report.row(site, chain.steps))


def told(row: Measurement | None) -> Step | None:
    """What a row of a step says: its note begins with one of the three words."""
    if row is None:
        return None
    word, _, reason = row.note.partition(":")
    return Step(word.strip(), reason.strip(), row) if word.strip() in WORDS else None


def along(report: Report, chain: Chain) -> list[Site]:
    """The sites of a chain that have a figure, in the chain's own order."""
    sites = [
        site for site in report.sites if site.on_chain and report.row(site.name, chain.measure)
    ]
    return sites[::-1] if chain.backward else sites
