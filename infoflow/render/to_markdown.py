"""A report as Markdown for the summary of a CI job or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from infoflow.render import table
from infoflow.render.text import (
    coverage_sentences,
    headline,
    number,
    printable,
    shape_text,
    shortened,
)
from infoflow.report import Finding, Report, Severity, Status

LISTED_TENSORS = 100
"""Tensors that were not analysed are listed up to this many; a job summary is cut at 1 MiB."""
NAME_WIDTH = 80
COLUMNS_AT = 80
"""The columns are those of a terminal of this width."""
NO_FINDINGS = "**No findings**"
NAMELESS = "(no name)"

_MARKS = {Severity.SERIOUS: "❗", Severity.WARNING: "⚠️", Severity.NOTE: "·"}

# Always markup; at the edge of a word; at the start of a line; before and inside a bare link.
_MARKUP = re.compile(
    r"[\\`*{}\[\]<>&|#~$^]|(?<![^\W_])[_-]|[_-](?![^\W_])|^[+=]|:(?=//)|(?<=www)\.", re.I
)
_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def to_markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown: findings, table of layers, what was not analysed."""
    lines = [*_head(report), *_findings(report), *_layers(report), *_coverage(report)]
    return "\n".join(lines).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    r"""Text that no Markdown reader takes for markup, in a table's cell or outside.

    Characters that could mean something become character references, which cannot be structure
    (CommonMark §2.5); ``_`` and ``-`` inside a word mean nothing and stay, so that names can be
    read in the source. An empty comment keeps ``@name`` from calling somebody.

    >>> escaped("layer_1.0|<b>")
    'layer_1.0&#124;&lt;b&gt;'
    """
    safe = _MARKUP.sub(_reference, printable(text))
    safe = re.sub(r"^(\d+)([.)])(?=\s|$)", lambda match: f"{match[1]}&#{ord(match[2])};", safe)
    safe = re.sub(r"^\s+|\s+$", lambda match: "".join(f"&#{ord(c)};" for c in match[0]), safe)
    return safe.replace("@", "@<!-- -->")


def _reference(match: re.Match[str]) -> str:
    return _NAMED.get(match[0]) or f"&#{ord(match[0])};"


def _head(report: Report) -> Iterator[str]:
    # The line below says the file's name; a heading needs no more than a short one.
    yield f"## infoflow: {escaped(report.source.rstrip('/').rpartition('/')[2])}"
    yield ""
    yield escaped(headline(report))
    yield ""
    yield _tally(report.findings)
    yield ""
    yield from (f"- {escaped(note)}" for note in report.notes)
    yield ""


def _tally(findings: Sequence[Finding]) -> str:
    counts = {severity: sum(f.severity is severity for f in findings) for severity in Severity}
    said = [
        _counted(count, str(severity)) if severity is not Severity.SERIOUS else f"{count} serious"
        for severity, count in counts.items()
        if count
    ]
    return f"**{_counted(len(findings), 'finding')}**: {', '.join(said)}" if said else NO_FINDINGS


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "### Findings"
    yield ""
    for severity in Severity:
        for finding in report.findings:
            if finding.severity is severity:
                yield _finding(finding)
    yield ""


def _finding(finding: Finding) -> str:
    figure = ""
    if finding.value is not None:
        figure = f" ({escaped(finding.measure)} {number(finding.value)}"
        if finding.threshold is not None:
            figure += f", threshold {number(finding.threshold)}"
        figure += ")"
    words = " ".join(filter(None, (escaped(finding.sentence), escaped(finding.advice))))
    return f"- {_MARKS[finding.severity]} **{finding.severity}**: {words}{figure}"


def _layers(report: Report) -> Iterator[str]:
    columns = table.columns(report, COLUMNS_AT)
    rows = table.rows(report, columns, unfold=True, norms=False)
    if not rows:
        return
    headings = [escaped(_on_one_line(column.heading)) for column in columns]
    yield "### Layers"
    yield ""
    yield _line(["layer", "shape", *headings, "rank"])
    yield _line([":---", ":---", *["---:"] * (len(columns) + 1)])
    for row in rows:
        name = escaped(shortened(row.name, NAME_WIDTH)) or NAMELESS
        yield _line([name, row.shape, *row.cells, row.rank])
    yield ""
    yield escaped(
        "Nats. Left: of one filter slice (mean of log|c₁₁| over the layer, and its distance from a "
        "random layer in standard errors). Right: of the whole layer, a position of its output "
        "(block c₁₁ or, for dense layers, log|det W_sq|; log-volume). −∞: an exact zero or a lost "
        "rank."
    )
    yield ""


def _coverage(report: Report) -> Iterator[str]:
    if not report.coverage.tensors:
        return
    yield "### Coverage"
    yield ""
    yield escaped("; ".join(coverage_sentences(report))) + "."
    yield ""
    # What is not supported comes first: it is what a reader may miss.
    order = (Status.NOT_SUPPORTED, Status.NOT_SELECTED, Status.NOT_LINEAR)
    left = [record for status in order for record in report.coverage.with_status(status)]
    if not left:
        return
    yield f"<details><summary>Not analysed: {_counted(len(left), 'tensor')}</summary>"
    yield ""
    yield _line(["tensor", "shape", "status", "reason"])
    yield _line([":---"] * 4)
    for record in left[:LISTED_TENSORS]:
        shape = shape_text(record.shape)
        name = escaped(shortened(printable(record.name), NAME_WIDTH)) or NAMELESS
        yield _line([name, shape, str(record.status), escaped(record.reason)])
    if len(left) > LISTED_TENSORS:
        yield ""
        yield f"and {len(left) - LISTED_TENSORS:,} more"
    yield ""
    yield "</details>"


def _on_one_line(heading: str) -> str:
    """A two-line heading on one; a word broken at its hyphen is whole again."""
    return heading.replace("-\n", "-").replace("\n", " ")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
