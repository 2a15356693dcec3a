"""A layer's own page: what it is, its pictures, and every number with unit, method and note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.render.html.charts import Chart, histogram, norms, sparkline, spectrum
from infoflow.render.html.columns import Cell, Column
from infoflow.render.html.glossary import Glossary, clauses
from infoflow.render.html.heatmap import COARSE, FINE, HeatMap, corner_map, similarity_map
from infoflow.render.html.placings import placing_chart
from infoflow.render.html.words import THIN, counted, figure, fixed, shown, title
from infoflow.render.view import Facts, most_serious
from infoflow.report import Finding, LayerSummary, Measurement
from infoflow.words import shape_text

MAPS_UP_TO = 150
"""Layers up to which every one has its heat maps; beyond, those with findings, so many at most."""

LONG = 40
"""Layers beyond which the numbers behind a layer's charts are a line, not a table."""

NAME_WIDTH = 46


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
    marks: tuple[str, ...]
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
    nothing: tuple[Entry, ...]
    footnotes: tuple[tuple[str, str], ...]


def layer_pages(
    layers: Sequence[Facts], columns: Sequence[Column], glossary: Glossary
) -> list[LayerPage]:
    """The pages of all layers, in order."""
    mapped = with_maps(layers)
    shades = COARSE if len(mapped) > LONG else FINE
    return [
        _page(facts, columns, glossary, shades if facts.index in mapped else 0) for facts in layers
    ]


def with_maps(layers: Sequence[Facts]) -> set[int]:
    """Which layers get heat maps: all, or in a long network those that findings name."""
    drawn = [facts for facts in layers if {"c11", "filter-similarity"} & facts.series.keys()]
    if len(drawn) > MAPS_UP_TO:
        drawn = most_serious(drawn)[:MAPS_UP_TO]
    return {facts.index for facts in drawn}


def entries(
    rows: Iterable[Measurement], glossary: Glossary
) -> tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[tuple[str, str], ...]]:
    """Rows gathered by measure, counts that found nothing, and footnotes of shared methods.

    What all layers share of a method stands in the glossary; clauses that several measures of
    this layer share stand once, below the table.
    """
    grouped: dict[str, list[Measurement]] = {}
    for row in rows:
        grouped.setdefault(row.measure, []).append(row)
    empty = {measure for measure, found in grouped.items() if _found_nothing(found)}
    beyond: dict[str, Sequence[str]] = {
        measure: [] if measure in empty else _clauses(found, glossary.methods[measure])
        for measure, found in grouped.items()
    }
    uses = Counter(clause for said in beyond.values() for clause in said)
    shared = [clause for clause, count in uses.items() if count > 1]
    marks = {clause: str(place + 1) for place, clause in enumerate(shared)}
    told = tuple(
        _entry(measure, found, beyond[measure], marks, glossary)
        for measure, found in grouped.items()
    )
    return (
        tuple(entry for entry in told if entry.measure not in empty),
        tuple(entry for entry in told if entry.measure in empty),
        tuple((mark, clause) for clause, mark in marks.items()),
    )


def _found_nothing(rows: Sequence[Measurement]) -> bool:
    """Whether all that the measure counts is zero, and there is nothing to say about it."""
    return all(
        row.value == 0 and row.unit in {"count", "share"} and not row.note for row in rows
    ) and any(row.unit == "count" for row in rows)


def _clauses(rows: Sequence[Measurement], common: Sequence[str]) -> Sequence[str]:
    """What the methods say beyond what most layers share; all of it where they share less."""
    said = clauses(row.method for row in rows)
    if set(common) <= set(said):
        return [clause for clause in said if clause not in common]
    return said


def _page(facts: Facts, columns: Sequence[Column], glossary: Glossary, shades: int) -> LayerPage:
    layer = facts.layer
    series = facts.series
    charts = [
        histogram(series["c11.histogram"], facts.row) if "c11.histogram" in series else None,
        spectrum(series["spectrum"]) if "spectrum" in series else None,
        norms(series["filter-norms"]) if "filter-norms" in series else None,
        placing_chart(facts),
    ]
    pictures = [
        corner_map(series["c11"], shades) if shades and "c11" in series else None,
        similarity_map(series["filter-similarity"], layer.shape[0], shades)
        if shades and "filter-similarity" in series
        else None,
    ]
    told, nothing, footnotes = entries(facts.rows.values(), glossary)
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
        severity=facts.severity or "",
        facts=tuple(_facts(layer)),
        note=layer.note,
        findings=facts.findings,
        charts=tuple(chart for chart in charts if chart),
        maps=tuple(picture for picture in pictures if picture),
        entries=told,
        nothing=nothing,
        footnotes=footnotes,
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
    measure: str,
    rows: Sequence[Measurement],
    beyond: Sequence[str],
    marks: Mapping[str, str],
    glossary: Glossary,
) -> Entry:
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.statistic)
    common = _common_unit(rows)
    return Entry(
        measure=measure,
        symbol=glossary.descriptions.get(measure, {}).get("symbol", ""),
        anchor=glossary.anchors[measure],
        unit=common,
        numbers=tuple(_number(row, common) for row in rows),
        method="; ".join(clause for clause in beyond if clause not in marks),
        marks=tuple(marks[clause] for clause in beyond if clause in marks),
        notes=tuple(_note(note, stated, len(rows)) for note, stated in notes.items()),
    )


def _common_unit(rows: Sequence[Measurement]) -> str:
    """The unit of most rows: counts beside it name their own."""
    units = [row.unit for row in rows]
    return max(dict.fromkeys(units), key=units.count)


def _number(row: Measurement, common: str) -> Number:
    interval = ""
    if row.low is not None and row.high is not None:
        interval = f"{figure(row.low)}{THIN}…{THIN}{figure(row.high)}"
    text = shown(row)
    if row.unit not in {common, "count", "share"} and row.value is not None:
        text += f" {row.unit}"
    return Number("" if row.statistic == "value" else row.statistic, text, interval, row.note)


def _note(note: str, statistics: Sequence[str], total: int) -> str:
    if total == 1 or len(statistics) == total:
        return note
    if len(statistics) > 3:
        return f"{counted(len(statistics), 'statistic')}: {note}"
    return f"{', '.join(statistics)}: {note}"
