"""check(): findings, suppressions, baselines and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from infoflow.checking import Settings, Suppression, Threshold, Verdict, check
from infoflow.errors import CheckError
from infoflow.report import Severity
from tests.checking.making import finding, report, row

TODAY = date(2026, 6, 1)
ROWS = [row("a", 3.0), row("b", 3.0), row("fc", 3.0)]


def outcome_of(new, settings=Settings(), **kwargs):  # noqa: B008
    return check([new], settings, today=TODAY, **kwargs)


def test_without_settings_serious_findings_fail():
    warned = outcome_of(report(ROWS, [finding("dead-filters", "a")]))
    assert warned.passed
    assert [r.verdict for r in warned.rows] == [Verdict.WARNING, Verdict.PASSED]
    assert "default gate" in warned.notes[0]
    failed = outcome_of(report(ROWS, [finding("non-finite", "a", severity=Severity.SERIOUS)]))
    assert not failed.passed
    assert "Mend it." in failed.of(Verdict.FAILED)[0].sentence


@pytest.mark.parametrize("fail_on", ["serious", "warning", "note", "never"])
@pytest.mark.parametrize("severity", list(Severity))
def test_severities(fail_on, severity):
    settings = Settings(fail_on=fail_on, thresholds=(Threshold("stable-rank", {"min": 0.0}),))
    found = outcome_of(report(ROWS, [finding(severity=severity)]), settings)
    order = ["serious", "warning", "note", "never"]
    fails = fail_on != "never" and order.index(severity.value) <= order.index(fail_on)
    assert found.passed is not fails


def test_a_severity_that_is_none_is_refused():
    with pytest.raises(CheckError, match="nearest: 'serious'"):
        Settings(fail_on="serius")


def suppressing(*layers, until=None, reason="ticket 123", rule="dead-filters"):
    return Suppression(rule, reason, layers, until)


def suppressed(findings, *suppressions):
    return outcome_of(
        report(ROWS, findings), Settings(fail_on="warning", suppressions=suppressions)
    )


def test_a_suppressed_finding_passes_and_its_reason_is_repeated():
    found = suppressed([finding("dead-filters", "a", "b")], suppressing())
    assert found.passed
    (only,) = found.of(Verdict.SUPPRESSED)
    assert only.reason == "ticket 123"


def test_every_layer_of_a_finding_must_be_covered():
    two = [finding("dead-filters", "a", "b")]
    part = suppressed(two, suppressing("a"))
    assert not part.passed
    assert "does not cover b." in part.of(Verdict.FAILED)[0].sentence
    both = suppressed(two, suppressing("a"), suppressing("b", reason="ticket 9"))
    assert both.passed
    assert both.of(Verdict.SUPPRESSED)[0].reason == "ticket 123; ticket 9"
    assert suppressed(two, suppressing("type:convolution")).passed


def test_a_finding_about_no_layer_is_suppressed_without_patterns_only():
    whole = [finding("coverage")]
    assert suppressed(whole, suppressing(rule="coverage")).passed
    assert not suppressed(whole, suppressing("*", rule="coverage")).passed


def test_another_rule_is_not_suppressed_and_the_suppression_is_told_as_not_needed():
    found = suppressed([finding("non-finite", "a")], suppressing())
    assert not found.passed
    (warning,) = found.of(Verdict.WARNING)
    assert "not needed" in warning.sentence


def test_a_suppression_is_needed_if_one_of_several_files_needs_it():
    settings = Settings(suppressions=(suppressing(),))
    clean, dirty = (
        report(ROWS, source="c"),
        report(ROWS, [finding("dead-filters", "a")], source="d"),
    )
    found = check([clean, dirty], settings, today=TODAY)
    assert not found.of(Verdict.WARNING)


def test_expiry():
    lasting = suppressed([finding("dead-filters", "a")], suppressing(until=TODAY))
    assert lasting.passed
    over = suppressed([finding("dead-filters", "a")], suppressing(until=date(2026, 5, 31)))
    assert {r.kind for r in over.of(Verdict.FAILED)} == {"finding", "suppression"}
    assert "expired on 2026-05-31" in over.of(Verdict.FAILED)[1].sentence
    unused = suppressed([], suppressing(until=date(2026, 5, 31)))
    assert not unused.passed


def test_an_analysis_without_figures_fails():
    assert not outcome_of(report([], layers=["a"])).passed
    absent = [row("a", None, note="not computed")]
    assert not outcome_of(report(absent)).passed
    assert outcome_of(report([row("a", None)])).passed  # −∞ is a figure


def test_settings_that_ask_for_nothing_are_refused():
    with pytest.raises(CheckError, match="nothing is checked"):
        outcome_of(report(ROWS), Settings(fail_on="never"))


def test_a_bound_against_no_baseline_is_refused():
    threshold = Threshold("stable-rank", {"max-change": 1.0}, place="x.toml, number 1")
    with pytest.raises(CheckError, match=r"x\.toml, number 1: max-change needs a baseline"):
        outcome_of(report(ROWS), Settings(thresholds=(threshold,)))


def test_layers_gone_fail_and_new_ones_are_noted():
    found = outcome_of(
        report([row("a", 3.0), row("new", 3.0)]),
        baselines=[report([row("a", 3.0), row("old", 3.0)])],
    )
    (gone,) = found.of(Verdict.FAILED)
    (new,) = found.of(Verdict.NOTE)
    assert gone.layers == ("old",)
    assert new.layers == ("new",)
    assert any("only its layers" in note for note in found.notes)


def test_another_network_is_refused():
    with pytest.raises(CheckError, match="another network"):
        outcome_of(report(ROWS), baselines=[report([row("x", 1.0)])], baseline_file="b.json")


@pytest.mark.parametrize("key", ["input-size", "weights", "fast"])
def test_an_analysis_of_another_kind_is_refused(key):
    before, now = report(ROWS, settings={key: "then"}), report(ROWS, settings={key: "now"})
    with pytest.raises(CheckError, match=f"made with {key} 'then'"):
        outcome_of(now, baselines=[before], baseline_file="b.json")


def test_what_is_noted_of_a_baseline():
    before = report(ROWS, settings={"seed": "0"}, architecture="A", digest="d")
    now = report(ROWS, settings={"seed": "1"}, architecture="B", digest="d")
    notes = " ".join(outcome_of(now, baselines=[before]).notes)
    for word in ("same SHA-256", "seed 0", "is of A"):
        assert word in notes
    same = " ".join(outcome_of(before, baselines=[before]).notes)
    assert "seed" not in same


def test_a_checkpoint_that_the_baseline_lacks_fails():
    found = check([report(ROWS)], Settings(), today=TODAY, baselines=[None])
    assert "does not hold it" in found.of(Verdict.FAILED)[0].sentence


def test_the_summary_counts():
    found = outcome_of(
        report([row("a", 1.0), row("b", 3.0)], [finding("dead-filters", "a")]),
        Settings(thresholds=(Threshold("stable-rank", {"min": 2.0}),)),
    )
    assert found.summary == "failed: 1 of 3 checks; 1 warning"
