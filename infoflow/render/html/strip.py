"""The five figures that matter, each with its unit and the place that explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infoflow.render.html.facts import Facts
from infoflow.render.html.words import THIN, figure, fixed, plural
from infoflow.render.text import percent
from infoflow.report import Report

FAR = 4.0
"""Standard errors from the twin that count as far: one layer in 16,000 by chance."""

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
    more = f"{plural(int(slices), 'slice')}"
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
        rows = [(row, facts) for facts in layers if (row := facts.row(measure))]
        finite = [row.value / facts.full_rank for row, facts in rows if row.value is not None]
        if finite:
            more = plural(len(finite), "layer")
            left = sum(row.is_minus_infinity for row, _ in rows)
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


def _twin(_: Report, layers: Sequence[Facts]) -> Figure | None:
    scores = [z for facts in layers if (z := facts.value("random-twin.z-mean")) is not None]
    if not scores:
        return None
    far = sum(abs(z) > FAR for z in scores)
    words = "layers are far from their random twin"
    more = f"more than {FAR:.0f} standard errors in the mean"
    return Figure(str(far), f"of {len(scores)}", words, more, "read-twin")


def _dense(_: Report, layers: Sequence[Facts]) -> Figure | None:
    changes = [
        value / facts.full_rank
        for facts in layers
        if (value := facts.value("entropy-change.logdet")) is not None
    ]
    if not changes:
        return None
    mean = sum(changes) / len(changes)
    more = plural(len(changes), "dense layer")
    return Figure(figure(mean, 3), "nats", "mean log|det| a unit of dense layers", more, "read-c11")


def _percent(share: float) -> str:
    return percent(share).rstrip("%").strip() + f"{THIN}%"
