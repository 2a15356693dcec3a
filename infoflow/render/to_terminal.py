"""The report in a terminal: read in ten seconds, 80 columns wide or wider."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from infoflow.render import healthy, terminal_ensemble, terminal_sites
from infoflow.render import table as layer_table
from infoflow.render.activations import of_activations
from infoflow.render.data_words import data_line, data_parts
from infoflow.render.ensemble import decomposition
from infoflow.render.terminal_columns import NAME_WIDTH, Shown, empty_table, fitting
from infoflow.render.text import coverage_sentences, headline, number, printable, shortened
from infoflow.render.view import gather
from infoflow.report import Finding, LayerSummary, Report, Severity, Status, TensorRecord
from infoflow.words import and_more, counted, shape_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MARKS = {Severity.SERIOUS: "‼", Severity.WARNING: "!", Severity.NOTE: "·"}
STYLES = {Severity.SERIOUS: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_BAR_WIDTH = 10


def to_terminal(
    report: Report,
    console: Console,
    *,
    summary: str = "",
    verbose: bool = False,
    unfold: bool = False,
    hint: str = "",
) -> None:
    """Print a report.

    Args:
        report: What was found.
        console: Where to; its width decides which columns are shown.
        summary: The one line above the findings.
        verbose: Normalisation layers, notes and every tensor that was not analysed as well.
        unfold: One line for each layer, however many.
        hint: The last line: what to do next.
    """
    for part in _parts(report, console.width, summary, verbose, unfold, hint):
        console.print(part)


def _parts(
    report: Report, width: int, summary: str, verbose: bool, unfold: bool, hint: str
) -> list[RenderableType]:
    parts: list[RenderableType] = [wrapped(headline(report), width, style="bold")]
    if report.notes:
        parts.append(wrapped(sentences(report.notes), width, style="dim"))
    if report.members:
        parts += _ensemble(report, width)
    else:
        parts += ["", _layers(report, width, verbose, unfold)]
        parts += [wrapped(line, width, " ", "dim") for line in _legend(report, verbose, unfold)]
        if verbose:
            parts += _healthy(report, width, unfold)
        if report.sites or report.data is not None:
            parts += _sites(report, width, verbose, unfold)
    parts += ["", wrapped(summary, width, " ", "bold")]
    parts += [_finding(finding, width) for finding in report.findings]
    if said := "; ".join(coverage_sentences(report)):
        parts += ["", wrapped(said, width, " ", "dim")]
    if verbose:
        parts += [wrapped(line, width, " ") for line in _records(report)]
    if hint:
        parts += ["", wrapped(hint, width, " ", "dim")]
    return parts


def _ensemble(report: Report, width: int) -> list[RenderableType]:
    """The data, the entropy as a sum, the members, and the samples that they are least sure of."""
    assert report.data is not None
    data = " · ".join(filter(None, data_parts(report.data)))
    parts: list[RenderableType] = [wrapped(data, width), ""]
    parts.append(wrapped(decomposition(report), width, " ", "bold"))
    for title, table, note in terminal_ensemble.tables(report, width):
        parts += ["", wrapped(title, width, " ", "bold"), table, wrapped(note, width, " ", "dim")]
    return parts


def _sites(report: Report, width: int, verbose: bool, unfold: bool) -> list[RenderableType]:
    """The data, the table of sites, and what the figures are."""
    above = wrapped(data_line(report), width, style="bold")
    if not report.sites:
        return ["", above]
    table = terminal_sites.sites_table(report, width, unfold)
    headings = [str(column.header) for column in table.columns]
    said = terminal_sites.sentences(report, headings, verbose=verbose, unfold=unfold)
    return ["", above, "", table, *(wrapped(line, width, " ", "dim") for line in said)]


def sentences(notes: Sequence[str]) -> str:
    """Notes as running text: each with a capital and a full stop."""
    return " ".join(note[:1].upper() + note[1:].rstrip(".") + "." for note in notes if note)


def wrapped(text: str, width: int, indent: str = "", style: str = "") -> Text:
    """The text over as many lines as it needs, control characters escaped."""
    lines = wrap(printable(text), max(width, 20), initial_indent=indent, subsequent_indent=indent)
    return Text("\n".join(lines), style=style)


def _layers(report: Report, width: int, verbose: bool, unfold: bool) -> Table:
    columns, lines = layer_table.rows(report, unfold=unfold, norms=verbose)
    longest = max(cell_len(name) for name in ("layer", *(line.name for line in lines)))
    shown, name_width = fitting(_shown(columns, lines), longest, width)
    table = empty_table()
    for column in shown:
        bar = column.of_layer and not any(c.of_layer for c in shown[: shown.index(column)])
        if bar:
            table.add_column("", width=1, no_wrap=True, style="dim")
        table.add_column(column.heading, justify=column.justify, no_wrap=True, vertical="bottom")
    styles = _styles(report)
    for index, line in enumerate(lines):
        cells: list[Text] = []
        for place, column in enumerate(shown):
            if column.of_layer and not any(c.of_layer for c in shown[:place]):
                cells.append(Text("│"))
            cells.append(column.cells[index])
        style = next((styles[name] for name in line.layers if name in styles), "")
        cells[0] = Text(shortened(line.name, name_width), style=style)
        table.add_row(*cells)
    return table


def _shown(columns: Sequence[layer_table.Column], lines: Sequence[layer_table.Row]) -> list[Shown]:
    """Every column there is something for, the layer's name first."""
    shown = [
        Shown(-1, "layer", [Text(line.name) for line in lines], "left"),
        Shown(layer_table.SHAPE, "shape", [Text(line.shape, "dim") for line in lines], "left"),
    ]
    for place, column in enumerate(columns):
        cells = [
            Text(line.cells[place], "bold red" if line.cells[place].startswith("−∞") else "")
            for line in lines
        ]
        shown.append(Shown(column.rank, column.heading, cells, "right", column.of_layer))
    if any(line.rank for line in lines):
        shown.append(Shown(layer_table.RANK, "rank", [_rank(line.rank) for line in lines]))
    profile = [line.profile for line in lines if line.profile is not None]
    if profile:
        bars = [_bar(line.profile, (min(profile), max(profile))) for line in lines]
        shown.append(Shown(layer_table.PROFILE, "a channel", bars, "left"))
    return shown


