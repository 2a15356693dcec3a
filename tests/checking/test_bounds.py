"""Bounds against a twin that spells every case out."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infoflow.checking.bounds import BOUNDS, ROUNDING, change
from infoflow.checking.judgement import Judgement
from tests.checking.making import row

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
FIGURES = st.one_of(NUMBERS, st.just(-math.inf), st.sampled_from([0.0, 1.0, -1.0]))


def naive(key, value, limit, base):
    """Whether the bound holds, case by case, without rounding."""
    if key == "min":
        return value >= limit
    if key == "max":
        return value <= limit
    if value == base:
        return True
    if value == -math.inf:
        return "increase" in key
    if base == -math.inf:
        return "decrease" in key
    allowed = abs(base) * limit / 100 if key.endswith("percent") else limit
    if "decrease" in key:
        return base - value <= allowed
    if "increase" in key:
        return value - base <= allowed
    return abs(value - base) <= allowed


def holds(key, value, limit, base):
    bound = BOUNDS[key]
    limited = change(value, base) if bound.against_baseline else value
    return bound.excess(limited, limit, base) <= 0


@given(st.sampled_from(sorted(BOUNDS)), FIGURES, NUMBERS, FIGURES)
def test_equals_the_twin(key, value, limit, base):
    if BOUNDS[key].against_baseline:
        limit = abs(limit)
        if math.isfinite(value) and math.isfinite(base):
            allowed = abs(base) * limit / 100 if key.endswith("percent") else limit
            near = abs(abs(value - base) - allowed)
            assume(value == base or near > 4 * ROUNDING * (abs(value) + abs(base) + 1e-12))
    assert holds(key, value, limit, base) == naive(key, value, limit, base)


@given(st.sampled_from(sorted(BOUNDS)), FIGURES, FIGURES, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wider_bound_never_fails_what_a_narrower_one_lets_pass(key, value, base, a, b):
    narrow, wide = (max(a, b), min(a, b)) if key == "min" else (min(a, b), max(a, b))
    assert holds(key, value, wide, base) or not holds(key, value, narrow, base)


@given(FIGURES, FIGURES, st.floats(0, 1e6))
def test_a_change_is_a_fall_or_a_rise(value, base, limit):
    for percent in ("", "-percent"):
        both = holds(f"max-decrease{percent}", value, limit, base) and holds(
            f"max-increase{percent}", value, limit, base
        )
        assert holds(f"max-change{percent}", value, limit, base) == both


@pytest.mark.parametrize(
    ("key", "value", "limit", "base", "expected"),
    [
        ("min", 2.0, 2.0, 0.0, True),
        ("max", 2.0, 2.0, 0.0, True),
        ("min", -math.inf, -1e300, 0.0, False),
        ("max", -math.inf, -1e300, 0.0, True),
        ("max-increase", 1.1, 0.1, 1.0, True),  # 1.1 − 1.0 is above 0.1 in floating point
        ("max-change", 1.0 + 1e-12, 0.0, 1.0, True),
        ("max-change", 1.0 + 1e-6, 0.0, 1.0, False),
        ("max-change-percent", 1e-12, 1000.0, 0.0, False),
        ("max-decrease-percent", 1.0, 50.0, 0.0, True),
        ("max-change-percent", 0.0, 0.0, 0.0, True),
        ("max-change-percent", 110.0, 10.0, 100.0, True),
        ("max-decrease-percent", -111.0, 10.0, -100.0, False),
        ("max-change-percent", -math.inf, 10.0, -math.inf, True),
        ("max-change-percent", 3.0, 10.0, -math.inf, False),
        ("max-decrease", 3.0, 0.0, -math.inf, True),
        ("max-decrease", -math.inf, 1e300, 3.0, False),
    ],
)
def test_stated_cases(key, value, limit, base, expected):
    assert holds(key, value, limit, base) is expected


@given(
    st.sampled_from(sorted(BOUNDS)),
    st.integers(-20, 20),
    st.integers(0, 5),
    st.integers(-20, 20),
    st.integers(0, 5),
    st.integers(0, 12),
)
def test_uncertain_is_that_some_figure_in_the_intervals_is_judged_otherwise(
    key, value, half, base, base_half, limit
):
    if key.endswith("percent"):
        base_half = 0  # the size of the percentage is the baseline's value, which is one number
    new = row("a", value, low=value - half, high=value + half)
    old = row("a", base, low=base - base_half, high=base + base_half)
    judgement = Judgement(new, key, limit, old)
    if BOUNDS[key].against_baseline:
        reach = range(value - half - base - base_half, value + half - base + base_half + 1)
    else:
        reach = range(value - half, value + half + 1)
    judged = {BOUNDS[key].excess(float(x), limit, base) <= 0 for x in reach}
    assert judgement.uncertain == (len(judged) > 1)
