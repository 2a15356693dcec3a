"""The charts of activations along the depth, put together from their panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from infoflow.findings.chains import CHAINS, Chain
from infoflow.render.activations import Activations, SiteFacts, estimator
from infoflow.render.html.profile import Column, Maker, Profile, stacked
from infoflow.render.html.site_panels import (
    entropy_panel,
    gradient_panel,
    information_panel,
    redundancy_panel,
)
from infoflow.render.html.step_panel import steps_panel
from infoflow.render.html.words import figure, fixed, shown, title
from infoflow.report import Measurement

STEP_PLOT = 470.0
"""Width of a chain's chart."""

Chosen = Callable[[SiteFacts], Measurement | None]


@dataclass(frozen=True)
class ChainView:
    """A chain's chart, and what a rise along it means."""

    title: str
    rise: str
    estimator: str
    profile: Profile
    falls: int
    rises: int
    untold: int


def anchor(one: SiteFacts) -> str:
    """Identifier of a site's place in the page."""
    return f"site-{one.index + 1}"


def information_profile(activations: Activations) -> Profile | None:
    """Information about input and label, and batch-entropy, of every site."""
    sites = activations.sites
    return _drawn(
        sites,
        [
            partial(information_panel, sites, "input"),
            partial(information_panel, sites, "label"),
            partial(entropy_panel, sites),
            partial(gradient_panel, sites),
        ],
        {
            "I(X;T)": _of("mutual-information.input.above-null"),
            "I(X;T), plain": _of("mutual-information.input"),
            "null": _of("mutual-information.input.null"),
            "I_CS": _of("mutual-information.input", "cauchy-schwarz"),
            "ceiling": _of("mutual-information.input.ceiling"),
            "of ceiling": _of("mutual-information.input.ratio"),
            "I(T;Y)": _of("mutual-information.label.above-null"),
            "null of it": _of("mutual-information.label.null"),
            "batch-entropy": _of("batch-entropy"),
            "‖δ‖": _of("gradient-norm"),
        },
    )


def chain_views(activations: Activations) -> list[ChainView]:
    """One chart a chain that has steps."""
    return [
        view
        for chain in CHAINS.values()
        if (view := _chain(activations, chain)) is not None
    ]  # fmt: skip


def redundancy_profile(activations: Activations) -> Profile | None:
    """Redundancy of the maps of every site that has some."""
    sites = [one for one in activations.sites if one.row("redundancy", "papers")
             or one.row("redundancy", "copy-invariant")]  # fmt: skip
    return _drawn(
        sites,
        [
            partial(redundancy_panel, sites, "papers", "Σ I(X;Tⁱ) − I(X;T)"),
            partial(redundancy_panel, sites, "copy-invariant", "copy-invariant"),
        ],
        {
            "Σ I(X;Tⁱ) − I(X;T)": _of("redundancy", "papers"),
            "copy-invariant": _of("redundancy", "copy-invariant"),
            "repeated maps": _of("duplicate-filters", "activations"),
        },
    )


def _chain(activations: Activations, chain: Chain) -> ChainView | None:
    sites = activations.chain(chain.name)
    words = [step.word for one in sites if (step := one.step(chain.name)) is not None]
    if not words or len(sites) < 2:
        return None
    profile = _drawn(
        sites,
        [partial(steps_panel, sites, chain.name)],
        {
            f"{chain.symbol} of its ceiling": _of(f"{chain.measure}.ratio"),
            f"{chain.symbol}, bits": _of(f"{chain.measure}.above-null"),
            "step": _of(chain.steps),
            "word": None,
        },
        plot=STEP_PLOT,
        word_of=chain.name,
    )
    if profile is None:
        return None
    falls, rises, untold = (words.count(word) for word in ("falls", "rises", "cannot be told"))
    return ChainView(
        _titled(chain), chain.rise, estimator(sites, chain.measure), profile, falls, rises, untold
    )


def _titled(chain: Chain) -> str:
    way = "from the output to the input" if chain.backward else "from the input to the output"
    return f"{chain.symbol}, {chain.title}, {way}"


def _of(measure: str, statistic: str = "value") -> Chosen:
    return lambda one: one.row(measure, statistic)


def _drawn(
    sites: Sequence[SiteFacts],
    makers: Sequence[Maker],
    figures: dict[str, Chosen | None],
    *,
    plot: float = 1010.0,
    word_of: str = "",
) -> Profile | None:
    """The chart of these sites; figures that no site has are left out of its table."""
    used = {
        words: chosen
        for words, chosen in figures.items()
        if chosen is None or any(chosen(one) for one in sites)
    }
    columns = [
        Column(one.site.name, anchor(one), tuple(_told(one, used, word_of))) for one in sites
    ]
    table = tuple(
        (title(one.site.name, 56), *(_cell(one, chosen, word_of) for chosen in used.values()))
        for one in sites
    )
    return stacked(makers, columns, ("site", *used), table, plot)


def _told(one: SiteFacts, used: dict[str, Chosen | None], word_of: str) -> list[str]:
    role = one.site.role if one.site.on_chain else f"{one.site.role}, off the chain"
    lines = [f"{title(one.site.name, 80)}: {role}"]
    for words, chosen in used.items():
        row = chosen(one) if chosen else None
        if row is not None:
            unit = "" if row.unit in {"ratio", "count", "share"} else f" {row.unit}"
            lines.append(f"{words} {shown(row)}{unit}{_ends(row)}")
    for name in [word_of] if word_of else []:
        step = one.step(name)
        if step is not None:
            lines.append(f"{step.word}{f': {step.reason}' if step.reason else ''}")
    return lines


def _ends(row: Measurement) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" ({figure(row.low, 3)} … {figure(row.high, 3)})"


def _cell(one: SiteFacts, chosen: Chosen | None, word_of: str) -> str:
    if chosen is None:
        step = one.step(word_of)
        return step.word if step is not None else ""
    row = chosen(one)
    if row is None or row.value is None:
        return "" if row is None else shown(row)
    if row.unit == "count":
        return fixed(row.value, 0)
    small = row.value != 0 and abs(row.value) < 5e-4
    return f"{figure(row.value, 3) if small else fixed(row.value, 3)}{_ends(row)}"
