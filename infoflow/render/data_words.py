"""The data and the outputs in words: what was looked at, and how well the network did on it."""

from __future__ import annotations

from infoflow.render.activations import interval
from infoflow.render.text import number, percent
from infoflow.report import DataSummary, Measurement, Report
from infoflow.words import counted

OUTPUTS = {
    "accuracy": "accuracy",
    "mean-iou": "mean intersection over union",
    "mean-squared-error": "mean squared error",
    "mean-absolute-error": "mean absolute error",
    "explained-variance": "R²",
    "negative-log-likelihood": "NLL",
    "perplexity": "perplexity",
    "calibration-error": "calibration error",
    "predictive-entropy": "predictive entropy",
    "expected-entropy": "expected entropy",
    "disagreement": "disagreement",
}
"""Measures of the whole network's outputs in the order of their reading, and their short names."""


def data_parts(data: DataSummary) -> list[str]:
    """What the data are: name, split, samples, preprocessing."""
    taken = counted(data.samples, "sample")
    if data.available is not None and data.available > data.samples:
        taken = f"{data.samples:,} of {counted(data.available, 'sample')}"
    name = f"{data.name} ({data.split})" if data.split else data.name
    return [name, taken, data.preprocessing]


def output_rows(report: Report) -> list[tuple[str, Measurement]]:
    """The outputs' figures with their short names; what was not measured is left out."""
    found = ((words, report.row("", measure)) for measure, words in OUTPUTS.items())
    return [(words, row) for words, row in found if row is not None]


def output_text(row: Measurement) -> str:
    """A figure of the outputs with its unit and interval."""
    if row.value is None:
        return f"— ({row.note})"
    if row.unit == "share":
        text, ends = percent(row.value), interval(row)
        return text if ends is None else f"{text} ({percent(ends[0])} to {percent(ends[1])})"
    ends = interval(row)
    unit = f" {row.unit}" if row.unit not in {"ratio", "count"} else ""
    spread = "" if ends is None else f" ({number(ends[0], 3)} to {number(ends[1], 3)})"
    return f"{number(row.value, 3)}{unit}{spread}"


def data_line(report: Report) -> str:
    """One line on the data and the outputs, ``""`` where there were no data."""
    if report.data is None:
        return ""
    figures = [f"{words} {output_text(row)}" for words, row in output_rows(report)]
    return " · ".join(filter(None, [*data_parts(report.data), *figures]))


def data_notes(data: DataSummary) -> list[str]:
    """What else must be known: which tensor is X, the task, what was skipped."""
    task = data.task if data.task != "none" else "no labels"
    classes = f", {counted(len(data.classes), 'class', 'classes')}" if data.classes else ""
    return [f"X is {data.x}; {task}{classes}", *data.notes]


def left_off(report: Report) -> list[tuple[str, list[str]]]:
    """The reasons for which sites are left off the chain, each with their names."""
    found: dict[str, list[str]] = {}
    for site in report.sites:
        if not site.on_chain:
            found.setdefault(site.note or "no reason given", []).append(site.name)
    return list(found.items())


def left_off_line(report: Report) -> str:
    """How many sites are left off the chain, and why; ``""`` where none is."""
    groups = left_off(report)
    if not groups:
        return ""
    many = sum(len(names) for _, names in groups)
    more = f", and {counted(len(groups) - 1, 'reason')} more" if len(groups) > 1 else ""
    off = f"{counted(many, 'site')} of {len(report.sites)}"
    return f"{off} {'is' if many == 1 else 'are'} off the chain: {groups[0][0]}{more}"
