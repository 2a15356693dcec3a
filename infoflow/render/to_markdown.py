"""A report as Markdown for the summary of a CI job or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from infoflow.render import ensemble, healthy, site_table, table
from infoflow.render.activations import gather_sites, reading
from infoflow.render.data_words import data_line, left_off_line
from infoflow.render.text import (
    base_name,
    coverage_sentences,
    headline,
    number,
    printable,
    shortened,
)
from infoflow.render.view import by_severity, gather
from infoflow.report import Finding, Report, Severity, Status
from infoflow.words import and_more, counted, shape_text

LISTED_TENSORS = 100
"""Tensors that were not analysed are listed up to this many; a job summary is cut at 1 MiB."""
NAME_WIDTH = 80
NAMELESS = "(no name)"

_MARKS = {Severity.SERIOUS: "❗", Severity.WARNING: "⚠️", Severity.NOTE: "·"}

# Always markup; at the edge of a word; at the start of a line; before and inside a bare link.
_MARKUP = re.compile(
    r"[\\`*{}\[\]<>&|#~$^]|(?<![^\W_])[_-]|[_-](?![^\W_])|^[+=]|:(?=//)|(?<=www)\.", re.I
)
_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def to_markdown(report: Report, summary: str = "") -> str:
    """The report as GitHub-flavoured Markdown: findings, layers, sites, what was not analysed.

    Args:
        report: What was found.
        summary: The one line above the findings.
    """
    lines = [
        *_head(report, summary),
        *_findings(report),
        *_layers(report),
        *_activations(report),
        *_ensemble(report),
        *_coverage(report),
    ]
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


def _head(report: Report, summary: str) -> Iterator[str]:
    # The line below says the file's name; a heading needs no more than a short one.
    yield f"## infoflow: {escaped(base_name(report))}"
    yield ""
    yield escaped(headline(report))
    yield ""
    if summary:
        yield f"**{escaped(summary)}**"
        yield ""
    yield from (f"- {escaped(note)}" for note in report.notes)
    yield ""


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "### Findings"
    yield ""
    yield from map(_finding, by_severity(report.findings))
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


# Of a slice first, then of the whole layer: the two do not compare.
_COLUMNS = {
    "mean log|c₁₁| a slice": table.CORNER,
    "random z": table.RANDOM,
    "block c₁₁ or log|det|": table.BOUND,
    "log-volume": table.VOLUME,
}


def _layers(report: Report) -> Iterator[str]:
    every, _ = gather(report)
    layers = [facts for facts in every if facts.layer.kind != "normalisation"] or every
    if not layers:
        return
    yield "### Layers"
    yield ""
    placed = ["healthy, %"] if any(map(healthy.placings, layers)) else []
    yield table_line(["layer", "shape", *map(escaped, _COLUMNS), "rank", *placed])
    yield table_line([":---", ":---", *["---:"] * (len(_COLUMNS) + 1 + len(placed))])
    for facts in layers:
        name, shape = name_cell(facts.layer.name), shape_text(facts.layer.shape)
        numbers = [table.cell_text([facts], column) for column in _COLUMNS.values()]
        span = [escaped(healthy.span_text(facts))] if placed else []
        yield table_line([name, shape, *numbers, table.rank_text([facts]), *span])
    yield ""
    yield escaped(
        "Nats. Of a slice: log|c₁₁|, its mean over the layer's filter slices, and its distance "
        "from a random layer in standard errors. Of the whole layer, a position of its output: "
        "block c₁₁ (of dense layers log|det W_sq|) and log-volume. −∞: an exact zero or a lost "
        "rank."
    )
    if placed:
        yield ""
        yield escaped(f"Healthy: from the lowest to the highest of its {healthy.READING}.")
    norms = len(report.layers) - len(layers)
    if norms:
        yield ""
        yield f"{counted(norms, 'normalisation layer')} not listed."
    yield ""


def _activations(report: Report) -> Iterator[str]:
    """The data, the outputs, and the table of sites; nothing where there were no data."""
    if report.data is None and not report.sites:
        return
    yield "### Activations"
    yield ""
    if line := data_line(report):
        yield escaped(line)
        yield ""
    activations = gather_sites(report)
    sites = site_table.shown(activations, unfold=False)
    columns = site_table.used(sites)
    if columns:
        yield table_line(["site", *(escaped(_one_line(column.heading)) for column in columns)])
        yield table_line([":---", *(":---" if column.left else "---:" for column in columns)])
        for one in sites:
            cells = [escaped(column.cell(one)) for column in columns]
            yield table_line([name_cell(one.site.name), *cells])
        yield ""
    said = [*site_table.legend(sites, [column.heading for column in columns]), *reading(sites)]
    if hidden := len(activations.sites) - len(sites):
        said.append(f"{counted(hidden, 'site')} off the chain not listed")
    said.append(left_off_line(report))
    yield escaped(" ".join(f"{line[:1].upper()}{line[1:]}." for line in said if line))
    yield ""


def _one_line(heading: str) -> str:
    return heading.replace("-\n", "-").replace("\n", " ")


def name_cell(name: str) -> str:
    """A layer's name for a cell, never empty."""
    return escaped(shortened(printable(name), NAME_WIDTH)) or NAMELESS


def _ensemble(report: Report) -> Iterator[str]:
    """The entropy as a sum, the members, and the samples that they are least sure of."""
    if not report.members:
        return
    yield f"**{escaped(ensemble.decomposition(report))}**"
    yield ""
    for one in [*ensemble.tables(report), ensemble.sample_table(report)]:
        if one is not None:
            yield f"### {escaped(one.title)}"
            yield ""
            yield table_line(list(map(escaped, one.head)))
            yield table_line([":---", *["---:"] * (len(one.head) - 1)])
            for row in one.rows:
                yield table_line([escaped(cell) for cell in row])
            yield ""
            yield escaped(one.note) + "."
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
    yield f"<details><summary>Not analysed: {counted(len(left), 'tensor')}</summary>"
    yield ""
    yield table_line(["tensor", "shape", "status", "reason"])
    yield table_line([":---"] * 4)
    for record in left[:LISTED_TENSORS]:
        shape = shape_text(record.shape)
        yield table_line(
            [name_cell(record.name), shape, str(record.status), escaped(record.reason)]
        )
    if len(left) > LISTED_TENSORS:
        yield ""
        yield and_more(len(left) - LISTED_TENSORS)
    yield ""
    yield "</details>"


def table_line(cells: Sequence[str]) -> str:
    """A line of a table; the cells are escaped already."""
    return f"| {' | '.join(cells)} |"
