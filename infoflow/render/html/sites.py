"""What the page shows of activations: the data, the charts, and a row and a page for each site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.render.activations import (
    Activations,
    Information,
    SiteFacts,
    estimated,
    gather_sites,
)
from infoflow.render.data_words import data_notes, left_off, output_rows
from infoflow.render.html.charts import Chart, sparkline_of
from infoflow.render.html.columns import EMPTY, Cell, of_row
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
from infoflow.render.html.site_profile import (
    ChainView,
    anchor,
    chain_views,
    information_profile,
    redundancy_profile,
)
from infoflow.render.html.strip import Figure
from infoflow.render.html.words import THIN, figure, fixed, shown, title
from infoflow.render.site_table import SIGNS
from infoflow.render.view import by_severity
from infoflow.report import Measurement, Report
from infoflow.words import shape_text

Numbers = tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class SiteColumn:
    """A column of the table of sites: heading, unit, and what fills it."""

    heading: str
    unit: str
    anchor: str
    cell: Callable[[SiteFacts], Cell]


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


def _role(one: SiteFacts) -> Cell:
    if one.site.on_chain:
        return Cell(one.site.role)
    return Cell(f"{one.site.role} ○", f"off the chain: {one.site.note}", "", "quiet")


def _share(measure: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        row = one.row(measure)
        if row is None or row.value is None:
            return EMPTY if row is None else Cell("—", row.note)
        ends = "" if row.low is None or row.high is None else (
            f"{figure(100 * row.low, 3)} … {figure(100 * row.high, 3)} %"
        )  # fmt: skip
        text = fixed(100 * row.value, 0 if row.value in {0.0, 1.0} else 1)
        return Cell(text, ends or row.note)

    return cell


def _number(measure: str, decimals: int) -> Callable[[SiteFacts], Cell]:
    return lambda one: of_row(one.row(measure), decimals)


def _bits(chain: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        found = one.information(chain)
        if found is None:
            return EMPTY
        if found.value is None:
            return Cell("—", found.shown.note)
        ends = found.interval
        half = f" ±{fixed((ends[1] - ends[0]) / 2, 2)}" if ends else ""
        return Cell(f"{fixed(found.value, 2)}{half}{'*' if found.flags else ''}",
                    _hint(found), f"{found.value:.6g}")  # fmt: skip

    return cell


def _hint(found: Information) -> str:
    parts = [f"plain {figure(found.plain.value, 3)}" if found.plain.value is not None else ""]
    if found.null is not None and found.null.value is not None:
        parts.append(f"null {figure(found.null.value, 2)}")
    if found.ceiling is not None:
        parts.append(f"ceiling {figure(found.ceiling, 3)}")
    return "; ".join(filter(None, [*parts, found.flags]))


def _ratio(one: SiteFacts) -> Cell:
    return of_row(one.row("mutual-information.input.ratio"), 2)


def _alignment(one: SiteFacts) -> Cell:
    rows = [one.row("alignment.input"), one.row("alignment.label")]
    if not any(rows):
        return EMPTY
    texts = [of_row(row, 2).text or "–" for row in rows]
    return Cell(", ".join(texts), "with the input; with the label")


def _step(chain: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        found = one.step(chain)
        if found is None:
            return EMPTY
        row = found.row
        hint = "" if row.value is None else f"{figure(row.value, 3)} bits"
        if row.low is not None and row.high is not None:
            hint += f" ({figure(row.low, 3)} … {figure(row.high, 3)})"
        hint = "; ".join(filter(None, [hint, found.reason]))
        order = {"falls": "-1", "cannot be told": "0", "rises": "1"}[found.word]
        mark = f"word-{found.word.split()[0]}"
        return Cell(f"{SIGNS[found.word]} {found.word}", hint, order, mark)

    return cell


COLUMNS = (
    SiteColumn("role", "○ off the chain", "read-chains", _role),
    SiteColumn("batch-entropy", "mean, nats", "read-batch-entropy", _number("batch-entropy", 2)),
    SiteColumn("dead", "% of units", "read-batch-entropy", _share("dead-neurons")),
    SiteColumn("I(X;T)", "bits above null", "read-information", _bits("input")),
    SiteColumn("of its ceiling", "ratio", "read-information", _ratio),
    SiteColumn("step", "of I(X;T)", "read-chains", _step("input")),
    SiteColumn("I(T;Y)", "bits above null", "read-information", _bits("label")),
    SiteColumn("step", "of I(T;Y)", "read-chains", _step("label")),
    SiteColumn("CKA", "with X, Y", "read-information", _alignment),
    SiteColumn("probe", "% right", "read-information", _share("probe-accuracy")),
    SiteColumn("‖δ‖", "a sample", "read-batch-entropy", _number("gradient-norm", 3)),
)
