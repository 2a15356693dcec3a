"""An ensemble in tables of text, the same for every output: members, divergences, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infoflow.render.text import number, percent
from infoflow.report import Measurement, Report, Sample

WHOLE = "ensemble"
"""What the row of the whole is called among the members."""


@dataclass(frozen=True)
class TextTable:
    """A table of text; the first column holds names, and the last columns matter least."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables(report: Report) -> list[TextTable]:
    """What an ensemble shows beside its figures; nothing of one network."""
    if not report.members:
        return []
    return [member_table(report), divergence_table(report)]


def decomposition(report: Report) -> str:
    """Total entropy as a sum, in nats and in bits; ``""`` where the report is of one network."""
    if not report.members:
        return ""
    words = {
        "predictive-entropy": "total entropy",
        "expected-entropy": "expected entropy",
        "disagreement": "disagreement",
    }
    parts = [
        f"{said} {number(value(report, measure), 3)} nats "
        f"({number(value(report, measure, 'mean-bits'), 3)} bits)"
        for measure, said in words.items()
    ]
    return f"{parts[0]} = {parts[1]} + {parts[2]}"


def member_table(report: Report) -> TextTable:
    """How good, how sure and how well calibrated each member is, and the ensemble."""
    names = [*report.members, ""]
    columns = [
        (head, [text(report.row(name, measure)) for name in names])
        for measure, head, text in (
            ("accuracy", "accuracy, %", _share),
            ("negative-log-likelihood", "NLL, nats", _figure),
            ("calibration-error", "calibration error, %", _share),
            ("perplexity", "perplexity", _figure),
            ("predictive-entropy", "entropy, nats", _figure),
        )
        if any(report.row(name, measure) for name in names)
    ]
    rows = zip([*report.members, WHOLE], *(cells for _, cells in columns), strict=True)
    return TextTable(
        "Members and ensemble",
        ("network", *(head for head, _ in columns)),
        tuple(rows),
        "± half of a 95\xa0% interval; the ensemble gives the mean of its members' probabilities",
    )


def divergence_table(report: Report) -> TextTable:
    """KL between the outputs of each two members, both ways."""
    names = report.members
    rows = tuple(
        (f"{place} {first}", *(_divergence(report, first, second) for second in names))
        for place, first in enumerate(names, start=1)
    )
    return TextTable(
        "Divergence between outputs",
        ("KL(row‖column), nats", *(str(place) for place in range(1, len(names) + 1))),
        rows,
        "means over samples ± half of a 95\xa0% interval; the columns are numbered as the rows",
    )


def sample_table(report: Report) -> TextTable | None:
    """The samples that the outputs are least sure of; None where the report has none."""
    if not report.samples:
        return None
    columns = [
        (head, cells)
        for head, cells in (
            ("label", [one.label for one in report.samples]),
            ("prediction", [one.prediction for one in report.samples]),
            ("entropy, nats", [number(one.entropy, 3) for one in report.samples]),
            ("disagreement", [_disagreement(one) for one in report.samples]),
            ("confidence", [percent(one.confidence) for one in report.samples]),
        )
        if any(cells)
    ]
    names = [str(one.number) for one in report.samples]
    return TextTable(
        "The most uncertain samples",
        ("sample", *(head for head, _ in columns)),
        tuple(zip(names, *(cells for _, cells in columns), strict=True)),
        "samples are counted from 0 in the order in which they ran",
    )


def value(report: Report, measure: str, statistic: str = "value") -> float | None:
    """The number of a row of the whole."""
    row = report.row("", measure, statistic)
    return row.value if row is not None else None


def half(row: Measurement) -> float | None:
    """Half of a row's interval, None where it has none."""
    return None if row.low is None or row.high is None else (row.high - row.low) / 2


def _disagreement(sample: Sample) -> str:
    return "" if sample.disagreement is None else number(sample.disagreement, 3)


def _divergence(report: Report, first: str, second: str) -> str:
    return "–" if first == second else _figure(report.row(first, "kl-divergence", f"to {second}"))


def _figure(row: Measurement | None) -> str:
    return _with_half(row, 1.0, 3)


def _share(row: Measurement | None) -> str:
    return _with_half(row, 100.0, 1)


def _with_half(row: Measurement | None, scale: float, decimals: int) -> str:
    if row is None:
        return ""
    if row.value is None:
        return "—"
    spread = half(row)
    within = "" if spread is None else f" ±{number(scale * spread, decimals)}"
    return f"{number(scale * row.value, decimals)}{within}"


def named(samples: Sequence[Sample]) -> list[str]:
    """Each sample in a few words, such as ``52 (airplane, taken for cat)``.

    >>> named([Sample(52, "airplane", "cat", 0.4, 1.2), Sample(3, "", "cat", 0.4, 1.0)])
    ['52 (airplane, taken for cat)', '3 (cat)']
    """
    return [
        f"{one.number} ({one.label}, taken for {one.prediction})"
        if one.label and one.prediction != one.label
        else f"{one.number}{f' ({one.prediction})' if one.prediction else ''}"
        for one in samples
    ]