def _healthy(report: Report, width: int, unfold: bool) -> list[RenderableType]:
    """The percentiles of each placed layer, and how to read them; nothing where none is placed."""
    every, _ = gather(report)
    found = [facts for facts in every if healthy.placings(facts)]
    shown = [one for one in healthy.PLACED if any(one.row(facts) for facts in found)]
    if not shown:
        return []
    groups = layer_table.groups(found, unfold=unfold, norms=False)
    names = [layer_table.line_name(group) for group in groups]
    longest = max(map(cell_len, ("healthy, %", *names)))
    columns = [
        (one.heading.split("\n"), [healthy.group_text(group, one) for group in groups])
        for one in shown
    ]
    while (room := _room(columns, width)) < min(longest, NAME_WIDTH) and len(columns) > 1:
        columns = columns[:-1]
    table = empty_table()
    table.add_column("among\nhealthy, %", no_wrap=True, vertical="bottom")
    for heading, _ in columns:
        table.add_column("\n".join(heading), justify="right", no_wrap=True, vertical="bottom")
    for place, name in enumerate(names):
        texts = [cells[place] for _, cells in columns]
        styled = (Text(text, style="yellow" if text in {"0", "100"} else "") for text in texts)
        table.add_row(Text(shortened(name, room)), *styled)
    said = f"{healthy.READING}; {report.settings.get('reference', '')}".rstrip("; ")
    return ["", table, wrapped(said, width, " ", "dim")]


def _room(columns: Sequence[tuple[list[str], list[str]]], width: int) -> int:
    """Width that is left for names beside these columns (lines of the heading, cells)."""
    widths = (max(map(cell_len, (*heading, *cells))) for heading, cells in columns)
    return width - sum(one + 2 for one in widths) - 2


