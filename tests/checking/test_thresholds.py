"""Which layers a threshold judges, and that what cannot be told fails."""

from __future__ import annotations

import pytest

from infoflow.checking.outcome import Verdict
from infoflow.checking.settings import Threshold
from infoflow.checking.thresholds import threshold_rows
from infoflow.errors import CheckError
from tests.checking.making import report, row


def verdicts(threshold, new, baseline=None):
    return {
        (row.layers[0] if row.layers else ""): row.verdict.value
        for row in threshold_rows(new, baseline, threshold)
    }


def minimum(limit=2.0, **kwargs):
    return Threshold("stable-rank", {"min": limit}, **kwargs)


def test_every_layer_that_has_the_row_is_judged():
    new = report([row("a", 1.0), row("b", 3.0), row("c", 1.0, "zeros")])
    assert verdicts(minimum(), new) == {"a": "failed", "b": "passed"}


def test_patterns_choose_layers():
    new = report([row("a.0", 1.0), row("a.1", 3.0), row("fc", 1.0)])
    assert verdicts(minimum(layers=("a.*",)), new) == {"a.0": "failed", "a.1": "passed"}
    assert verdicts(minimum(layers=("a.*", "!a.0")), new) == {"a.1": "passed"}
    assert verdicts(minimum(layers=("type:dense",)), new) == {"fc": "failed"}


def test_a_pattern_without_a_layer_fails_and_names_the_nearest():
    new = report([row("features.0", 3.0)])
    first, second = threshold_rows(new, None, minimum(layers=("feature.0", "features.*")))
    assert first.verdict is Verdict.FAILED
    assert "'feature.0'" in first.sentence
    assert "nearest: 'features.0'" in first.sentence
    assert second.verdict is Verdict.PASSED
    assert verdicts(minimum(layers=("!typo",)), new)[""] == "failed"


def test_a_pattern_that_reaches_no_row_fails_beside_one_that_does():
    new = report([row("a", 3.0), row("norm", 1.0, "zeros")])
    found = verdicts(minimum(layers=("a", "norm")), new)
    assert found == {"": "failed", "a": "passed"}


def test_a_measure_that_the_analysis_does_not_hold_fails():
    new = report([row("a", 3.0, "zeros")], settings={"measures": "paper"})
    (only,) = threshold_rows(new, None, minimum())
    assert only.verdict is Verdict.FAILED
    assert "no figure of stable-rank in the analysis" in only.sentence
    assert "'paper'" in only.sentence


def test_exclusions_that_leave_nothing_fail():
    assert verdicts(minimum(layers=("!a",)), report([row("a", 3.0)])) == {"": "failed"}


def test_a_layer_without_a_number_fails_with_its_note():
    new = report([row("a", None, note="not computed: NaN"), row("b", 3.0)])
    found = threshold_rows(new, None, Threshold("stable-rank", {"max": 9.0}))
    assert [r.verdict.value for r in found] == ["failed", "passed"]
    assert "not computed: NaN" in found[0].sentence


def test_minus_infinity_fails_a_minimum_and_passes_a_maximum():
    new = report([row("a", None)])
    low, high = threshold_rows(new, None, Threshold("stable-rank", {"min": -1e9, "max": 0.0}))
    assert (low.verdict, high.verdict) == (Verdict.FAILED, Verdict.PASSED)
    assert low.found == "−∞"


def test_a_statistic_that_is_not_there_is_refused_with_the_nearest():
    new = report(
        [row("a", 1.0, "entropy-change.c11", "mean"), row("a", 1.0, "entropy-change.c11", "q1")]
    )
    with pytest.raises(CheckError, match=r"number 3: .* no statistic 'meen'; nearest: 'mean'"):
        threshold_rows(
            new, None, Threshold("entropy-change.c11", {"min": 0}, "meen", place="x, number 3")
        )
    with pytest.raises(CheckError, match="no statistic 'value'"):
        threshold_rows(new, None, Threshold("entropy-change.c11", {"min": 0}))


def test_a_damaged_network_is_a_failure_and_no_mistake():
    """A weight with NaN has one row without a number, whatever statistics there are else."""
    new = report([row("a", None, "entropy-change.c11", note="not computed: NaN")])
    threshold = Threshold("entropy-change.c11", {"min": 0}, "mean")
    assert verdicts(threshold, new) == {"a": "failed"}
    beside = [row("b", 3.0, "entropy-change.c11", "mean")]
    both = report([*new.measurements, *beside])
    assert verdicts(threshold, both) == {"a": "failed", "b": "passed"}
    assert verdicts(Threshold("entropy-change.c11", {"max-change": 1}, "mean"), both, both) == {
        "a": "passed",
        "b": "passed",
    }


