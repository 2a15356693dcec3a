"""The five figures that matter, each with its unit and the place that explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infoflow.render.html.words import THIN, counted, figure, fixed
from infoflow.render.text import percent
from infoflow.render.view import Facts
from infoflow.report import Finding, Report

FAR = "far-from-random"
"""The rule whose finding says which layers are far from their random twin, and from where on."""

WANTED = 5


@dataclass(frozen=True)
class Figure:
    """A number to see first: ``words`` say what it is, ``more`` what it leaves out."""

    text: str
    unit: str
    words: str
    more: str
    anchor: str
    alarm: bool = False


def key_figures(report: Report, layers: Sequence[Facts]) -> list[Figure]:
    """Five figures: the first five of a fixed order that this report has."""
    found = []
    for one in _candidates(report, layers):
        found.append(one)
        if len(found) == WANTED:
            break
    return found


def _candidates(report: Report, layers: Sequence[Facts]) -> Iterator[Figure]:
    makers = (_coverage, _corner, _volume, _infinite, _twin, _dense)
    for make in makers:
        one = make(report, layers)
        if one is not None:
            yield one
    linear = sum(facts.layer.kind != "normalisation" for facts in layers)
    serious = sum(finding.severity == "serious" for finding in report.findings)
    yield Figure(str(serious), "", "serious findings", "", "read-findings", serious > 0)
    yield Figure(str(linear), "", "linear layers looked at", "", "read-coverage")
    yield Figure(
        fixed(report.coverage.parameters, 0), "", "numbers stored in the file", "", "read-coverage"
    )
    yield Figure(str(len(report.measurements)), "", "figures computed", "", "read-measures")


def _coverage(report: Report, _: Sequence[Facts]) -> Figure:
    coverage = report.coverage
    more = f"{_percent(coverage.analysed)} analysed"
    if coverage.assumed:
        more += f", {_percent(coverage.assumed)} under an assumed geometry"
    words = f"of {fixed(coverage.parameters, 0)} parameters accounted for"
    short = _percent(coverage.accounted).removesuffix(f"{THIN}%")
    return Figure(short, "%", words, more, "read-coverage", coverage.accounted < 0.9)


def _corner(_: Report, layers: Sequence[Facts]) -> Figure | None:
    total = slices = zeros = 0.0
    for facts in layers:
        mean = facts.value("entropy-change.c11", "mean")
        count = facts.value("entropy-change.c11", "count") or 0.0
        zero = facts.value("entropy-change.c11", "zeros") or 0.0
        zeros += zero
        if mean is not None:
            # The count is of finite slices; a file that lacks it weighs its layers alike.
            total += mean * max(count, 1.0)
            slices += max(count, 1.0)
    if not slices:
        return None
    more = f"{counted(int(slices), 'slice')}"
    if zeros:
        more += f"; {fixed(zeros, 0)} more are zero (−∞) and left out"
    return Figure(
        fixed(total / slices, 2), "nats", "mean log|c₁₁| of a filter slice", more, "read-c11"
    )


def _volume(_: Report, layers: Sequence[Facts]) -> Figure | None:
    """Mean over the layers of one kind: convolutions where there are any, else dense layers."""
    for measure, words in (
        ("log-volume.density", "mean exact log-volume a channel of a convolution"),
        ("log-volume", "mean exact log-volume a unit of a dense layer"),
    ):
        rows = [(facts, row) for facts in layers if (row := facts.row(measure))]
        shares = [facts.a_channel(row) for facts, row in rows]
        finite = [share for share in shares if share is not None]
        if finite:
            more = counted(len(finite), "layer")
            left = sum(row.is_minus_infinity for _, row in rows)
            more += f"; {left} more at −∞ left out" if left else ""
            mean = sum(finite) / len(finite)
            return Figure(fixed(mean, 2), "nats", words, more, "read-volume")
    return None


def _infinite(_: Report, layers: Sequence[Facts]) -> Figure | None:
    rows = [row for facts in layers if (row := facts.volume)]
    words = "layers lose a direction outright: log-volume −∞"
    if not rows:
        rows = [row for facts in layers if (row := facts.row("entropy-change.c11", "mean"))]
        words = "layers in which every slice is zero: −∞"
    if not rows:
        return None
    lost = sum(row.is_minus_infinity for row in rows)
    return Figure(str(lost), f"of {len(rows)}", words, "", "read-infinity", lost > 0)


def far_limit(report: Report) -> float | None:
    """Standard errors from which on a layer counts as far from random, if a finding says so."""
    limits = [abs(one.threshold) for one in _far(report) if one.threshold is not None]
    return min(limits, default=None)


def _far(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.rule == FAR]


def _twin(report: Report, layers: Sequence[Facts]) -> Figure | None:
    far = {name for finding in _far(report) for name in finding.layers}
    if not far:
        return None
    scored = sum(any(name.startswith("random-twin.z-") for name, _ in one.rows) for one in layers)
    limit = far_limit(report)
    more = "" if limit is None else f"beyond ±{limit:.1f} standard errors"
    words = "layers are far from their random twin"
    return Figure(str(len(far)), f"of {max(scored, len(far))}", words, more, "read-twin")


def _dense(_: Report, layers: Sequence[Facts]) -> Figure | None:
    changes = [
        change
        for facts in layers
        if (change := facts.a_channel(facts.row("entropy-change.logdet"))) is not None
    ]
    if not changes:
        return None
    mean = sum(changes) / len(changes)
    more = counted(len(changes), "dense layer")
    return Figure(figure(mean, 3), "nats", "mean log|det| a unit of dense layers", more, "read-c11")


def _percent(share: float) -> str:
    return percent(share).rstrip("%").strip() + f"{THIN}%"
