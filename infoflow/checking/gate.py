"""check(): reports, a baseline and settings in, an outcome out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from infoflow.checking.acceptance import finding_rows, suppression_rows
from infoflow.checking.baseline import baseline_notes, layer_rows, refuse_incomparable
from infoflow.checking.judgement import has_figure
from infoflow.checking.outcome import NO_FIGURE, CheckResult, Row, Verdict
from infoflow.checking.settings import Settings
from infoflow.checking.thresholds import threshold_rows
from infoflow.errors import CheckError
from infoflow.report import Report

_GATES = {
    "serious": "serious findings fail, others are only told",
    "warning": "serious findings and warnings fail, notes are only told",
    "note": "every finding fails",
    "never": "findings do not fail, they are only told",
}


def check(
    reports: Sequence[Report],
    settings: Settings,
    *,
    today: date,
    baselines: Sequence[Report | None] = (),
    settings_file: str = "",
    baseline_file: str = "",
) -> CheckResult:
    """Hold reports against settings and a baseline.

    Args:
        reports: The new analyses.
        settings: What is asked of each.
        today: The day on which suppressions hold or have expired.
        baselines: One for each report, or None for a report that has none; empty for no baseline.
        settings_file: For the sentences; ``""`` where the settings are the default ones.
        baseline_file: For the sentences.

    Raises:
        CheckError: The settings ask for nothing, for a baseline where there is none, for a
            statistic that a measure has not; or a baseline does not compare.
    """
    refuse_unusable(settings, has_baseline=bool(baselines), file=settings_file)
    before = list(baselines) or [None] * len(reports)
    rows: list[Row] = []
    notes = list(_gate_notes(settings, settings_file, has_baseline=bool(baselines)))
    for report, baseline in zip(reports, before, strict=True):
        if baseline:
            refuse_incomparable(report, baseline, baseline_file)
            notes += baseline_notes(report, baseline)
        rows += _rows(report, baseline, settings, today, has_baseline=bool(baselines))
    rows += suppression_rows(reports, settings, today)
    sources = tuple(report.source for report in reports)
    return CheckResult(sources, tuple(rows), settings_file, baseline_file, tuple(notes))


def refuse_unusable(settings: Settings, *, has_baseline: bool, file: str) -> None:
    """Refuse settings that ask for nothing, or for a baseline that is not there.

    Raises:
        CheckError: As said.
    """
    for threshold in settings.thresholds:
        if threshold.against_baseline and not has_baseline:
            key = next(key for key in threshold.bounds if key not in {"min", "max"})
            raise CheckError(
                f"{threshold.place}: {key} needs a baseline; name one (baseline = "
                '"baseline.json", or --baseline) and make it with --update-baseline.'
            )
    if not settings.thresholds and not settings.failing and not has_baseline:
        raise CheckError(
            f"{file or 'the settings'}: nothing is checked: there are no thresholds, no baseline, "
            'and fail-on is "never".'
        )


def has_figures(report: Report) -> bool:
    """Whether the report holds any number; −∞ is one."""
    return any(has_figure(row) for row in report.measurements)


def _gate_notes(settings: Settings, file: str, *, has_baseline: bool) -> Iterator[str]:
    gate = _GATES[settings.fail_on]
    yield gate if file else f"no settings were found, so that the default gate holds: {gate}"
    if has_baseline and not any(t.against_baseline for t in settings.thresholds):
        yield "no threshold is against the baseline; only its layers are compared"


def _rows(
    report: Report,
    baseline: Report | None,
    settings: Settings,
    today: date,
    *,
    has_baseline: bool,
) -> Iterator[Row]:
    if not has_figures(report):
        yield _failed(report, "analysis", "figures", "the analysis holds no figure at all")
    if has_baseline and baseline is None:
        yield _failed(report, "baseline", "checkpoint", "the baseline does not hold it")
    if baseline:
        yield from layer_rows(report, baseline)
    for threshold in settings.thresholds:
        yield from threshold_rows(report, baseline, threshold)
    yield from finding_rows(report, settings, today)
    if settings.failing and not any(f.severity in settings.failing for f in report.findings):
        yield _clean(report, settings)


def _failed(report: Report, kind: str, subject: str, sentence: str) -> Row:
    words = f"{report.source}: {sentence}."
    return Row(Verdict.FAILED, report.source, kind, subject, (), NO_FIGURE, "", words)


def _clean(report: Report, settings: Settings) -> Row:
    """The gate of findings, where nothing failed it: a check that was made and held."""
    allowed = f"no finding of severity {settings.fail_on}"
    if settings.fail_on != "serious":
        allowed += " or worse"
    return Row(
        Verdict.PASSED, report.source, "finding", "severity", (), "none", allowed, f"{allowed}."
    )
