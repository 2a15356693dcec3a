"""Leading singular directions and their angles: known rotations, a naive twin, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.comparison import subspaces as module
from infoflow.comparison.subspaces import angles, leading, unturned, wanted_directions
from tests.cases import gaussian


def spread(rows, columns, seed=0):
    """A matrix whose singular values fall by a factor of 2, so that directions are told apart."""
    generator = np.random.default_rng(seed)
    left = np.linalg.qr(generator.standard_normal((rows, rows)))[0]
    right = np.linalg.qr(generator.standard_normal((columns, columns)))[0]
    k = min(rows, columns)
    return (left[:, :k] * 0.5 ** np.arange(k)) @ right[:k]


def naive(a, b, k):
    """Angles by arccos of the singular values of Uᵀ U', as Björck and Golub define them."""
    found = []
    for side in (0, 1):
        one, other = (
            np.linalg.svd(x.reshape(len(x), -1), full_matrices=False)[2 * side] for x in (a, b)
        )
        u, v = (one[:, :k], other[:, :k]) if side == 0 else (one[:k].T, other[:k].T)
        cosines = np.linalg.svd(u.T @ v, compute_uv=False)
        found.append(np.degrees(np.arccos(np.clip(cosines, -1, 1))))
    return found


@pytest.mark.parametrize("shape", [(12, 20), (20, 12), (16, 16), (8, 3, 3, 3)])
def test_directions_are_those_of_the_singular_value_decomposition(shape):
    weight = gaussian(*shape).astype("f8")
    found = leading(weight)
    matrix = weight.reshape(shape[0], -1)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    k = wanted_directions(shape)
    assert found.count == k
    np.testing.assert_allclose(found.values, values[: k + 1], rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(found.left * left[:, :k], axis=0)), 1, rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(found.right * right[:k].T, axis=0)), 1, rtol=1e-10)


@pytest.mark.parametrize("shape", [(12, 20), (20, 12), (30, 30)])
def test_angles_are_those_of_the_definition(shape):
    a, b = gaussian(*shape, seed=1).astype("f8"), gaussian(*shape, seed=2).astype("f8")
    found = angles(leading(a), leading(b))
    left, right = naive(a, b, found.directions)
    assert found.left == pytest.approx(left.max(), abs=1e-6)
    assert found.left_mean == pytest.approx(left.mean(), abs=1e-6)
    assert found.right == pytest.approx(right.max(), abs=1e-6)
    assert found.right_mean == pytest.approx(right.mean(), abs=1e-6)


@pytest.mark.parametrize("scale", [3.0, -0.2, 1e-12, 1e12])
def test_a_scaled_copy_has_not_turned(scale):
    weight = spread(10, 14)
    found = angles(leading(weight), leading(scale * weight))
    assert max(found.left, found.right) < 1e-5


@pytest.mark.parametrize("degrees", [1e-4, 5.0, 30.0, 90.0])
def test_a_known_rotation_of_the_outputs_is_the_left_angle(degrees):
    """Only the first direction is turned, towards one that no leading direction uses."""
    weight = spread(12, 12)
    left, values, right = np.linalg.svd(weight)
    turn = math.radians(degrees)
    turned = left.copy()
    turned[:, 0] = math.cos(turn) * left[:, 0] + math.sin(turn) * left[:, 11]
    turned[:, 11] = -math.sin(turn) * left[:, 0] + math.cos(turn) * left[:, 11]
    found = angles(leading(weight), leading((turned * values) @ right))
    assert found.directions == 6
    assert found.left == pytest.approx(degrees, rel=1e-6, abs=1e-7)
    assert found.left_mean == pytest.approx(degrees / 6, rel=1e-4, abs=1e-6)
    assert found.right < 1e-5


def test_permuted_outputs_turn_the_left_side_only():
    weight = spread(12, 9)
    order = np.roll(np.arange(12), 1)
    found = angles(leading(weight), leading(weight[order]))
    assert found.right < 1e-5
    assert found.left > 10


@given(st.integers(0, 10_000), st.sampled_from([(6, 9), (9, 6), (8, 8), (4, 2, 3)]))
@settings(max_examples=40, deadline=None)
def test_laws(seed, shape):
    a, b = gaussian(*shape, seed=seed), gaussian(*shape, seed=seed + 1)
    one, other = leading(a), leading(b)
    there, back = angles(one, other), angles(other, one)
    for field in ("left", "left_mean", "right", "right_mean"):
        assert getattr(there, field) == pytest.approx(getattr(back, field), abs=1e-6)
        assert 0 <= getattr(there, field) <= 90 + 1e-9
    assert there.gap == back.gap
    assert there.left_mean <= there.left + 1e-9
    same = unturned(one)
    assert (same.left, same.right) == (0.0, 0.0)
    assert angles(one, one).left < 1e-5


def test_blocks_give_what_one_piece_gives(monkeypatch):
    weight = gaussian(9, 14).astype("f8")
    whole = leading(weight)
    monkeypatch.setattr(module, "BLOCK", 20)
    parts = leading(weight)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-12)
    assert angles(whole, parts).left < 1e-5


def test_a_weight_of_low_rank_has_so_many_directions():
    weight = spread(12, 12)
    left, values, right = np.linalg.svd(weight)
    low = (left[:, :2] * values[:2]) @ right[:2]
    assert leading(low).count == 2
    assert angles(leading(low), leading(weight)).directions == 2


def test_equal_singular_values_are_not_stable():
    found = angles(leading(np.eye(8)), leading(spread(8, 8)))
    assert found.gap == pytest.approx(1.0)
    assert not found.stable
    assert angles(leading(spread(8, 8)), leading(spread(8, 8, seed=2))).stable


WITHOUT = [
    np.zeros((4, 4)),
    np.ones(5),
    np.ones((1, 9)),
    np.ones((9, 1)),
    np.diag([1.0, np.nan, 1.0]),
    np.diag([np.inf, 1.0, 1.0]),
]


@pytest.mark.parametrize("weight", WITHOUT)
def test_there_may_be_no_direction_to_speak_of(weight):
    assert leading(weight) is None


@pytest.mark.parametrize(
    ("shape", "count"),
    [((512, 256, 3, 3), 10), ((10, 84), 5), ((6, 1, 5, 5), 3), ((2, 2), 1), ((16,), 0), ((), 0)],
)
def test_how_many_directions(shape, count):
    assert wanted_directions(shape) == count
