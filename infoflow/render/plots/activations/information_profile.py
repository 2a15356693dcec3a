"""Information about the input and the label, and batch-entropy, along the depth."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infoflow.findings.chains import CHAINS, WHEN_COMPARED
from infoflow.render.activations import SiteFacts, gather_sites
from infoflow.render.plots.activations.sites import (
    FROM_INPUT,
    errors,
    estimator_text,
    head,
    nulls,
    points,
)
from infoflow.render.plots.sheet import (
    SURROGATE,
    TRAINED,
    TRAINED_LIGHT,
    TWIN,
    WIDE,
    NothingToDraw,
    flagged,
    mark_flagged,
    name_layers,
    sentences,
    sheet,
)
from infoflow.report import Report

PANEL = 38.0
"""Height of a panel in millimetres."""


def draw(report: Report) -> list[Figure]:
    """One page: a panel each for I(X;T), I(T;Y) and batch-entropy, as far as they were measured."""
    sites = gather_sites(report).sites
    chains = [name for name in ("input", "label") if any(s.information(name) for s in sites)]
    entropy = any(one.value("batch-entropy") is not None for one in sites)
    count = len(chains) + entropy
    if not count:
        raise NothingToDraw("no site has information or batch-entropy")
    figure = sheet(WIDE, 26 + PANEL * count, _caption(report, sites, chains, entropy))
    panels: list[Axes] = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    for name, axes in zip(chains, panels, strict=False):
        _information(axes, sites, name)
    if entropy:
        _entropy(panels[-1], sites)
    names = [one.site.name for one in sites]
    mark_flagged(panels[0], names, flagged(report))
    _legend(figure, panels)
    name_layers(figure, panels, names, FROM_INPUT)
    for axes in panels[:-1]:
        axes.set_xlabel("")
        axes.tick_params(axis="x", labelbottom=False)
    return [figure]


def _information(axes: Axes, sites: Sequence[SiteFacts], name: str) -> None:
    found = [(float(i), one) for i, s in enumerate(sites) if (one := s.information(name))]
    nulls(axes, found)
    errors(axes, found, TRAINED)
    valued = [(x, one.value, sites[int(x)].site.on_chain) for x, one in found]
    points(axes, [(x, v) for x, v, on in valued if v is not None and on],
           "above its null, 95 % interval")  # fmt: skip
    points(axes, [(x, v) for x, v, on in valued if v is not None and not on], "off the chain",
           line=False, hollow=True)  # fmt: skip
    forms = [(x, v) for x, one in found if (v := one.cauchy_schwarz) is not None]
    points(axes, forms, "Cauchy–Schwarz form", line=False, colour=SURROGATE, marker="s",
           hollow=True)  # fmt: skip
    ceilings = [(x, v) for x, one in found if (v := one.ceiling) is not None]
    points(axes, ceilings, "its ceiling", line=False, colour=TWIN, marker="_")
    axes.set_ylabel(f"{CHAINS[name].symbol} (bits)")


def _entropy(axes: Axes, sites: Sequence[SiteFacts]) -> None:
    def row(statistic: str) -> list[tuple[int, float]]:
        values = ((i, one.value("batch-entropy", statistic)) for i, one in enumerate(sites))
        return [(i, value) for i, value in values if value is not None]

    low, high = dict(row("q1")), dict(row("q3"))
    both = [place for place in low if place in high]
    axes.bar(
        both, [high[i] - low[i] for i in both], 0.6, [low[i] for i in both],
        facecolor=TRAINED_LIGHT, edgecolor=TRAINED, linewidth=0.6, label="quartiles of the units",
    )  # fmt: skip
    medians = row("median")
    axes.hlines([v for _, v in medians], [i - 0.3 for i, _ in medians],
                [i + 0.3 for i, _ in medians], TRAINED, linewidth=1.2)  # fmt: skip
    means = row("value")
    axes.plot([i for i, _ in means], [v for _, v in means], linestyle="none", marker="D",
              color="black", markersize=2.5, label="mean of the units")  # fmt: skip
    axes.set_ylabel("batch-entropy (nats)")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(str(label), handle)
    figure.legend(list(handles.values()), list(handles.keys()), loc="outside upper center", ncols=4)


def _caption(
    report: Report, sites: Sequence[SiteFacts], chains: Sequence[str], entropy: bool
) -> str:
    return sentences(
        (
            head(report, "what the activations say of input and label"),
            estimator_text(sites, CHAINS[chains[0]].measure) if chains else "",
            "Bits above the mean of permuted samples; figures inside the grey band cannot be told "
            "from chance"
            if chains
            else "",
            f"{WHEN_COMPARED}; a small figure of a high-dimensional site is concentration, not loss"
            if chains
            else "",
            "Batch-entropy: ½ log(2πe σ² + 1) of each unit, as if Gaussian" if entropy else "",
        )
    )
