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
    assert rows["tolerance"].value == pytest.approx(5 * 2.0**-52)
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
