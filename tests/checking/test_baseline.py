"""Baselines change with figures only."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infoflow.checking.baseline import changes, kept, steadied
from infoflow.report import Series
from tests.checking.making import report, row


def test_what_changes_by_itself_is_not_kept():
    one = report([row("a", 1.0)], settings={"command": "infoflow check", "seed": "0"})
    full = replace(one, created="2026-01-01", series=(Series("a", "s", "", (1,), (1.0,)),))
    left = kept(full, "models/m.pt")
    assert (left.created, left.series, dict(left.settings)) == ("", (), {"seed": "0"})
    assert left.source == "models/m.pt"
    assert left.measurements == one.measurements


def test_rounding_leaves_the_former_baseline():
    before = report([row("a", 1.0), row("b", None)])
    now = replace(report([row("a", 1.0 + 1e-12), row("b", None)]), versions={"numpy": "9"})
    assert steadied(now, before) is before


def test_only_changed_rows_change():
    before = report([row("a", 1.0), row("b", 2.0)])
    now = report([row("a", 1.0 + 1e-12), row("b", 2.1)])
    steady = steadied(now, before)
    assert [r.value for r in steady.measurements] == [1.0, 2.1]


def test_another_file_with_the_same_figures_is_written_anew():
    before = report([row("a", 1.0)], digest="x")
    assert steadied(report([row("a", 1.0)], digest="y"), before).digest == "y"


def test_changes_are_counted():
    before = report([row("a", 1.0), row("b", None), row("gone", 1.0)])
    now = report([row("a", 1.0 + 1e-12), row("b", 1.0), row("new", 1.0)])
    assert changes(now, before) == (
        "2 of 3 figures changed or new, 1 gone, 1 layer new, 1 layer gone"
    )
    assert changes(now, now) == "0 of 3 figures changed or new"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_steadying_is_idempotent_and_near(values):
    before = report([row(f"l{n}", value) for n, value in enumerate(values)])
    now = report([row(f"l{n}", value * (1 + 3e-10)) for n, value in enumerate(values)])
    steady = steadied(now, before)
    assert steadied(now, steady) == steady == before
