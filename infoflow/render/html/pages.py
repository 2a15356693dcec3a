"""A layer's own page: what it is, its pictures, and every number with unit, method and note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.render.html.charts import Chart, histogram, norms, sparkline, spectrum
from infoflow.render.html.columns import Cell, Column
from infoflow.render.html.facts import Facts
from infoflow.render.html.heatmap import HeatMap, corner_map, similarity_map
from infoflow.render.html.words import figure, fixed, plural, shown, title
from infoflow.render.text import shape_text
from infoflow.report import Finding, LayerSummary, Measurement

MAPS_UP_TO = 150
"""Layers up to which every one has its heat maps; beyond, those with findings, so many at most."""

NAME_WIDTH = 46

Descriptions = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Number:
    """A statistic: its name (empty for ``value``), its text, and its interval."""

    statistic: str
    text: str
    interval: str
    note: str


@dataclass(frozen=True)
class Entry:
    """All statistics of a measure, with what they share."""

    measure: str
    symbol: str
    anchor: str
    unit: str
    numbers: tuple[Number, ...]
    method: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LayerPage:
    """A row of the table and the page that it unfolds to."""

    anchor: str
    index: int
    name: str
    short: str
    kind: str
    shape: str
    assumed: str
    cells: tuple[Cell, ...]
    spark: Markup
    severity: str
    facts: tuple[tuple[str, str], ...]
    note: str
    findings: tuple[Finding, ...]
    charts: tuple[Chart, ...]
    maps: tuple[HeatMap, ...]
    entries: tuple[Entry, ...]


def layer_pages(
    layers: Sequence[Facts], columns: Sequence[Column], measures: Descriptions
) -> list[LayerPage]:
    """The pages of all layers, in order."""
    mapped = with_maps(layers)
    return [_page(facts, columns, measures, facts.index in mapped) for facts in layers]


def with_maps(layers: Sequence[Facts]) -> set[int]:
    """Which layers get heat maps: all, or in a long network those that findings name."""
    drawn = [facts for facts in layers if {"c11", "filter-similarity"} & facts.series.keys()]
    if len(drawn) > MAPS_UP_TO:
        order = {"serious": 0, "warning": 1, "note": 2}
        named = [facts for facts in drawn if facts.findings]
        named.sort(key=lambda facts: min(order[finding.severity] for finding in facts.findings))
        drawn = named[:MAPS_UP_TO]
    return {facts.index for facts in drawn}


def entries(rows: Iterable[Measurement], measures: Descriptions, anchors: bool) -> list[Entry]:
    """Rows gathered by measure; what all statistics share is said once."""
    grouped: dict[str, list[Measurement]] = {}
    for row in rows:
        grouped.setdefault(row.measure, []).append(row)
    return [_entry(measure, found, measures, anchors) for measure, found in grouped.items()]


def _page(facts: Facts, columns: Sequence[Column], measures: Descriptions, maps: bool) -> LayerPage:
    layer = facts.layer
    series = facts.series
    charts = [
        histogram(series["c11.histogram"], facts.row) if "c11.histogram" in series else None,
        spectrum(series["spectrum"]) if "spectrum" in series else None,
        norms(series["filter-norms"]) if "filter-norms" in series else None,
    ]
    pictures = [
        corner_map(series["c11"]) if maps and "c11" in series else None,
        similarity_map(series["filter-similarity"])
        if maps and "filter-similarity" in series
        else None,
    ]
    severities = {str(finding.severity) for finding in facts.findings}
    return LayerPage(
        anchor=facts.anchor,
        index=facts.index,
        name=title(layer.name),
        short=title(layer.name, NAME_WIDTH),
        kind=layer.kind,
        shape=shape_text(layer.shape),
        assumed=layer.geometry if layer.geometry.startswith("assumed") else "",
        cells=tuple(column.cell(facts) for column in columns),
        spark=sparkline(series["c11.histogram"]) if "c11.histogram" in series else Markup(""),
        severity=next((s for s in ("serious", "warning", "note") if s in severities), ""),
        facts=tuple(_facts(layer)),
        note=layer.note,
        findings=facts.findings,
        charts=tuple(chart for chart in charts if chart),
        maps=tuple(picture for picture in pictures if picture),
        entries=tuple(entries(facts.rows.values(), measures, anchors=True)),
    )


def _facts(layer: LayerSummary) -> list[tuple[str, str]]:
    found = [
        ("kind", layer.kind),
        ("shape", shape_text(layer.shape)),
        ("stored as", layer.dtype),
        ("parameters", fixed(layer.parameters, 0)),
    ]
    if layer.stride:
        found.append(("stride", shape_text(layer.stride)))
    if layer.dilation and set(layer.dilation) != {1}:
        found.append(("dilation", shape_text(layer.dilation)))
    if layer.groups != 1:
        found.append(("groups", fixed(layer.groups, 0)))
    if layer.input_size:
        found.append(("input size", shape_text(layer.input_size)))
    if layer.geometry != "none needed":
        found.append(("geometry", layer.geometry))
    return found


def _entry(
    measure: str, rows: Sequence[Measurement], measures: Descriptions, anchors: bool
) -> Entry:
    described = measures.get(measure, {})
    methods = list(dict.fromkeys(row.method for row in rows if row.method))
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.statistic)
    common = _common_unit(rows)
    return Entry(
        measure=measure,
        symbol=described.get("symbol", ""),
        anchor=f"measure-{_identifier(measure)}" if anchors else "",
        unit=common,
        numbers=tuple(_number(row, common) for row in rows),
        method="; ".join(methods),
        notes=tuple(_note(note, stated, len(rows)) for note, stated in notes.items()),
    )


def _common_unit(rows: Sequence[Measurement]) -> str:
    """The unit of most rows: counts beside it name their own."""
    units = [row.unit for row in rows]
    return max(dict.fromkeys(units), key=units.count)


def _number(row: Measurement, common: str) -> Number:
    interval = ""
    if row.low is not None and row.high is not None:
        interval = f"{figure(row.low)} … {figure(row.high)}"
    text = shown(row)
    if row.unit not in {common, "count", "share"} and row.value is not None:
        text += f" {row.unit}"
    return Number("" if row.statistic == "value" else row.statistic, text, interval, row.note)


def _note(note: str, statistics: Sequence[str], total: int) -> str:
    if total == 1 or len(statistics) == total:
        return note
    if len(statistics) > 3:
        return f"{plural(len(statistics), 'statistic')}: {note}"
    return f"{', '.join(statistics)}: {note}"


def _identifier(name: str) -> str:
    """A name as part of an identifier: other characters as their code."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "-.") else f"_{ord(char):x}"
        for char in name
    )
