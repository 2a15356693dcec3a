"""A report as Markdown for the summary of a CI job or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infoflow.render.text import ABSENT, number_text, row_text, shape_text, shortened, visible
from infoflow.report import LayerSummary, Report, Severity, Status, TensorRecord

LISTED_TENSORS = 100
"""Tensors that were not analysed are named up to this many; a job summary is cut at 1 MiB."""

_MARKS = {Severity.SERIOUS: "❗", Severity.WARNING: "⚠️", Severity.NOTE: "·"}

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&|#~$!@:+=()^-]")


def to_markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown: findings, table of layers, what was not analysed."""
    parts = [*_head(report), *_findings(report), *_layers(report), *_coverage(report)]
    return "\n".join(parts).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    r"""Text that no Markdown reader takes for markup, in a table's cell or outside.

    Characters that could mean something become character references, which cannot be structure
    (CommonMark §2.5). Between letters and digits, where they mean nothing, ``_ - : = + ( )``
    stay as they are, so that names can be read in the source.

    >>> escaped("layer_1.0|<b>")
    'layer_1.0&#124;&lt;b&gt;'
    """
    shown = visible(text)
    out = []
    for index, character in enumerate(shown):
        if not _SPECIAL.match(character) or _is_harmless(shown, index):
            out.append(character)
        else:
            out.append(_ENTITIES.get(character) or f"&#{ord(character)};")
    # What is left that can mean something: a leading list number, a bare link, blanks at the ends.
    joined = re.sub(r"^(\d+)\.", r"\1&#46;", "".join(out))
    joined = re.sub(r"(?i)\bwww\.", lambda match: match.group()[:-1] + "&#46;", joined)
    return re.sub(r"^ +| +$", lambda match: "&#32;" * len(match.group()), joined)


_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def _is_harmless(text: str, index: int) -> bool:
    inside = 0 < index < len(text) - 1
    return (
        text[index] in "_-"
        and inside
        and text[index - 1].isalnum()
        and text[index + 1].isalnum()
    ) or (text[index] in ":()=+-" and index > 0 and text[index + 1 : index + 2] not in ("/", "-"))


def _head(report: Report) -> Iterator[str]:
    yield f"## infoflow: {escaped(report.source)}"
    yield ""
    facts = [escaped(report.format)]
    if report.architecture:
        facts.append(f"{escaped(report.architecture)} recognised")
    facts.append(f"{report.coverage.parameters:,} parameters")
    facts.append(f"{_percent(report.coverage.accounted)} accounted for")
    facts.append(_counted(len(report.layers), "layer"))
    facts.append(_tally(report))
    yield " · ".join(facts)
    yield ""
    for note in report.notes:
        yield f"- {escaped(note)}"
    if report.notes:
        yield ""


def _tally(report: Report) -> str:
    counts = [
        f"{sum(finding.severity is severity for finding in report.findings)} {severity.value}"
        for severity in Severity
        if any(finding.severity is severity for finding in report.findings)
    ]
    number = _counted(len(report.findings), "finding")
    return f"**{number}** ({', '.join(counts)})" if counts else "**no findings**"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "### Findings"
    yield ""
    order = list(Severity)
    for finding in sorted(report.findings, key=lambda finding: order.index(finding.severity)):
        figure = ""
        if finding.value is not None:
            figure = f" ({escaped(finding.measure)} {number_text(finding.value)}"
            if finding.threshold is not None:
                figure += f", threshold {number_text(finding.threshold)}"
            figure += ")"
        mark = _MARKS[finding.severity]
        sentence = f"{escaped(finding.sentence)}{figure}"
        yield f"- {mark} **{finding.severity.value}**: {sentence} {escaped(finding.advice)}".rstrip()
    yield ""


@dataclass(frozen=True)
class _Column:
    title: str
    cell: Callable[[Report, LayerSummary], str]
    right: bool = True