def _styles(report: Report) -> dict[str, str]:
    """Colour of each layer that has a finding to act on."""
    return {
        name: STYLES[finding.severity]
        for finding in reversed(report.findings)
        for name in finding.layers
        if finding.severity is not Severity.NOTE and not of_activations(finding.measure)
    }


def _rank(text: str) -> Text:
    rank, _, full = text.partition("/")
    return Text(text, style="" if rank == full or not full else "yellow")


def _bar(value: float | None, scale: tuple[float, float]) -> Text:
    """A bar from the lowest of the network's layers to this one, and its figure."""
    if value is None:
        return Text("")
    low, high = scale
    share = (value - low) / (high - low) if high > low else 1.0
    eighths = max(round(share * _BAR_WIDTH * 8), 1)
    bar = "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")
    return Text(f"{number(value):>6} ").append(bar, style="blue")


def _legend(report: Report, verbose: bool, unfold: bool) -> list[str]:
    layers = [layer for layer in report.layers if layer.kind != "normalisation"]
    lines = [_units(report, layers)]
    if report.settings.get("fast", "no") != "no":
        lines.append("--fast: tolerances ten times coarser")
    if len(layers) > layer_table.FOLD_FROM and not unfold:
        lines.append("(n): n layers of one shape, medians shown; --layers '*' unfolds them")
    norms = len(report.layers) - len(layers)
    if norms and layers and not verbose:
        changes = [
            row.value
            for row in report.rows(measure="entropy-change.normalisation", statistic="value")
            if row.value is not None
        ]
        spread = f": {number(min(changes), 1)} to {number(max(changes), 1)}" if changes else ""
        lines.append(f"{counted(norms, 'normalisation layer')}{spread} (--verbose lists them)")
    if said := healthy.sentence(gather(report)[0]):
        lines.append(said if verbose else f"{said} (--verbose says where)")
    assumed = {layer.geometry for layer in layers if layer.geometry.startswith("assumed")}
    lines += [
        f"geometry is not in the file: {words} (--arch gives it)" for words in sorted(assumed)
    ]
    return lines


def _units(report: Report, layers: Sequence[LayerSummary]) -> str:
    """What the numbers are: units, per what, and how wide the intervals of the estimates."""
    text = "nats; block c₁₁ and log-volume a layer and position of its output, dense layers whole"
    if any(layer.kind == "transposed convolution" for layer in layers):
        text += ", transposed ones a position of their input"
    halves = [
        (row.high - row.low) / 2
        for row in report.rows(measure="log-volume.density", statistic="value")
        if row.low is not None and row.high is not None and row.high > row.low
    ]
    if halves:
        text += f"; log-volume within ±{number(max(halves), 2)} (95\xa0%)"
    if report.rows(measure="rank", statistic="full"):
        text += "; a channel: log-volume ÷ full rank"
    return text


def _finding(finding: Finding, width: int) -> Text:
    sentence, advice = printable(finding.sentence), printable(finding.advice)
    lines = wrap(f"{sentence} {advice}", max(width - 3, 20))
    body = Text("\n".join(f"   {line}" for line in lines)[3:])
    return Text(f" {MARKS[finding.severity]} ", style=STYLES[finding.severity]).append(body)


def _records(report: Report) -> list[str]:
    """Tensors that were not analysed, one line a reason."""
    left = [r for r in report.coverage.tensors if r.status is not Status.ANALYSED]

    def key(record: TensorRecord) -> tuple[str, str]:
        return (record.status.value, record.reason)

    lines: list[str] = []
    for (status, reason), group in groupby(sorted(left, key=key), key=key):
        records = list(group)
        names = ", ".join(f"{r.name} {shape_text(r.shape)}" for r in records[:4])
        lines.append(f"{status}: {reason}: {names} {and_more(len(records) - 4)}".rstrip())
    return lines
