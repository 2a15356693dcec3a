"""Order and augmentation depend on seed, epoch and index alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infoflow.data import Batch, of_one_input
from infoflow.errors import SelectionError
from infoflow.training.augmentation import Augmentation, read_augmentation
from infoflow.training.sampling import COLUMNS, FLIP, ROWS, Plan, seed_step, uniform


@given(
    samples=st.integers(2, 60), batch=st.integers(1, 20), processes=st.integers(1, 3),
    accumulate=st.integers(1, 3), seed=st.integers(0, 5),
)  # fmt: skip
def test_every_sample_once_an_epoch_whatever_the_division(
    samples, batch, processes, accumulate, seed
):
    parts = processes * accumulate
    batch = max(parts, min(batch, samples))
    if batch > samples:
        return
    plan = Plan(samples, batch, seed, parts)
    seen = []
    for step in range(plan.steps_an_epoch):
        divided = [plan.parts_of(step, one, processes) for one in range(processes)]
        assert all(len(mine) == accumulate for mine in divided)
        sizes = [len(part) for mine in divided for part in mine]
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1
        together = np.concatenate([part for mine in divided for part in mine])
        assert sorted(together) == sorted(plan.indices(step))
        seen += list(together)
    assert len(set(seen)) == len(seen)
    assert samples - len(seen) < min(batch, max(2 * parts, 1))
    assert plan.epoch(plan.steps_an_epoch) == 1
    assert sorted(Plan(samples, samples, seed).indices(0)) == list(range(samples))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [tuple(Plan(50, 50, seed).indices(epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert orders[0] == tuple(Plan(50, 50, 0).indices(0))


def test_numbers_are_uniform_and_independent_of_their_neighbours():
    indices = np.arange(20_000)
    first = uniform(3, 0, indices, FLIP)
    assert np.array_equal(first[7:9], uniform(3, 0, np.array([7, 8]), FLIP))
    for other in (
        uniform(4, 0, indices, FLIP),
        uniform(3, 1, indices, FLIP),
        uniform(3, 0, indices, ROWS),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.03
    counts = np.histogram(first, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # χ² of 19 degrees: 50 is beyond 1e-4


def test_a_step_seeds_every_generator():
    draws = []
    for step in (5, 6, 5):
        seed_step(1, 0, step)
        draws.append((float(torch.rand(())), float(np.random.rand())))
    assert draws[0] == draws[2] != draws[1]


def naive(picture, flip, row, column, margin, black):
    """One picture shifted and mirrored, pixel by pixel."""
    c, h, w = picture.shape
    found = torch.empty_like(picture)
    for i in range(h):
        for j in range(w):
            y, x = i + row - margin, j + column - margin
            inside = 0 <= y < h and 0 <= x < w
            for k in range(c):
                source = picture[k, y, w - 1 - x if flip else x] if inside else black[k]
                found[k, i, j] = source
    return found


def test_augmentation_is_that_of_single_pictures():
    torch.manual_seed(0)
    x, masks = torch.randn(6, 2, 5, 4), torch.randint(0, 3, (6, 5, 4))
    indices, black = np.array([4, 0, 99, 3, 17, 8]), (-0.5, 1.5)
    changed = Augmentation(True, 2, black, 11)(of_one_input(x, masks), 3, indices)
    flips = uniform(11, 3, indices, FLIP) < 0.5
    rows, columns = ((uniform(11, 3, indices, s) * 5).astype(int) for s in (ROWS, COLUMNS))
    assert len({*zip(flips, rows, columns, strict=True)}) > 3
    for i in range(6):
        place = (flips[i], rows[i], columns[i], 2)
        torch.testing.assert_close(changed.x[i], naive(x[i], *place, black))
        mask = naive(masks[i][None], *place, (-100,))[0]
        assert torch.equal(changed.targets[i], mask)


def test_a_sample_changes_alike_in_any_batch():
    x = torch.randn(8, 1, 6, 6)
    augment = Augmentation(True, 3, (0.0,), 0)
    whole = augment(of_one_input(x), 1, np.arange(8)).x
    part = augment(of_one_input(x[5:7]), 1, np.array([5, 6])).x
    assert torch.equal(whole[5:7], part)
    assert not torch.equal(whole, augment(of_one_input(x), 2, np.arange(8)).x)


def test_nothing_is_done_without_words():
    batch: Batch = of_one_input(torch.randn(2, 3))
    assert read_augmentation((), (0.0,), 0)(batch, 0, np.arange(2)) is batch
    with pytest.raises(SelectionError, match="cannot be 'flp'; nearest: 'flip'"):
        read_augmentation(("flp",), (0.0,), 0)
