"""Redundancy of the maps of each site, in both of its forms.

After Figure 6 of Yu, Jenssen and Principe, Understanding convolutional neural network training
with information theory.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infoflow.render.activations import SiteFacts, gather_sites, interval
from infoflow.render.plots.activations.sites import FROM_INPUT, estimator_text, head
from infoflow.render.plots.sheet import (
    SURROGATE,
    TRAINED,
    WIDE,
    NothingToDraw,
    name_layers,
    sentences,
    sheet,
)
from infoflow.report import Report

FORMS = {
    "papers": ("Σ I(X;Tⁱ) − I(X;T)\n(bits)", TRAINED),
    "copy-invariant": ("copy-invariant\n(bits)", SURROGATE),
}


def draw(report: Report) -> list[Figure]:
    """One page: a panel a form, a bar a site."""
    every = gather_sites(report).sites
    sites = [one for one in every if any(one.row("redundancy", form) for form in FORMS)]
    forms = [form for form in FORMS if any(one.value("redundancy", form) is not None
                                           for one in sites)]  # fmt: skip
    if not forms:
        raise NothingToDraw("no site has redundancy between its maps")
    figure = sheet(WIDE, 26 + 42 * len(forms), _caption(report, sites))
    panels: list[Axes] = list(figure.subplots(len(forms), 1, sharex=True, squeeze=False)[:, 0])
    for form, axes in zip(forms, panels, strict=True):
        _bars(axes, sites, form)
    name_layers(figure, panels, [one.site.name for one in sites], FROM_INPUT)
    for axes in panels[:-1]:
        axes.set_xlabel("")
        axes.tick_params(axis="x", labelbottom=False)
    return [figure]


def _bars(axes: Axes, sites: Sequence[SiteFacts], form: str) -> None:
    words, colour = FORMS[form]
    rows = [(place, row) for place, one in enumerate(sites)
            if (row := one.row("redundancy", form)) and row.value is not None]  # fmt: skip
    axes.bar([x for x, _ in rows], [row.value or 0.0 for _, row in rows], 0.62, color=colour)
    for place, row in rows:
        ends = interval(row)
        if ends is not None:
            axes.vlines(place, *ends, color="black", linewidth=0.8)
    axes.axhline(0.0, color="#444444", linewidth=0.6)
    axes.set_ylabel(words)


def _caption(report: Report, sites: Sequence[SiteFacts]) -> str:
    return sentences(
        (
            head(report, "redundancy (above zero) and synergy (below) of the maps of each site "
                 "(after Yu et al., Figure 6)"),
            estimator_text(sites, "redundancy"),
            "With Gaussian kernels the first sum is mostly a count of maps; the copy-invariant "
            "form takes the elementwise minimum of the kernels as the joint, to which a copy adds "
            "exactly what it says alone",
            "Bars: 95 % intervals" if any(interval(row) for one in sites
                                          for form in FORMS
                                          if (row := one.row("redundancy", form))) else "",
        )
    )  # fmt: skip
