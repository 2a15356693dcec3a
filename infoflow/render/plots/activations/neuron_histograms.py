"""Histograms of activations and of the units' batch-entropy, a panel a site.

After Figures 1 and 8 of the paper on layerwise batch-entropy regularisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infoflow.render.activations import SiteFacts, gather_sites, span_of
from infoflow.render.plots.activations.sites import head
from infoflow.render.plots.sheet import (
    POINT,
    SURROGATE,
    TRAINED,
    WIDE,
    NothingToDraw,
    fitted,
    sentences,
    sheet,
)
from infoflow.report import Report, Series

ACROSS, DOWN = 4, 5
"""Panels abreast and one below another on a page."""

PANEL = 32.0
"""Height of a panel in millimetres."""


@dataclass(frozen=True)
class Kind:
    """What is counted: the series, its axis, its colour, and a caption's words."""

    series: str
    axis: str
    colour: str
    words: str


KINDS = (
    Kind("activation-histogram", "activation", TRAINED,
         "activations of all units and samples of each site"),
    Kind("batch-entropy-histogram", "batch-entropy (nats)", SURROGATE,
         "units of each site by their batch-entropy, ½ log(2πe σ² + 1)"),
)  # fmt: skip


def draw(report: Report) -> list[Figure]:
    """Pages of twenty sites: first of activations, then of batch-entropy."""
    sites = gather_sites(report).sites
    figures = [page for kind in KINDS for page in _pages(report, sites, kind)]
    if not figures:
        raise NothingToDraw("no site has a histogram")
    return figures


def _pages(report: Report, sites: Sequence[SiteFacts], kind: Kind) -> list[Figure]:
    drawn = [
        (one.site.name, series, span)
        for one in sites
        if (series := one.series.get(kind.series)) is not None
        and (span := span_of(series.note)) is not None
    ]
    a_page = ACROSS * DOWN
    chunks = [drawn[start : start + a_page] for start in range(0, len(drawn), a_page)]
    return [
        _page(report, chunk, kind, f", page {number} of {len(chunks)}" if len(chunks) > 1 else "")
        for number, chunk in enumerate(chunks, 1)
    ]


def _page(
    report: Report,
    drawn: Sequence[tuple[str, Series, tuple[float, float]]],
    kind: Kind,
    phrase: str,
) -> Figure:
    rows = -(-len(drawn) // ACROSS)
    figure = sheet(WIDE, 6 + PANEL * rows, _caption(report, kind, phrase))
    grid = figure.subplots(rows, ACROSS, squeeze=False)
    panels: list[Axes] = [axes for row in grid for axes in row]
    for axes, (name, series, span) in zip(panels, drawn, strict=False):
        _histogram(axes, name, series, span, kind)
    for axes in panels[len(drawn) :]:
        axes.set_visible(False)
    for place in range(0, len(drawn), ACROSS):
        panels[place].set_ylabel(drawn[place][1].unit)
    for place in range(max(len(drawn) - ACROSS, 0), len(drawn)):
        panels[place].set_xlabel(kind.axis)
    return figure


def _histogram(
    axes: Axes, name: str, series: Series, span: tuple[float, float], kind: Kind
) -> None:
    counts = [value or 0.0 for value in series.values]
    low, high = span
    wide = (high - low) / max(len(counts), 1) or 1.0
    edges = [low + place * wide for place in range(len(counts) + 1)]
    axes.stairs(counts, edges, fill=True, color=kind.colour)
    axes.set_title(fitted(name, 33 * POINT))
    axes.set_ylim(bottom=0.0)
    axes.locator_params(axis="both", nbins=3)


def _caption(report: Report, kind: Kind, phrase: str) -> str:
    return sentences((f"{head(report, kind.words)}{phrase}", "Each panel has axes of its own"))
