"""Findings: which fail, which are only told, and which are known and accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from infoflow.checking.outcome import Row, Verdict
from infoflow.checking.settings import Settings, Suppression
from infoflow.checking.words import figure
from infoflow.patterns import is_chosen
from infoflow.report import Finding, Report, Severity
from infoflow.words import listed

_ONLY_TOLD = {
    Severity.SERIOUS: Verdict.WARNING,
    Severity.WARNING: Verdict.WARNING,
    Severity.NOTE: Verdict.NOTE,
}


def finding_rows(report: Report, settings: Settings, today: date) -> Iterator[Row]:
    """One row a finding.

    A finding is suppressed where the suppressions in force cover every layer that it names;
    where they cover a part it stays what it is, and the sentence says which layers are left.
    """
    in_force = [s for s in settings.suppressions if not has_expired(s, today)]
    for finding in report.findings:
        covering = [s for s in in_force if concerns(s, finding, report)]
        left = [
            name for name in finding.layers if not any(_covers(s, name, report) for s in covering)
        ]
        verdict, sentence = _verdict(finding, settings), finding.sentence
        if covering and not left:
            verdict = Verdict.SUPPRESSED
        elif verdict is Verdict.FAILED:
            sentence = f"{sentence} {finding.advice}".rstrip()
        if covering and left:
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


def suppression_rows(reports: Sequence[Report], settings: Settings, today: date) -> Iterator[Row]:
    """One row for each suppression that has expired (it fails) or that no finding needs."""
    for suppression in settings.suppressions:
        needed = any(
            concerns(suppression, finding, report)
            for report in reports
            for finding in report.findings
        )
        if has_expired(suppression, today):
            expiry = f"expired on {suppression.until}"
            yield _told(suppression, Verdict.FAILED, expiry, f"the suppression {expiry}")
        elif not needed:
            words = "the suppression is not needed: no such finding is there"
            yield _told(suppression, Verdict.WARNING, "not needed", words)


def has_expired(suppression: Suppression, today: date) -> bool:
    """Whether its last day is over."""
    return suppression.until is not None and suppression.until < today


def concerns(suppression: Suppression, finding: Finding, report: Report) -> bool:
    """Whether it is for this finding: of its rule, and for one of its layers at least."""
    if finding.rule != suppression.rule:
        return False
    return not suppression.layers or any(
        _covers(suppression, name, report) for name in finding.layers
    )


def _covers(suppression: Suppression, name: str, report: Report) -> bool:
    if not suppression.layers:
        return True
    return any(
        layer.name == name and is_chosen(layer, suppression.layers) for layer in report.layers
    )


def _verdict(finding: Finding, settings: Settings) -> Verdict:
    failing = finding.severity in settings.failing
    return Verdict.FAILED if failing else _ONLY_TOLD[finding.severity]


def _found(finding: Finding) -> str:
    if finding.value is None:
        return finding.severity.value
    return f"{finding.severity.value}: {finding.measure} {figure(finding.value)}"


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
