"""What the measures of a report mean, and how each is computed, said once for all layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infoflow.report import Report

Descriptions = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class MeasureView:
    """A measure that the report uses, as its source describes it."""

    anchor: str
    name: str
    symbol: str
    unit: str
    summary: str
    source: str
    method: str


@dataclass(frozen=True)
class Glossary:
    """Of each measure by its stable name: its place in the page, its description, its method.

    ``methods`` holds the clauses that most layers' methods share; a layer's page names those of
    its method that go beyond them, or all where it lacks one of them.
    """

    anchors: Mapping[str, str]
    descriptions: Descriptions
    methods: Mapping[str, tuple[str, ...]]
    views: tuple[MeasureView, ...]


def glossary(report: Report, descriptions: Descriptions) -> Glossary:
    """The glossary of the measures that the report uses, in its order."""
    said: dict[str, dict[str, list[str]]] = {}
    units: dict[str, str] = {}
    for row in report.measurements:
        units.setdefault(row.measure, row.unit)
        said.setdefault(row.measure, {}).setdefault(row.layer, []).append(row.method)
    anchors = {measure: f"m{place + 1}" for place, measure in enumerate(units)}
    common = {measure: _common(list(layers.values())) for measure, layers in said.items()}
    views = tuple(
        MeasureView(
            anchor,
            measure,
            descriptions.get(measure, {}).get("symbol", ""),
            descriptions.get(measure, {}).get("unit", "") or units[measure],
            descriptions.get(measure, {}).get("summary", ""),
            descriptions.get(measure, {}).get("source", ""),
            "; ".join(common[measure]),
        )
        for measure, anchor in anchors.items()
    )
    return Glossary(anchors, descriptions, common, views)


def clauses(methods: Iterable[str]) -> tuple[str, ...]:
    """The clauses of the methods, each once.

    >>> clauses(["grid; LU", "exact; LU", ""])
    ('grid', 'LU', 'exact')
    """
    return tuple(dict.fromkeys(one for method in methods for one in method.split("; ") if one))


def _common(layers: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The clauses that more than half of the layers share, in their order."""
    counted = Counter(clause for methods in layers for clause in clauses(methods))
    return tuple(clause for clause, count in counted.items() if 2 * count > len(layers))
