"""A large matrix whose pivots differ much, looked into without copies, against the plain way."""

from __future__ import annotations

import numpy as np
import pytest

from infoflow.measures.weights import determinant
from infoflow.measures.weights.determinant import LogDeterminant


def gaussian(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def graded() -> np.ndarray:
    return gaussian(60, 60) * np.geomspace(1, 1e-9, 60).astype(np.float32)[:, None]


def copied() -> np.ndarray:
    weight = gaussian(60, 60)
    weight[5] = 2 * weight[9]
    return weight


def dead() -> np.ndarray:
    weight = graded()
    weight[[3, 8]] = 0
    weight[:, 4] = 0
    return weight


CASES = {
    "graded": graded(),
    "graded columns": graded().T,
    "not square": graded()[:40],
    "not square, tall": graded().T[:, :40],
    "copied": copied(),
    "dead": dead(),
    "tiny": graded() * np.float32(1e-25),
}


@pytest.mark.parametrize("name", CASES)
def test_blocks_equal_the_whole(name: str) -> None:
    weight, epsilon = CASES[name], 2.0**-23
    mine: LogDeterminant = determinant._looked_into_blocks(weight, epsilon)
    its = determinant._looked_into(weight.astype(np.float64), epsilon)
    assert (mine.rank, mine.full) == (its.rank, its.full)
    assert mine.note.partition("(pivot")[0] == its.note.partition("(pivot")[0]
    assert mine.value == (its.value if its.value is None else pytest.approx(its.value, rel=1e-10))


def test_large_matrices_of_narrow_types_go_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinant, "_BLOCKED", 50)
    monkeypatch.setattr(determinant, "_looked_into", lambda *_: pytest.fail("a copy"))
    expected = np.linalg.slogdet(graded().astype(np.float64))[1]
    found = determinant.log_determinant(graded(), "float32")
    assert found.value == pytest.approx(expected, rel=1e-10)
