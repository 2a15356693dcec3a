"""What the page shows of activations: the data, the charts, and a row and a page for each site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.render.activations import (
    Activations,
    SiteFacts,
    estimated,
    gather_sites,
)
from infoflow.render.data_words import data_notes, left_off, output_rows
from infoflow.render.html.charts import Chart, sparkline_of
from infoflow.render.html.columns import EMPTY
from infoflow.render.html.glossary import Glossary
from infoflow.render.html.heatmap import COARSE, FINE, HeatMap, dependence_map
from infoflow.render.html.output_charts import (
    OF_CLASS,
    class_chart,
    confidence_chart,
    neuron_charts,
    reliability_chart,
)
from infoflow.render.html.pages import LONG, NAME_WIDTH, Entry, LayerPage, entries
from infoflow.render.html.profile import Profile
from infoflow.render.html.site_columns import COLUMNS, SiteColumn
from infoflow.render.html.site_profile import (
    ChainView,
    anchor,
    chain_views,
    information_profile,
    redundancy_profile,
)
from infoflow.render.html.strip import Figure
from infoflow.render.html.words import THIN, figure, fixed, shown, title
from infoflow.render.view import by_severity
from infoflow.report import Measurement, Report
from infoflow.words import shape_text

Numbers = tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class ActivationsView:
    """Everything that the section on activations shows."""

    data: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    information: Profile | None
    estimated: str
    chains: tuple[ChainView, ...]
    redundancy: Profile | None
    columns: tuple[SiteColumn, ...]
    pages: tuple[LayerPage, ...]
    whole: Numbers
    left_off: tuple[tuple[str, tuple[str, ...]], ...]
    sparks: bool
    long: bool


def activations_view(report: Report, glossary: Glossary) -> ActivationsView | None:
    """The section on activations; None where there were no data."""
    if report.data is None and not report.sites:
        return None
    activations = gather_sites(report)
    series = list(activations.series.values())
    whole = list(activations.whole.values())
    charts = (reliability_chart(series), confidence_chart(series), class_chart(whole))
    columns = tuple(
        column
        for column in COLUMNS
        if any(column.cell(one) is not EMPTY for one in activations.sites)
    )
    pages = tuple(_page(one, columns, glossary, len(report.sites)) for one in activations.sites)
    return ActivationsView(
        data=tuple(_data(report)),
        notes=tuple(data_notes(report.data)) if report.data else (),
        figures=tuple(_figure(words, row, glossary) for words, row in output_rows(report)),
        charts=tuple(chart for chart in charts if chart),
        information=information_profile(activations),
        estimated=estimated(activations.sites),
        chains=tuple(chain_views(activations)),
        redundancy=redundancy_profile(activations),
        columns=columns,
        pages=pages,
        whole=entries((row for row in whole if not row.statistic.startswith(OF_CLASS)), glossary),
        left_off=tuple((reason, tuple(title(n, 60) for n in names))
                       for reason, names in left_off(report)),
        sparks=any(page.spark for page in pages),
        long=len(pages) > LONG,
    )  # fmt: skip


def anchors(activations: Activations) -> dict[str, str]:
    """The place in the page of each site, by its name."""
    return {one.site.name: anchor(one) for one in reversed(activations.sites)}


def _data(report: Report) -> list[tuple[str, str]]:
    data = report.data
    if data is None:
        return []
    taken = fixed(data.samples, 0)
    if data.available is not None:
        taken += f" of {fixed(data.available, 0)}"
    found = [("data", data.name), ("split", data.split), ("samples", taken)]
    found += [("preprocessing", data.preprocessing), ("classes", ", ".join(data.classes[:12]))]
    if len(data.classes) > 12:
        found[-1] = ("classes", f"{found[-1][1]} and {len(data.classes) - 12} more")
    return [(word, value) for word, value in found if value]


def _figure(words: str, row: Measurement, glossary: Glossary) -> Figure:
    text, unit = shown(row), "" if row.unit in {"share", "ratio", "count"} else row.unit
    if text.endswith(f"{THIN}%"):
        text, unit = text.removesuffix(f"{THIN}%"), "%"
    ends = ""
    if row.low is not None and row.high is not None:
        scale = 100 if row.unit == "share" else 1
        ends = f"95 %: {figure(scale * row.low, 3)} … {figure(scale * row.high, 3)}"
    return Figure(text, unit, words, ends or row.note, glossary.anchors[row.measure])


def _page(
    one: SiteFacts, columns: Sequence[SiteColumn], glossary: Glossary, total: int
) -> LayerPage:
    told, nothing, footnotes = entries(one.rows.values(), glossary)
    found = by_severity(one.findings)
    histogram = one.series.get("activation-histogram")
    return LayerPage(
        anchor=anchor(one),
        index=one.index,
        name=title(one.site.name),
        short=title(one.site.name, NAME_WIDTH),
        kind=one.site.role,
        shape=shape_text(one.site.shape),
        assumed="",
        cells=tuple(column.cell(one) for column in columns),
        spark=sparkline_of(histogram) if histogram is not None else Markup(""),
        severity=found[0].severity if found else "",
        facts=_facts(one),
        note=one.site.note,
        findings=tuple(found),
        charts=tuple(neuron_charts(list(one.series.values()))) if _drawn(one, total) else (),
        maps=_maps(one, total),
        entries=told,
        nothing=nothing,
        footnotes=footnotes,
    )


def _facts(one: SiteFacts) -> tuple[tuple[str, str], ...]:
    chain = "on the chain" if one.site.on_chain else "off the chain"
    return (("role", one.site.role), ("shape", shape_text(one.site.shape)), ("place", chain))


def _drawn(one: SiteFacts, total: int) -> bool:
    """Whether the site's page has charts: of many sites those of the chain, and with findings."""
    return total <= LONG or one.site.on_chain or bool(one.findings)


def _maps(one: SiteFacts, total: int) -> tuple[HeatMap, ...]:
    series = one.series.get("filter-dependence")
    if series is None or (total > LONG and not one.findings):
        return ()
    drawn = dependence_map(series, COARSE if total > LONG else FINE)
    return (drawn,) if drawn else ()