def test_whole_numbers_of_a_report_that_was_read_back_are_numbers():
    assert verdicts(minimum(2), report([row("a", 3)])) == {"a": "passed"}


FALL = Threshold("stable-rank", {"max-decrease": 1.0})


def test_changes_are_judged_layer_by_layer():
    before = report([row("a", 3.0), row("b", 3.0)])
    new = report([row("a", 2.0), row("b", 1.9)])
    assert verdicts(FALL, new, before) == {"a": "passed", "b": "failed"}
    failed = threshold_rows(new, before, FALL)[1]
    assert failed.sentence == ("stable-rank of b went from 3 to 1.9; allowed: a fall of at most 1.")
    assert (failed.value, failed.baseline) == (1.9, 3.0)


def test_new_layers_are_not_compared_but_have_absolute_bounds():
    before = report([row("a", 3.0)])
    new = report([row("a", 3.0), row("b", 1.0)])
    assert verdicts(FALL, new, before) == {"a": "passed"}
    both = Threshold("stable-rank", {"min": 2.0, "max-decrease": 1.0})
    assert verdicts(both, new, before) == {"a": "passed", "b": "failed"}


def test_only_new_layers_is_nothing_compared():
    before = report([row("a", 3.0)])
    assert verdicts(FALL, report([row("b", 1.0)]), before) == {"": "failed"}


def test_a_baseline_without_the_row_or_the_number_fails():
    new = report([row("a", 3.0)])
    (gone,) = threshold_rows(new, report([row("a", 1.0, "zeros")]), FALL)
    assert gone.verdict is Verdict.FAILED
    assert "no row in the baseline" in gone.sentence
    (absent,) = threshold_rows(new, report([row("a", None, note="not judged")]), FALL)
    assert absent.verdict is Verdict.FAILED
    assert "not judged" in absent.sentence


def test_no_number_before_and_after_is_no_change_unless_it_is_all_there_is():
    absent = row("a", None, note="not judged: too few")
    mixed = report([absent, row("b", 3.0)])
    assert verdicts(FALL, mixed, mixed) == {"a": "passed", "b": "passed"}
    alone = report([absent])
    assert verdicts(FALL, alone, alone) == {"": "failed", "a": "passed"}


def test_a_number_that_vanished_fails():
    new = report([row("a", None, note="not computed: NaN")])
    assert verdicts(FALL, new, report([row("a", 3.0)])) == {"a": "failed"}


def test_the_value_decides_where_the_interval_reaches_over_the_limit():
    new = report([row("a", 2.1, low=1.9, high=2.3), row("b", 2.1, low=2.05, high=2.15)])
    first, second = threshold_rows(new, None, minimum())
    assert first.verdict is second.verdict is Verdict.PASSED
    assert first.uncertain
    assert "interval reaches over the limit" in first.sentence
    assert not second.uncertain


def test_near_figures_are_told_apart():
    (only,) = threshold_rows(report([row("a", 1.999999)]), None, minimum())
    assert only.found == "1.999999"
    (only,) = threshold_rows(
        report([row("a", 1.9999999)]),
        report([row("a", 2.0)]),
        Threshold("stable-rank", {"max-decrease": 0.0}),
    )
    assert only.found == "2 → 1.9999999"
    assert only.verdict is Verdict.FAILED


def test_per_cent_is_said():
    (only,) = threshold_rows(
        report([row("a", 3.0)]),
        report([row("a", 2.0)]),
        Threshold("stable-rank", {"max-change-percent": 10.0}),
    )
    assert only.found == "2 → 3 (+50\xa0%)"
    assert only.allowed == "a change of at most 10\xa0%"


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, "nothing is limited"),
        ({"min": float("nan")}, "not a finite number"),
        ({"max": float("inf")}, "not a finite number"),
        ({"min": 2.0, "max": 1.0}, "above max"),
        ({"max-change": -1.0}, "negative"),
        ({"maximum": 1.0}, "nearest: 'max'"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(bounds, words):
    with pytest.raises(CheckError, match=words):
        Threshold("stable-rank", bounds, place="here")
