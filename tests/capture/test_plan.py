"""How much is gathered at once, within which memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.capture.plan import MAX_PASSES, SCRATCH, plan
from infoflow.capture.site import Site
from infoflow.capture.survey import SiteSize
from infoflow.errors import CaptureError


def sizes(*thousands: int) -> list[SiteSize]:
    return [
        SiteSize(Site(f"s{i}", "Linear", 1, "linear map"), (count, 1000))
        for i, count in enumerate(thousands)
    ]


def test_everything_fits_into_one_pass() -> None:
    found = plan(sizes(10, 20, 30), 100, 10**9)
    assert found.passes == (tuple(size.site for size in found.sizes),)
    assert found.total == 100 * 60_000 * 4
    assert found.memory == SCRATCH + 64 * (60_000 + 4 * 30_000) * 4 + found.total
    assert not found.spooled
    assert found.sentence == (
        "The activations of 3 sites for 100 samples are 24.0 MB; they are gathered in one pass, "
        "with about 204.3 MB of memory."
    )


def test_time_is_told() -> None:
    layers, budget = sizes(10, 20, 30), SCRATCH + 180_000_000
    once = plan(layers, 100, budget, seconds=0.5)
    assert once.seconds == 50
    assert once.sentence.endswith(" of memory and 50 s of running the network.")
    twice = plan(layers, 1000, budget, seconds=0.5)
    assert twice.seconds == 1000
    with_errors = plan(layers, 100, 10**9, seconds=0.5, errors=True)
    assert with_errors.seconds == pytest.approx(110)


def test_passes_by_neighbours() -> None:
    found = plan(sizes(10, 20, 30), 1000, SCRATCH + 180_000_000)
    assert [[site.name for site in sites] for sites in found.passes] == [["s0", "s1"], ["s2"]]
    assert found.batch_size == 64
    assert "in 2 passes by groups of layers" in found.sentence


def test_a_spool_where_a_site_does_not_fit() -> None:
    budget = SCRATCH + 60_000_000
    with pytest.raises(CaptureError, match=r"too few for 1,000 samples, which need .*--mem-budget"):
        plan(sizes(10, 20, 30), 1000, budget)
    found = plan(sizes(10, 20, 30), 1000, budget, disk=10**9)
    assert found.spooled
    assert found.disk == found.total == 240_000_000
    assert found.memory <= budget
    assert "a spool of 240.0 MB on disk" in found.sentence


def test_a_spool_rather_than_many_passes() -> None:
    many, budget = sizes(*[1000] * 20), SCRATCH + 850_000_000
    assert len(plan(many, 100, budget, batch_size=1).passes) == 20
    assert plan(many, 100, budget, batch_size=1, disk=10**12).spooled


def test_a_smaller_batch_where_it_saves_passes() -> None:
    layers = sizes(10, 20, 30)
    budget = SCRATCH + 240_000_000 + 32 * (60_000 + 4 * 30_000) * 4
    found = plan(layers, 1000, budget)
    assert (len(found.passes), found.batch_size) == (1, 32)
    assert found.memory == budget
    assert plan(layers, 1000, budget - 1).batch_size == 64


def test_the_batch_shrinks_for_error_signals() -> None:
    layers, budget = sizes(*[1000] * 10), SCRATCH + 9 * 10**9
    without = plan(layers, 100, budget)
    with_errors = plan(layers, 100, budget, errors=True)
    assert with_errors.total == 2 * without.total
    assert with_errors.batch_size < without.batch_size


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 2000), min_size=1, max_size=30),
    st.integers(1, 500),
    st.integers(10**7, 10**10),
    st.integers(0, 10**7),
    st.integers(0, 10**10),
    st.booleans(),
)
def test_a_plan_keeps_its_promises(
    numbers: list[int], samples: int, budget: int, reserved: int, disk: int, errors: bool
) -> None:
    layers = sizes(*numbers)
    try:
        found = plan(layers, samples, budget, errors=errors, reserved=reserved, disk=disk)
    except CaptureError:
        return
    assert [site for sites in found.passes for site in sites] == [size.site for size in layers]
    assert found.memory <= budget
    assert found.disk <= disk
    assert 1 <= found.batch_size <= min(64, samples)
    if len(found.passes) > MAX_PASSES:
        assert found.total > disk
