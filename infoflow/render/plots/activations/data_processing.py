"""Information along each chain, each step coloured by its word.

After Figure 3 of Yu, Jenssen and Principe, Understanding convolutional neural network training
with information theory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infoflow.findings.chains import CHAINS, FALLS, RISES, Chain
from infoflow.findings.chains import UNTOLD as UNTOLD_WORD
from infoflow.render.activations import Activations, Information, SiteFacts, gather_sites
from infoflow.render.data_words import left_off
from infoflow.render.plots.activations.sites import (
    FALL,
    FROM_INPUT,
    FROM_OUTPUT,
    RISE,
    UNTOLD,
    estimator_text,
    head,
)
from infoflow.render.plots.sheet import WIDE, NothingToDraw, name_layers, sentences, sheet
from infoflow.report import Report
from infoflow.words import counted

LOOKS: Mapping[str, tuple[str, Any, str]] = {
    FALLS: (FALL, "-", "v"),
    RISES: (RISE, "-", "^"),
    UNTOLD_WORD: (UNTOLD, ":", ""),
}
"""Colour, line and sign of each word."""

HEIGHT = 80.0


def draw(report: Report) -> list[Figure]:
    """One page a chain that has steps: its curve, each step with its word."""
    activations = gather_sites(report)
    chains = [chain for chain in CHAINS.values() if _judged(activations.chain(chain.name), chain)]
    if not chains:
        raise NothingToDraw("no step of a chain was judged")
    return [_page(report, activations, chain) for chain in chains]


def _judged(sites: Sequence[SiteFacts], chain: Chain) -> bool:
    return len(sites) > 1 and any(one.step(chain.name) for one in sites)


def _page(report: Report, activations: Activations, chain: Chain) -> Figure:
    sites = activations.chain(chain.name)
    figure = sheet(WIDE, HEIGHT, _caption(report, sites, chain))
    axes = figure.subplots()
    found = [one.information(chain.name) for one in sites]
    for place, (before, here) in enumerate(pairwise(found), 1):
        if before is not None and here is not None:
            _step(axes, place, before, here)
    known = [(float(i), one) for i, one in enumerate(found) if one is not None]
    for x, one in known:
        if one.share_interval is not None:
            axes.vlines(x, *one.share_interval, color="black", linewidth=0.8, zorder=3)
    axes.plot(
        [x for x, one in known if one.share is not None],
        [one.share for _, one in known if one.share is not None],
        linestyle="none", marker="o", color="black", markersize=3.5, zorder=5,
    )  # fmt: skip
    axes.margins(y=0.22)
    axes.set_ylabel(f"{chain.symbol}, share of its ceiling")
    axes.set_title(chain.title)
    _legend(figure, sites, chain)
    words = FROM_OUTPUT if chain.backward else FROM_INPUT
    name_layers(figure, [axes], [one.site.name for one in sites], words)
    return figure


def _step(axes: Axes, place: int, before: Information, here: Information) -> None:
    if before.share is None or here.share is None or here.step is None:
        return
    colour, line, sign = LOOKS[here.step.word]
    ends = (before.share, here.share)
    axes.plot([place - 1, place], ends, color=colour, linestyle=line, linewidth=1.6, zorder=2)
    middle = (place - 0.5, sum(ends) / 2)
    if sign:
        axes.plot(*middle, marker=sign, color=colour, markersize=4.5, markeredgewidth=0, zorder=6)
    else:
        axes.annotate("?", middle, (0, 2), textcoords="offset points", ha="center", color=colour)


def _legend(figure: Figure, sites: Sequence[SiteFacts], chain: Chain) -> None:
    words = [step.word for one in sites if (step := one.step(chain.name)) is not None]
    handles = [
        Line2D([], [], color=colour, linestyle=line, marker=sign, markersize=4.5,
               markeredgewidth=0, label=f"{word}{'' if sign else ' ?'} ({words.count(word)})")
        for word, (colour, line, sign) in LOOKS.items()
        if word in words
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=3, handlelength=2.4)


def _caption(report: Report, sites: Sequence[SiteFacts], chain: Chain) -> str:
    off = sum(len(names) for _, names in left_off(report))
    return sentences(
        (
            head(report, f"{chain.symbol} along the {chain.title} (after Yu et al., Figure 3)"),
            estimator_text(sites, chain.measure),
            "Shares of each site's ceiling; bars: 95 % intervals; a step is judged by the interval "
            "of its paired difference, Holm-corrected",
            chain.rise,
            f"{counted(off, 'site')} off the chain left out" if off else "",
        )
    )
