"""The parts of the page around the layers: findings, what was left out, what measures mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infoflow.render.activations import of_activations
from infoflow.render.html.words import figure, fixed, title
from infoflow.render.text import percent
from infoflow.render.view import Facts, by_severity
from infoflow.report import Finding, Report, Status, TensorRecord
from infoflow.words import and_more, shape_text

LINKS = 12
"""Layers of a finding that are named at once; the rest unfolds."""


@dataclass(frozen=True)
class FindingView:
    """A finding with the places of its layers in the page."""

    finding: Finding
    figures: str
    links: tuple[tuple[str, str, str], ...]
    rest: tuple[tuple[str, str, str], ...]
    more: str


@dataclass(frozen=True)
class LeftOut:
    """Tensors that share a status and a reason."""

    status: str
    reason: str
    count: str
    parameters: str
    share: str
    tensors: tuple[tuple[str, str, str], ...]


def finding_views(
    report: Report, layers: Sequence[Facts], sites: Mapping[str, str]
) -> list[FindingView]:
    """Findings, most serious first, each layer with its link (empty where it has no page).

    Args:
        report: Whose findings.
        layers: Of the report.
        sites: The place in the page of each site, by its name.
    """
    places: dict[str, str] = {}
    for facts in layers:
        places.setdefault(facts.layer.name, facts.anchor)
    views = []
    for finding in by_severity(report.findings):
        first, second = (sites, places) if of_activations(finding.measure) else (places, sites)
        links = tuple(
            (first.get(name) or second.get(name, ""), title(name, 40), title(name))
            for name in dict.fromkeys(finding.layers)
        )
        rest = links[LINKS:]
        views.append(
            FindingView(finding, _figures(finding), links[:LINKS], rest, and_more(len(rest)))
        )
    return views


def left_out(report: Report) -> list[LeftOut]:
    """Tensors that were not analysed, by status and reason, most parameters first."""
    groups: dict[tuple[Status, str], list[TensorRecord]] = {}
    for record in report.coverage.tensors:
        if record.status is not Status.ANALYSED:
            groups.setdefault((record.status, record.reason), []).append(record)
    total = report.coverage.parameters
    views = []
    for (status, reason), records in groups.items():
        size = sum(record.parameters for record in records if not record.shared_with)
        views.append(
            (
                status is not Status.NOT_SUPPORTED,
                -size,
                _left_out(status, reason, records, size, total),
            )
        )
    return [view for *_, view in sorted(views, key=lambda item: item[:2])]


def shared_tensors(report: Report) -> list[tuple[str, str]]:
    """Tied tensors and the tensor under which each is counted."""
    return [
        (title(record.name, 60), title(record.shared_with, 60))
        for record in report.coverage.tensors
        if record.shared_with
    ]


def pairs(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Settings and versions as lines."""
    return [(key, value) for key, value in values.items() if key != "command"]


def _figures(finding: Finding) -> str:
    parts = []
    if finding.value is not None:
        parts.append(f"{finding.measure} {figure(finding.value)}")
    if finding.threshold is not None:
        parts.append(f"threshold {figure(finding.threshold)}")
    return ", ".join(parts)


def _left_out(
    status: Status, reason: str, records: Sequence[TensorRecord], size: int, total: int
) -> LeftOut:
    return LeftOut(
        status=str(status),
        reason=reason,
        count=fixed(len(records), 0),
        parameters=fixed(size, 0),
        share=percent(size / total if total else 0.0),
        tensors=tuple(
            (title(record.name, 60), shape_text(record.shape), record.dtype) for record in records
        ),
    )
