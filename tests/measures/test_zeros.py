"""Exact zeros and non-finite numbers: against plain loops, in every type that files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.layers import Layer, Normalisation
from infoflow.measures.weights import zeros
from infoflow.measures.weights.subject import Subject
from infoflow.measures.weights.zeros import count_non_finite, count_zeros

DTYPES = [
    np.float64,
    np.float32,
    np.float16,
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e4m3fnuz,
]
ODD = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -2.5, 0.5]


def naive_zeros(weight: np.ndarray[Any, Any]) -> int:
    return sum(float(value) == 0.0 for value in weight.ravel())


def naive_non_finite(weight: np.ndarray[Any, Any]) -> int:
    return sum(not np.isfinite(float(value)) for value in weight.ravel())


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.sampled_from(ODD), max_size=40))
def test_counts_are_those_of_a_loop(dtype: Any, values: list[float]) -> None:
    weight = np.asarray(values, dtype=np.float64).astype(dtype)
    assert count_zeros(weight) == naive_zeros(weight)
    assert count_non_finite(weight) == naive_non_finite(weight)


@pytest.mark.parametrize("dtype", DTYPES[2:], ids=lambda d: np.dtype(d).name)
def test_every_bit_pattern_of_narrow_types_is_judged_right(dtype: Any) -> None:
    size = np.dtype(dtype).itemsize
    unsigned = np.uint8 if size == 1 else np.uint16
    patterns = np.arange(256**size).astype(unsigned).view(dtype)
    with np.errstate(invalid="ignore"):
        wide = patterns.astype(np.float64)
    assert count_zeros(patterns) == int(np.sum(wide == 0))
    assert count_non_finite(patterns) == int(np.sum(~np.isfinite(wide)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, zeros._BLOCK - 1, zeros._BLOCK, 2 * zeros._BLOCK + 6])
def test_one_bad_number_in_any_block_is_found(value: float, place: int) -> None:
    weight = np.ones(2 * zeros._BLOCK + 7, dtype=np.float32)
    weight[place] = value
    assert count_non_finite(weight) == 1
    assert count_zeros(weight) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_and_subnormal_numbers_are_finite_and_not_zero(dtype: Any) -> None:
    info = np.finfo(dtype)
    weight = np.array([info.max, -info.max, info.smallest_subnormal, info.tiny], dtype=dtype)
    assert count_non_finite(weight) == 0
    assert count_zeros(weight) == 0


def test_infinities_that_cancel_in_a_sum_are_found() -> None:
    assert count_non_finite(np.array([[np.inf, -np.inf], [1.0, 0.0]], dtype=np.float32)) == 2


def test_integers_and_booleans_are_finite() -> None:
    assert count_non_finite(np.array([0, 1, 127], dtype=np.int8)) == 0
    assert count_zeros(np.array([0, 1, 0, 127], dtype=np.int8)) == 2
    assert count_zeros(np.array([True, False])) == 1


def test_a_mapped_unaligned_and_a_strided_weight_are_read(tmp_path: Path) -> None:
    weight = np.array([[0.0, 1.0, np.nan], [0.0, 2.0, 3.0]], dtype=np.float32)
    path = tmp_path / "weight"
    path.write_bytes(b"x" + weight.tobytes())
    mapped = np.memmap(path, np.uint8, "r")[1:].view(np.float32).reshape(2, 3)
    assert not mapped.flags.aligned
    for array in (mapped, weight.T, weight[:, ::2], weight[::-1]):
        assert count_zeros(array) == naive_zeros(array)
        assert count_non_finite(array) == naive_non_finite(array)


def test_an_empty_weight_has_no_share() -> None:
    layer = Layer("empty", "dense", np.zeros((0, 4), dtype=np.float32), "float32")
    rows = list(zeros.zeros(Subject(layer)))
    assert [(row.statistic, row.value) for row in rows] == [("count", 0.0)]


def test_rows_of_a_layer() -> None:
    weight = np.array([[0.0, 1.0], [-0.0, 4.0]], dtype=np.float32)
    subject = Subject(Layer("fc", "dense", weight, "float32"))
    rows = {(r.measure, r.statistic): r.value for m in zeros.MEASURES for r in m.compute(subject)}
    assert rows == {
        ("zeros", "count"): 2.0,
        ("zeros", "share"): 0.5,
        ("non-finite", "count"): 0.0,
    }


def test_a_normalisation_is_searched_in_its_running_variance_too() -> None:
    gamma = np.array([1.0, 0.0, np.nan])
    norm = Normalisation("bn", gamma, np.array([1.0, np.inf, 2.0]), 1e-5)
    subject = Subject(Layer("bn", "normalisation", gamma, "float64", normalisation=norm))
    (row,) = zeros.non_finite(subject)
    assert row.value == 2
    assert row.note == "1 of them in the running variance"


def test_torch_tensors_are_counted_alike() -> None:
    torch = pytest.importorskip("torch")
    weight = np.array([[0.0, -0.0, np.nan], [np.inf, 1.0, 2.0]])
    assert count_zeros(torch.from_numpy(weight)) == 2
    assert count_non_finite(torch.from_numpy(weight)) == 2
