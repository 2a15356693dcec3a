"""Baselines: what of a report is kept for comparison, and whether two can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from infoflow.checking.bounds import ROUNDING
from infoflow.checking.outcome import Row, Verdict
from infoflow.errors import CheckError
from infoflow.report import Measurement, Report
from infoflow.words import counted, listed

SAME = ("input-size", "weights", "fast")
"""Settings of an analysis without whose agreement figures do not compare."""


def kept(report: Report, source: str) -> Report:
    """What a baseline keeps: neither pictures nor date nor command, which change by themselves.

    Args:
        report: The analysis.
        source: The checkpoint's name as the baseline says it.
    """
    settings = {key: text for key, text in report.settings.items() if key != "command"}
    return replace(report, source=source, series=(), created="", settings=settings)


def steadied(report: Report, before: Report) -> Report:
    """The report with the former figures where they differ by rounding; the former one if all do.

    Other releases of Python and numpy alone are no reason for another file.
    """
    rows = []
    for row in report.measurements:
        old = before.row(*_key(row))
        rows.append(old if old and _same(row, old) else row)
    steady = replace(report, measurements=tuple(rows))
    alike = replace(steady, versions=before.versions, findings=before.findings) == before
    return before if alike else steady


def changes(report: Report, before: Report) -> str:
    """One phrase: how many figures and layers are not those of the former baseline."""
    changed = sum(
        not (old := before.row(*_key(row))) or not _same(row, old) for row in report.measurements
    )
    gone = sum(report.row(*_key(old)) is None for old in before.measurements)
    parts = [f"{changed:,} of {len(report.measurements):,} figures changed or new"]
    parts += [f"{gone:,} gone"] if gone else []
    for names, word in (
        (_names(report) - _names(before), "new"),
        (_names(before) - _names(report), "gone"),
    ):
        parts += [f"{counted(len(names), 'layer')} {word}"] if names else []
    return ", ".join(parts)


def refuse_incomparable(report: Report, baseline: Report, file: str) -> None:
    """Refuse a baseline of other layers altogether, or of another kind of analysis.

    Raises:
        CheckError: One sentence says in what they differ.
    """
    if not _names(report) & _names(baseline):
        raise CheckError(
            f"{file}: no layer of this baseline of {baseline.source} is in {report.source}; it "
            "belongs to another network."
        )
    for key in SAME:
        now, then = report.settings.get(key), baseline.settings.get(key)
        if now is not None and then is not None and now != then:
            raise CheckError(
                f"{file}: made with {key} {then!r}, while {report.source} is analysed with "
                f"{now!r}, so that the figures do not compare; make the baseline anew "
                "(--update-baseline) or analyse alike."
            )


def baseline_notes(report: Report, baseline: Report) -> Iterator[str]:
    """What a reader must know of a baseline that can be compared."""
    if report.digest and report.digest == baseline.digest:
        yield f"{report.source} is the very file of the baseline (same SHA-256)"
    if report.architecture != baseline.architecture:
        yield (
            f"the baseline is of {baseline.architecture or 'no known architecture'}, "
            f"{report.source} of {report.architecture or 'none'}"
        )
    now, then = report.settings.get("seed"), baseline.settings.get("seed")
    if now != then:
        yield f"the baseline was made with seed {then}, {report.source} with seed {now}"


def layer_rows(report: Report, baseline: Report) -> Iterator[Row]:
    """A failure for each layer that is gone, and a note of those that are new."""
    now, then = _names(report), _names(baseline)
    for layer in baseline.layers:
        if layer.name not in now:
            yield Row(
                Verdict.FAILED,
                report.source,
                "baseline",
                "layers",
                (layer.name,),
                found="gone",
                allowed="every layer of the baseline",
                sentence=f"{layer.name} is in the baseline, but not in {report.source}.",
            )
    new = tuple(layer.name for layer in report.layers if layer.name not in then)
    if new:
        verb = "is" if len(new) == 1 else "are"
        yield Row(
            Verdict.NOTE,
            report.source,
            "baseline",
            "layers",
            new,
            found="new",
            allowed="",
            sentence=f"{listed(new)} {verb} not in the baseline, and not compared.",
        )


def _key(row: Measurement) -> tuple[str, str, str]:
    return row.layer, row.measure, row.statistic


def _names(report: Report) -> set[str]:
    return {layer.name for layer in report.layers}


def _same(row: Measurement, other: Measurement) -> bool:
    """Whether two rows say the same, but for rounding."""
    if (row.unit, row.method, row.note) != (other.unit, other.method, other.note):
        return False
    return all(_near(getattr(row, end), getattr(other, end)) for end in ("value", "low", "high"))


def _near(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=ROUNDING)
