from __future__ import annotations

import numpy as np
import pytest

from infoflow.measures.weights.rank import MEASURES
from tests.measures.weight_layers import convolution, dense, rows_of


def test_rows_of_a_full_layer() -> None:
    rows = rows_of(MEASURES, "rank", dense(np.random.default_rng(0).standard_normal((3, 5))))
    assert {name: row.value for name, row in rows.items() if name != "tolerance"} == {
        "value": 3.0,
        "full": 3.0,
        "gap": None,
    }
    largest = rows["tolerance"].value / (5 * 2.0**-52)  # σ_max of three unit rows
    assert 1 <= largest <= 3**0.5
    assert rows["gap"].note == "no gap: full rank"
    assert rows["value"].note == ""


def test_rows_of_a_lost_channel() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 4, 3, 3)).astype(np.float32)
    weight[2] = weight[0] - weight[1]
    rows = rows_of(MEASURES, "rank", convolution(weight, dtype="float32"))
    assert (rows["value"].value, rows["full"].value) == (3.0, 4.0)
    assert "output channels 0, 1 and 2 are linearly dependent" in rows["value"].note
    gap = rows["gap"].value
    assert gap is not None
    assert gap > 1e4


def test_a_strided_pointwise_layer_has_no_empty_phases() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 3, 1, 1))
    rows = rows_of(MEASURES, "rank", convolution(weight, stride=2))
    assert (rows["value"].value, rows["full"].value) == (3.0, 3.0)


def test_a_dead_layer() -> None:
    rows = rows_of(MEASURES, "rank", dense(np.zeros((3, 4))))
    assert rows["value"].value == 0.0
    assert "3 of 3 output channels are exactly zero" in rows["value"].note
    assert rows["gap"].value is None


def test_the_tolerance_is_the_one_used() -> None:
    rows = rows_of(MEASURES, "rank", dense(np.eye(6, 8, dtype=np.float32), "float32"))
    assert rows["tolerance"].value == 4 * 2.0**-23
    assert "4ε" in rows["tolerance"].method


def test_what_cannot_be_told_is_said() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weight = np.random.default_rng(0).standard_normal((8, 8, 3, 3))
    fresh = convolution(weight.astype(ml_dtypes.bfloat16), dtype="bfloat16")
    assert rows_of(MEASURES, "rank", fresh)["value"].note == ""
    weight[3] = 0.3 * weight[1] - 0.7 * weight[2]
    stored = convolution(weight.astype(ml_dtypes.bfloat16), dtype="bfloat16")
    row = rows_of(MEASURES, "rank", stored)["value"]
    assert row.value == 8
    assert "full rank cannot be told: rounding to the stored type (ε = 0.0078)" in row.note
