"""Changes of figures, −∞ and missing ones among them; findings; order; names."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infoflow.comparison.changes import change, measure_changes
from infoflow.comparison.comparison import Change, Fate, Outcome
from infoflow.comparison.findings import finding_changes
from infoflow.comparison.ordering import scores
from infoflow.comparison.pairing import pair
from infoflow.comparison.sequence import in_sequence
from infoflow.report import Finding, LayerSummary, Measurement, Severity
from tests.render.reports import empty_report

finite = st.floats(-1e6, 1e6)


def row(value, *, note="", low=None, high=None, layer="a", measure="log-volume"):
    if value is None and not note:
        note = "not computed: too large"
    return Measurement(layer, measure, "value", value, "nats", low, high, note=note)


def between(before, after):
    return change(before, after, first=0, second=1)


LOST = row(None, note="−∞: 2 of 8 rows are zero")


def test_two_numbers_have_a_difference():
    found = between(row(1.5), row(-2.0))
    assert (found.before, found.after, found.change) == (1.5, -2.0, -3.5)
    assert found.outcome is Outcome.CHANGED
    assert between(row(1.5), row(1.5)).outcome is Outcome.SAME


@pytest.mark.parametrize(
    ("before", "after", "outcome", "note"),
    [
        (row(1.0), LOST, Outcome.BECAME_INFINITE, "became −∞: 2 of 8 rows are zero"),
        (LOST, row(1.0), Outcome.LEFT_INFINITE, "left −∞: 2 of 8 rows are zero"),
        (LOST, LOST, Outcome.STAYED_INFINITE, "stayed −∞: 2 of 8 rows are zero"),
        (None, LOST, Outcome.BECAME_INFINITE, "became −∞: 2 of 8 rows are zero"),
        (None, row(1.0), Outcome.APPEARED, "appeared: not measured before"),
        (row(1.0), None, Outcome.DISAPPEARED, "disappeared: not measured after"),
        (row(None), row(1.0), Outcome.APPEARED, "appeared: before: not computed: too large"),
        (row(None), row(None), Outcome.ABSENT, "no figure: not computed: too large"),
    ],
)
def test_what_has_no_difference_says_why(before, after, outcome, note):
    found = between(before, after)
    assert found.change is None
    assert found.outcome is outcome
    assert found.note == note
    assert found.was_infinite == (before is LOST)
    assert found.is_infinite == (after is LOST)


@given(finite, finite)
def test_swapped_it_changes_sign(a, b):
    there, back = between(row(a), row(b)), between(row(b), row(a))
    assert there.change == -back.change
    assert there.outcome is back.outcome


@given(finite, finite, st.floats(0, 10), st.floats(0, 10))
def test_intervals_add_as_squares(a, b, first, second):
    found = between(row(a, low=a - first, high=a + first), row(b, low=b - second, high=b + second))
    half = (first**2 + second**2) ** 0.5
    assert found.high - found.low == pytest.approx(2 * half, abs=1e-6)
    if abs(b - a) > half + 1e-6:
        assert found.beyond is True
    if abs(b - a) < half - 1e-6:
        assert found.beyond is False


def test_without_intervals_nothing_is_beyond():
    assert between(row(1.0), row(2.0)).beyond is None
    assert between(row(1.0, low=0.9, high=1.1), row(2.0)).beyond is True
    assert between(LOST, row(2.0, low=1.9, high=2.1)).beyond is None


def test_no_number_needs_a_note_and_none_is_infinite():
    fields = dataclasses.asdict(between(row(1.0), row(2.0)))
    with pytest.raises(ValueError, match="needs a note"):
        Change(**fields | {"change": None})
    with pytest.raises(ValueError, match="not a finite number"):
        Change(**fields | {"change": float("inf")})


def test_rows_of_either_report_are_compared_once():
    before = dataclasses.replace(empty_report(), measurements=(row(1.0), row(3.0, measure="rank")))
    after = dataclasses.replace(empty_report(), measurements=(row(2.0), row(5.0, measure="zeros")))
    found = list(measure_changes(before, after, ["a"], first=0, second=3))
    assert [(one.measure, one.outcome) for one in found] == [
        ("log-volume", "changed"), ("rank", "disappeared"), ("zeros", "appeared"),
    ]  # fmt: skip
    assert {(one.first, one.second) for one in found} == {(0, 3)}


def finding(rule, *layers, sentence=""):
    return Finding(rule, Severity.WARNING, layers, "m", None, None, sentence or rule, "")


def fates(*files):
    return [(one.fate, one.rule, one.present) for one in finding_changes(files)]


def test_findings_appear_disappear_and_persist():
    assert fates(
        [finding("dead", "a"), finding("rank", "b")], [finding("rank", "b"), finding("twin", "c")]
    ) == [
        (Fate.APPEARED, "twin", (1,)), (Fate.DISAPPEARED, "dead", (0,)),
        (Fate.PERSISTS, "rank", (0, 1)),
    ]  # fmt: skip


def test_a_finding_of_other_layers_says_which_came_and_went():
    (one,) = finding_changes([[finding("twin", "a", "b")], [finding("twin", "b", "c")]])
    assert (one.fate, one.gained, one.lost) == (Fate.MOVED, ("c",), ("a",))


def test_equal_layers_match_before_shared_ones():
    files = [
        [finding("twin", "a", "b"), finding("twin", "b")],
        [finding("twin", "b"), finding("twin", "a", "b")],
    ]
    assert {fate for fate, _, _ in fates(*files)} == {Fate.PERSISTS}


def test_findings_along_a_sequence():
    only, none = [finding("dead", "a")], []
    assert fates(none, only, none) == [(Fate.PASSED, "dead", (1,))]
    assert fates(only, none, only) == [(Fate.PERSISTS, "dead", (0, 2))]
    assert fates(none, only, only) == [(Fate.APPEARED, "dead", (1, 2))]


def test_findings_without_layers_match_by_their_rule():
    assert fates([finding("coverage")], [finding("coverage")]) == [
        (Fate.PERSISTS, "coverage", (0, 1))
    ]


def ordered(rows):
    names = list(dict.fromkeys(one.layer for one in rows))
    found = scores(names, rows)
    return sorted(names, key=lambda name: found[name].key), found


def weight(layer, value, note=""):
    outcome = Outcome.ABSENT if value is None else Outcome.CHANGED if value else Outcome.SAME
    return Change(
        layer, "weight-change", "relative", 0, 1, None, None, value, "ratio", outcome, note=note
    )


def test_the_order_is_that_of_the_relative_change():
    names, found = ordered([weight("a", 0.1), weight("b", 0.5), weight("c", 0.0)])
    assert names == ["b", "a", "c"]
    assert found["b"].reason == "relative change of the weight"
    assert [found[name].changed for name in names] == [True, True, False]


def test_what_has_no_number_stands_first():
    names, found = ordered([weight("a", 9.0), weight("b", None, "every weight was zero")])
    assert names == ["b", "a"]
    assert (found["b"].value, found["b"].reason) == (None, "every weight was zero")


def test_without_weights_the_order_is_in_standard_deviations():
    befores, afters = {"a": 0.0, "b": 2.0, "c": 4.0}, {"a": 0.0, "b": 5.0, "c": 3.0}
    rows = [between(row(befores[n], layer=n), row(afters[n], layer=n)) for n in befores]
    names, found = ordered(rows)
    assert names == ["b", "c", "a"]
    assert found["b"].value == pytest.approx(3 / (8 / 3) ** 0.5)
    assert found["b"].reason == "log-volume, in standard deviations over layers"
    rows.append(between(row(1.0, layer="d"), dataclasses.replace(LOST, layer="d")))
    assert ordered(rows)[0][0] == "d"


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["s-0.pt", "s-10.pt", "s-2.pt"], (0, 2, 10)),
        (["r/epoch=1.ckpt", "r/epoch=02.ckpt"], (1, 2)),
        (["checkpoint-500/x", "checkpoint-1000/x"], (500, 1000)),
        (["a.pt", "b.pt", "c.pt"], (0, 1, 2)),
        (["a1-1.pt", "a2-2.pt"], (0, 1)),
        (["a1.pt", "a1.pt"], (0, 1)),
        (["a1.pt", "a01.pt"], (0, 1)),
        ([f"a{'9' * 20}.pt", "a1.pt"], (0, 1)),
        (["", "1"], (0, 1)),
    ],
)
def test_steps_are_numbers_in_names_or_places(names, steps):
    assert in_sequence(names).steps == steps


def test_two_files_stay_before_and_after():
    assert in_sequence(["s-9.pt", "s-1.pt"]).order == (0, 1)
    assert in_sequence(["s-9.pt", "s-1.pt", "s-5.pt"]).order == (1, 2, 0)


def test_labels_tell_files_apart():
    assert in_sequence(["x/a/m.pt", "x/b/m.pt"]).labels == ("a/m.pt", "b/m.pt")
    assert in_sequence(["m.pt", "m.pt"]).labels == ("m.pt", "m.pt")


def layer(name, *shape, kind="dense"):
    return LayerSummary(name, kind, shape, "float32", 1)


def test_layers_pair_by_name_kind_and_shape():
    one = [layer("a", 2, 3), layer("b", 4, 4), layer("c", 1, 1), layer("d", 5, 5)]
    other = [layer("d", 5, 5, kind="convolution"), layer("a", 2, 3), layer("b", 4, 5)]
    paired = pair([one, other], ["x", "y"])
    assert paired.names == ("a",)
    assert {u.name: (u.reason, u.present) for u in paired.unpaired} == {
        "b": ("4×4 in x, 4×5 in y", (0, 1)),
        "c": ("not in y", (0,)),
        "d": ("dense in x, convolution in y", (0, 1)),
    }


def test_a_layer_of_one_file_of_many_says_so():
    files = [[layer("a", 1, 1)], [], [], [layer("a", 1, 1)], []]
    (one,) = pair(files, list("vwxyz")).unpaired
    assert one.reason == "only in v, y"


def test_wide_intervals_do_not_overflow():
    wide = row(0.0, low=-1e200, high=1e200)
    assert between(wide, wide).high == pytest.approx(2**0.5 * 1e200)
