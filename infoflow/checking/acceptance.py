"""Findings: which fail, which are only told, and which are known and accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from infoflow.checking.outcome import Row, Verdict
from infoflow.checking.settings import Settings, Suppression
from infoflow.checking.words import figure, listed
from infoflow.patterns import is_chosen
from infoflow.report import Finding, Report, Severity

_TOLD = {
    Severity.SERIOUS: Verdict.WARNING,
    Severity.WARNING: Verdict.WARNING,
    Severity.NOTE: Verdict.NOTE,
}


def finding_rows(report: Report, settings: Settings) -> Iterator[Row]:
    """One row a finding.

    A finding is suppressed where suppressions of its rule cover every layer that it names; one
    that covers a part only leaves it as it is, and the sentence says which layers are left.
    """
    for finding in report.findings:
        covering = [s for s in settings.suppressions if _covered(report, finding, s) is not None]
        covered = {name for s in covering for name in _covered(report, finding, s) or ()}
        left = [name for name in finding.layers if name not in covered]
        sentence = finding.sentence
        if covering and not left:
            verdict = Verdict.SUPPRESSED
        else:
            verdict = (
                Verdict.FAILED if finding.severity in settings.failing else _TOLD[finding.severity]
            )
            if covering:
                sentence += f" The suppression does not cover {listed(left)}."
        yield Row(
            verdict,
            report.source,
            "finding",
            finding.rule,
            finding.layers,
            found=_found(finding),
            allowed="",
            sentence=sentence,
            value=finding.value,
            reason="; ".join(s.reason for s in covering),
        )


def _found(finding: Finding) -> str:
    if finding.value is None:
        return finding.severity.value
    return f"{finding.severity.value}: {finding.measure} {figure(finding.value)}"


def _covered(report: Report, finding: Finding, suppression: Suppression) -> list[str] | None:
    """The finding's layers that the suppression covers; None where it has nothing to do with it."""
    if finding.rule != suppression.rule:
        return None
    if not suppression.layers:
        return list(finding.layers)
    summaries = {layer.name: layer for layer in report.layers}
    covered = [
        name
        for name in finding.layers
        if name in summaries and is_chosen(summaries[name], suppression.layers)
    ]
    return covered or None


def suppression_rows(reports: Sequence[Report], settings: Settings, today: date) -> Iterator[Row]:
    """One row for each suppression that has expired (it fails) or that no finding needs."""
    for suppression in settings.suppressions:
        used = any(
            _covered(report, finding, suppression) is not None
            for report in reports
            for finding in report.findings
        )
        if suppression.until and suppression.until < today:
            day = suppression.until.isoformat()
            yield _told(suppression, Verdict.FAILED, f"expired on {day}", f"it expired on {day}")
        elif not used:
            yield _told(suppression, Verdict.WARNING, "not needed", "no finding needs it any more")


def _told(suppression: Suppression, verdict: Verdict, found: str, sentence: str) -> Row:
    return Row(
        verdict,
        "",
        "suppression",
        suppression.rule,
        (),
        found=found,
        allowed="",
        sentence=f"{suppression.place}: {sentence}.",
        reason=suppression.reason,
    )
