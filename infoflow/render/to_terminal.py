"""The report in a terminal: read in ten seconds, 80 columns wide or wider."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from infoflow.render import table as layer_table
from infoflow.render.text import (
    counted,
    coverage_sentences,
    headline,
    number,
    printable,
    shape_text,
    shortened,
)
from infoflow.report import Finding, Report, Severity, Status, TensorRecord

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MARKS = {Severity.SERIOUS: "‼", Severity.WARNING: "!", Severity.NOTE: "·"}
STYLES = {Severity.SERIOUS: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_BAR_WIDTH = 12
_BAR_FROM = 92


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
    parts: list[RenderableType] = [_wrapped(headline(report), width, style="bold"), ""]
    parts += [_layers(report, width, verbose, unfold)]
    parts += [_wrapped(line, width, " ", "dim") for line in _legend(report, verbose, unfold)]
    parts += ["", _wrapped(summary, width, " ", "bold")]
    parts += [_finding(finding, width) for finding in report.findings]
    parts += ["", _wrapped("; ".join(coverage_sentences(report)), width, " ", "dim")]
    if verbose:
        parts += [_wrapped(line, width, " ") for line in _records(report)]
        parts += [_wrapped(note, width, " ", "dim") for note in report.notes]
    if hint:
        parts += ["", _wrapped(hint, width, " ", "dim")]
    return parts


def _wrapped(text: str, width: int, indent: str = "", style: str = "") -> Text:
    """The text over as many lines as it needs, control characters escaped."""
    lines = wrap(
        printable(text), max(width, 20), initial_indent=indent, subsequent_indent=indent
    )
    return Text("\n".join(lines), style=style)


def _layers(report: Report, width: int, verbose: bool, unfold: bool) -> Table:
    shown = layer_table.columns(report, width)
    lines = layer_table.rows(report, shown, unfold=unfold, norms=verbose)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, padding=(0, 1, 0, 0))
    shape_width = min(max((len(line.shape) for line in lines), default=5), 16)
    table.add_column("layer", overflow="ellipsis", no_wrap=True, vertical="bottom")
    with_shape = width >= layer_table.SHAPE_FROM
    if with_shape:
        table.add_column("shape", no_wrap=True, style="dim", vertical="bottom")
    started = False
    for column in shown:
        if column.of_layer and not started:
            table.add_column("", width=1, no_wrap=True, style="dim")
            started = True
        table.add_column(column.heading, justify="right", no_wrap=True, vertical="bottom")
    with_rank = width >= layer_table.RANK_FROM and any(line.rank for line in lines)
    with_bar = width >= _BAR_FROM and any(line.profile is not None for line in lines)
    if with_rank:
        table.add_column("rank", justify="right", no_wrap=True, vertical="bottom")
    if with_bar:
        table.add_column("a channel", no_wrap=True, vertical="bottom")
    scale = _scale([line.profile for line in lines if line.profile is not None])
    flagged = {
        name: finding.severity for finding in reversed(report.findings) for name in finding.layers
    }
    used = (shape_width + 1) * with_shape + 11 * len(shown) + 8 * with_rank + (_BAR_WIDTH + 9) * with_bar
    for line in lines:
        severity = next((flagged[name] for name in line.layers if name in flagged), None)
        style = STYLES[severity] if severity and severity is not Severity.NOTE else ""
        cells: list[Text | str] = [
            Text(shortened(line.name, max(width - used, 16)), style=style)
        ]
        if with_shape:
            cells.append(shortened(line.shape, shape_width))
        started = False
        for column, text in zip(shown, line.cells, strict=True):
            if column.of_layer and not started:
                cells.append("│")
                started = True
            cells.append(Text(text, style="bold red" if text.startswith("−∞") else ""))
        if with_rank:
            full = line.rank.partition("/")
            cells.append(Text(line.rank, style="" if full[0] == full[2] else "yellow"))
        if with_bar:
            cells.append(_bar(line.profile, scale))
        table.add_row(*cells)
    return table


def _scale(profile: Sequence[float]) -> tuple[float, float]:
    return (min(profile), max(profile)) if profile else (0.0, 0.0)


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
    lines = ["nats; block c₁₁ and log-volume a layer and position of its output, dense layers whole"]
    layers = [layer for layer in report.layers if layer.kind != "normalisation"]
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
    assumed = {layer.geometry for layer in layers if layer.geometry.startswith("assumed")}
    lines += [f"geometry is not in the file: {words} (--arch gives it)" for words in sorted(assumed)]
    return lines


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
        more = f" and {len(records) - 4} more" if len(records) > 4 else ""
        lines.append(f"{status}: {reason}: {names}{more}")
    return lines