def _first(report: Report, layer: LayerSummary, *measures: str, statistic: str = "value") -> str:
    """The number of the first of these measures that the layer has."""
    for measure in measures:
        row = report.row(layer.name, measure, statistic)
        if row is not None:
            text = row_text(row)
            if row.value is not None and row.low is not None and row.high is not None:
                half = (row.high - row.low) / 2
                # Only where the interval is wider than the digits shown.
                wide = number_text(row.value + half) != number_text(row.value)
                text += f" ± {number_text(half)}" if wide else ""
            return text
    return ABSENT


def _rank(report: Report, layer: LayerSummary) -> str:
    rank = report.row(layer.name, "rank")
    full = report.row(layer.name, "rank", "full")
    text = row_text(rank)
    return text if full is None or full.value is None else f"{text}/{row_text(full)}"


# The columns between the bars are numbers of a slice, of a layer, and counts: they do not compare.
_COLUMNS = (
    _Column("layer", lambda report, layer: escaped(layer.name) or "(no name)", right=False),
    _Column("shape", lambda report, layer: shape_text(layer.shape), right=False),
    _Column(
        "mean log&#124;c₁₁&#124; a slice",
        lambda report, layer: _first(report, layer, "entropy-change.c11", statistic="mean"),
    ),
    _Column("random z", lambda report, layer: _first(report, layer, "random-twin.z-mean")),
    _Column(
        "block c₁₁",
        lambda report, layer: _first(
            report,
            layer,
            "entropy-change.block-c11",
            "entropy-change.logdet",
            "entropy-change.normalisation",
        ),
    ),
    _Column(
        "log-volume",
        lambda report, layer: _first(report, layer, "log-volume.density", "log-volume"),
    ),
    _Column("rank", _rank),
)


def _layers(report: Report) -> Iterator[str]:
    if not report.layers:
        return
    yield "### Layers"
    yield ""
    yield _table_line([column.title for column in _COLUMNS])
    yield _table_line(["---:" if column.right else ":---" for column in _COLUMNS])
    for layer in report.layers:
        yield _table_line([column.cell(report, layer) for column in _COLUMNS])
    yield ""
    yield (
        "Nats. Per slice: log&#124;c₁₁&#124; of one filter slice, its mean over the layer, and how "
        "many standard errors it lies from a random layer of the same spread. Per layer and "
        "position of its output: block c₁₁ and log-volume; for dense layers log&#124;det W_sq&#124; "
        "and log-volume, for normalisation layers Σ log&#124;γ/σ&#124;. "
        f"−∞: an exact zero or a lost rank; {ABSENT}: not defined or not computed."
    )
    yield ""


def _coverage(report: Report) -> Iterator[str]:
    coverage = report.coverage
    if not coverage.tensors:
        return
    yield "### Coverage"
    yield ""
    yield (
        f"{_percent(coverage.accounted)} of {coverage.parameters:,} parameters accounted for, "
        f"{_percent(coverage.analysed)} analysed"
        + (f", {_percent(coverage.assumed)} under an assumed geometry." if coverage.assumed else ".")
    )
    yield ""
    left = [record for record in coverage.tensors if record.status is not Status.ANALYSED]
    # What is not supported matters most: it goes first, and is never cut.
    missing = [record for record in left if record.status is Status.NOT_SUPPORTED]
    others = [record for record in left if record.status is not Status.NOT_SUPPORTED]
    yield from _not_analysed(missing, others[: max(LISTED_TENSORS - len(missing), 0)], len(others))


def _not_analysed(
    missing: Sequence[TensorRecord], others: Sequence[TensorRecord], total: int
) -> Iterator[str]:
    if not missing and not total:
        return
    count = len(missing) + total
    yield f"<details><summary>Not analysed: {_counted(count, 'tensor')}</summary>"
    yield ""
    yield _table_line(["tensor", "shape", "status", "reason"])
    yield _table_line([":---"] * 4)
    for record in (*missing, *others):
        yield _table_line(
            [
                escaped(record.name) or "(no name)",
                shape_text(record.shape),
                record.status.value,
                escaped(record.reason),
            ]
        )
    if len(others) < total:
        yield ""
        yield f"and {total - len(others):,} more that are not linear maps or were not selected"
    yield ""
    yield "</details>"
    yield ""


def _table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    """A share that says 100 % only where nothing is missing."""
    if 0.999 < share < 1.0:
        return "99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
