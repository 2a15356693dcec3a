"""The table: percentiles against a naive twin, merging, what speaks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infoflow.reference.strata import DENSE
from infoflow.reference.table import Distribution, Table, rounded
from tests.reference.making import gaussians, network, numbers, samples


def distribution(lists: list[list[float]]) -> Distribution:
    return Distribution(tuple(tuple(sorted(one)) for one in lists))


def naive_percentile(lists: list[list[float]], value: float) -> float:
    """Layer by layer: below counts one, equal a half; mean of networks."""
    total = 0.0
    for one in lists:
        hits = 0.0
        for other in one:
            hits += 1.0 if other < value else 0.5 if other == value else 0.0
        total += hits / len(one)
    return 100 * total / len(lists)


@given(samples, numbers)
def test_percentiles_are_the_naive_twins(lists, value):
    healthy = distribution(lists)
    flat = [x for one in lists for x in one]
    found, exact = healthy.percentile(value), naive_percentile(lists, value)
    assert 0 <= found <= 100
    if value < min(flat):
        assert found == 0
    elif value > max(flat):
        assert found == 100
    else:
        assert 0 < found < 100
        assert found == pytest.approx(exact, abs=0.1 + 1e-9)


@given(samples, st.lists(numbers, min_size=2, max_size=6))
def test_percentiles_and_excess_never_fall(lists, values):
    healthy = distribution(lists)
    ordered = sorted(values)
    for figure in (healthy.percentile, healthy.excess):
        found = [figure(value) for value in ordered]
        assert found == sorted(found)


@given(samples)
def test_quantiles_rise_from_the_lowest_to_the_highest(lists):
    healthy = distribution(lists)
    found = [healthy.quantile(percent) for percent in range(101)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (healthy.lowest, healthy.highest)


@given(samples, numbers)
def test_excess_is_zero_inside_and_counts_interquartile_ranges_outside(lists, value):
    healthy = distribution(lists)
    excess = healthy.excess(value)
    if healthy.lowest <= value <= healthy.highest or not healthy.middle_half:
        assert excess == 0
    else:
        last = healthy.lowest if value < healthy.lowest else healthy.highest
        assert excess == pytest.approx((value - last) / healthy.middle_half)


def test_each_network_counts_alike():
    healthy = distribution([[1.0] * 99, [3.0]])
    assert healthy.percentile(2.0) == 50.0
    assert healthy.quantile(50) == 1.0
    assert healthy.quantile(51) == 3.0


def test_a_layer_of_the_table_counts_half_for_itself_though_values_are_rounded():
    healthy = distribution([[rounded(1 / 3), 1.0, 2.0]])
    assert healthy.percentile(1 / 3) == pytest.approx(100 / 6, abs=0.06)


def test_few_layers_or_networks_do_not_speak():
    assert not distribution([[1.0] * 19, [2.0]]).speaks
    assert not distribution([[1.0] * 17, [2.0], [3.0]]).speaks
    assert distribution([[1.0] * 18, [2.0], [3.0]]).speaks


@given(st.integers(1, 5), st.integers(1, 5))
def test_merging_is_building_from_the_union(first, second):
    one, other = gaussians(first, seed=1), gaussians(second, seed=2)
    union = Table((*one.networks, *other.networks))
    assert one.merged(other) == union
    assert one.merged(other).digest == other.merged(one).digest == union.digest
    value = 0.3
    merged = one.merged(other).distribution(DENSE, "gain")
    whole = union.distribution(DENSE, "gain")
    assert merged.percentile(value) == whole.percentile(value)


def test_merging_twice_is_merging_once_and_the_later_network_wins():
    one, other = gaussians(seed=1), gaussians(seed=2)
    merged = one.merged(other)
    assert merged.merged(other).digest == merged.digest
    renewed = network("1-0", 7.0)
    assert one.merged(Table((renewed,))).distribution(DENSE, "gain").highest == 7.0
    assert len(one.merged(Table((renewed,))).networks) == 4


def test_without_takes_networks_out():
    table = gaussians()
    gone = table.networks[0].digest
    assert [n.digest for n in table.without([gone]).networks] == [
        n.digest for n in table.networks[1:]
    ]


def test_digests_hang_on_values():
    assert gaussians(seed=1).digest != gaussians(seed=2).digest
    assert math.isfinite(int(gaussians().digest, 16))
