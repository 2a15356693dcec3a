"""log|det|, log|c₁₁| and block c₁₁ against Leibniz, Toeplitz matrices and the density."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.measures.weights import entropy_change
from infoflow.measures.weights.block_corner import corner_blocks
from infoflow.measures.weights.corner import valid_positions
from infoflow.measures.weights.determinant import _torch_pivots, log_determinant
from infoflow.measures.weights.entropy_change import MEASURES, square_log_determinant
from infoflow.operators.dense import completed
from infoflow.selftest import EXAMPLE_4, EXAMPLE_5, completed_toeplitz
from tests.cases import gaussian
from tests.measures.weight_layers import convolution, dense, rows_of, series_of

LOGDET, C11 = "entropy-change.logdet", "entropy-change.c11"
TOTAL, BLOCK = "entropy-change.c11-total", "entropy-change.block-c11"


def leibniz(matrix: np.ndarray) -> float:
    """Determinant by expansion along the first row."""
    if len(matrix) == 0:
        return 1.0
    minors = (np.delete(matrix[1:], j, axis=1) for j in range(len(matrix)))
    return sum((-1) ** j * matrix[0, j] * leibniz(minor) for j, minor in enumerate(minors))


def logdet(weight: np.ndarray, dtype: str = "float64"):
    return rows_of(MEASURES, LOGDET, dense(weight, dtype))["value"]


# Dense layers


def test_example_4() -> None:
    weight = np.array(EXAMPLE_4)
    assert logdet(weight).value == pytest.approx(math.log(18))
    assert np.linalg.slogdet(completed(weight))[1] == pytest.approx(math.log(18))
    assert 0.5 * np.linalg.slogdet(weight @ weight.T)[1] == pytest.approx(5.7343, abs=5e-5)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_logdet_is_leibniz_and_never_exceeds_the_log_volume(
    rows: int, columns: int, seed: int
) -> None:
    weight = np.random.default_rng(seed).standard_normal((rows, columns))
    k = min(rows, columns)
    value = logdet(weight).value
    assert value == pytest.approx(math.log(abs(leibniz(weight[:k, :k]))), abs=1e-8)
    assert value <= np.log(np.linalg.svd(weight, compute_uv=False)).sum() + 1e-9


@pytest.mark.parametrize("k", [127, 128, 300])
def test_small_and_large_ways_agree_with_numpy(k: int) -> None:
    weight = gaussian(k, k + 5)
    expected = np.linalg.slogdet(weight[:, :k].astype(float))[1]
    assert logdet(weight, "float32").value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_stored_type(dtype: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    stored = gaussian(12, 20).astype(getattr(ml_dtypes, dtype, None) or dtype)
    expected = np.linalg.slogdet(stored.astype(float)[:, :12])[1]
    assert logdet(stored, dtype).value == pytest.approx(expected, abs=1e-10)


def test_an_unaligned_read_only_map_is_read_and_not_written(tmp_path: Path) -> None:
    weight, path = gaussian(150, 200), tmp_path / "weight"
    path.write_bytes(b"odd" + weight.tobytes())
    mapped = np.memmap(path, np.float32, "r", offset=3, shape=weight.shape)
    assert logdet(mapped, "float32").value == logdet(weight, "float32").value
    assert path.read_bytes() == b"odd" + weight.tobytes()


@pytest.mark.parametrize("k", [6, 130])
class TestLostRank:
    def test_zero_rows_and_columns_are_named(self, k: int) -> None:
        weight = gaussian(k, k)
        weight[2] = weight[4] = weight[:, 1] = 0
        row = logdet(weight, "float32")
        assert row.is_minus_infinity
        assert f"2 of {k} rows are exactly zero (2, 4)" in row.note
        assert f"1 of {k} columns is exactly zero (1)" in row.note
        assert f"rank {k - 2} of {k}" in row.note

    def test_copies_and_combinations(self, k: int) -> None:
        weight = gaussian(k, k)
        weight[3] = -2.5 * weight[0]
        assert f"rank {k - 1} of {k}" in logdet(weight, "float32").note
        weight = gaussian(k, k)
        weight[5] = weight[0] - 3 * weight[1] + 0.3 * weight[2]
        row = logdet(weight, "float32")
        assert row.is_minus_infinity
        assert f"rank {k - 1} of {k} (pivot tolerance 4.8e-07)" in row.note

    def test_a_negligible_row_is_lost_as_in_the_log_volume(self, k: int) -> None:
        weight = gaussian(k, k)
        weight[3] *= 1e-18
        row = logdet(weight, "float32")
        assert row.is_minus_infinity
        assert f"rank {k - 1} of {k}; 1 of {k} output channels is negligible (3)" in row.note

    def test_a_row_tiny_in_the_square_part_counts_but_is_named(self, k: int) -> None:
        weight = gaussian(k, k + 3)
        weight[3, :k] *= 1e-18
        row = logdet(weight, "float32")
        expected = np.linalg.slogdet(weight[:, :k].astype(float))[1]
        assert row.value == pytest.approx(expected, abs=1e-6)
        assert row.note.startswith("rows 3 hardly count")

    def test_badly_scaled_is_not_lost(self, k: int) -> None:
        weight = gaussian(k, k).astype(float) * np.logspace(0, -9, k)[:, None]
        row = logdet(weight)
        assert row.value == pytest.approx(np.linalg.slogdet(weight)[1], abs=1e-6)
        assert not row.note


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("float16", (24, 24)), ("float16", (24, 100)), ("bfloat16", (24, 200)), ("float32", (20, 30))],
)
def test_surrogate_and_log_volume_do_not_contradict_each_other(
    dtype: str, shape: tuple[int, int]
) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for seed in range(10):
        weight = gaussian(*shape, seed=seed)
        weight[9] = 0.3 * weight[1] - 0.7 * weight[2] + 0.11 * weight[4]
        stored = weight.astype(getattr(ml_dtypes, dtype, None) or dtype)
        subject = dense(stored, dtype)
        surrogate = rows_of(MEASURES, LOGDET, subject)["value"].value
        exact = subject.density.value
        assert (exact is None) == (shape[0] < shape[1])
        assert (surrogate is None) == (exact is None)
        if surrogate is not None:
            assert surrogate <= exact + 1e-9


def test_the_block_is_lost_with_its_layer() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weight = gaussian(8, 40, 3)
    weight[5] = 0.3 * weight[1] - 0.7 * weight[2]
    subject = convolution(weight.astype(ml_dtypes.bfloat16), dtype="bfloat16")
    assert subject.density.value is None
    rows = rows_of(MEASURES, BLOCK, subject)
    assert all(row.is_minus_infinity for row in rows.values())
    assert "the whole layer has lost rank: rank 7 of 8" in rows["square-part"].note


def test_a_zero_weight() -> None:
    row = logdet(np.zeros((4, 7)))
    assert row.is_minus_infinity
    assert "4 of 4 rows are exactly zero (0, 1, 2, 3)" in row.note
    assert "rank 0 of 4" in row.note


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_extreme_scales(scale: float) -> None:
    weight = gaussian(5, 5).astype(float)
    found = log_determinant(weight * scale, "float64").value
    assert found == pytest.approx(np.linalg.slogdet(weight)[1] + 5 * math.log(scale), rel=1e-12)


def test_no_false_loss_in_fresh_matrices() -> None:
    lost = [
        log_determinant(gaussian(k, k, seed=seed), "float32").value is None
        for k in (1, 2, 8, 40)
        for seed in range(500)
    ]
    assert not any(lost)


def test_torch_tensors_with_two_threads_agree_with_numpy() -> None:
    torch = pytest.importorskip("torch")
    weight = gaussian(256, 256).astype(float)
    expected = np.linalg.slogdet(weight)[1]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = square_log_determinant(torch.from_numpy(weight), "float64").value
        block = rows_of(MEASURES, BLOCK, convolution(torch.from_numpy(np.stack([weight] * 2, -1))))[
            "value"
        ]
    finally:
        torch.set_num_threads(threads)
    assert found == pytest.approx(expected, abs=1e-9)
    assert block.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 40), (40, 25)])
def test_the_way_of_torch_on_a_device(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    weight = gaussian(*shape).astype(float)
    found = np.log(_torch_pivots(torch.from_numpy(weight))).sum()
    assert found == pytest.approx(np.log(np.linalg.svd(weight, compute_uv=False)).sum(), abs=1e-10)


# Slices


def test_example_5() -> None:
    kernel = np.array(EXAMPLE_5)
    matrix = completed_toeplitz(kernel, (4, 4))
    assert matrix.shape == (16, 16)
    assert np.linalg.det(matrix) == pytest.approx(64)
    subject = convolution(kernel[None, None], input_size=(4, 4))
    assert rows_of(MEASURES, TOTAL, subject)["value"].value == pytest.approx(math.log(64))


def naive_c11(weight: np.ndarray) -> dict[str, float]:
    """The statistics as one would write them down, a slice at a time."""
    values = []
    for o, i in product(range(weight.shape[0]), range(weight.shape[1])):
        corner = float(weight[(o, i) + (0,) * (weight.ndim - 2)])
        if corner != 0:
            values.append(math.log(abs(corner)))
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    inside = [v for v in values if low <= v <= high]
    return {
        "count": len(values),
        "zeros": weight.shape[0] * weight.shape[1] - len(values),
        "mean": sum(values) / len(values),
        "standard-deviation": np.std(values, ddof=1),
        "minimum": min(values),
        "q1": q1,
        "median": median,
        "q3": q3,
        "maximum": max(values),
        "whisker-low": min(inside),
        "whisker-high": max(inside),
        "outliers-low": sum(v < low for v in values),
        "outliers-high": sum(v > high for v in values),
    }


@given(
    st.tuples(st.integers(2, 6), st.integers(1, 6)),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 10**6),
)
@settings(max_examples=50, deadline=None)
def test_c11_is_the_naive_count(
    channels: tuple[int, int], kernel: list[int], zero_share: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weight = generator.standard_cauchy((*channels, *kernel)).astype(np.float32)
    weight[generator.random(weight.shape) < zero_share] = 0
    weight[0, 0], weight[1, 0] = 3, 1  # at least two slices are not zero
    rows = rows_of(MEASURES, C11, convolution(weight, dtype="float32"))
    expected = naive_c11(weight)
    assert {name: row.value for name, row in rows.items()} == pytest.approx(expected, abs=1e-12)
    assert all(bool(row.note) == bool(expected["zeros"]) for s, row in rows.items() if s == "mean")


def test_all_zero_slices_are_minus_infinity() -> None:
    rows = rows_of(MEASURES, C11, convolution(np.zeros((2, 3, 3, 3))))
    assert rows["count"].value == 0
    assert rows["zeros"].value == 6
    assert rows["mean"].is_minus_infinity
    assert "exactly zero in all 6 slices" in rows["mean"].note
    # The spread of nothing is not −∞: there is none.
    assert rows["standard-deviation"].value is None
    assert not rows["standard-deviation"].is_minus_infinity
    assert rows["standard-deviation"].note.startswith("no spread")


def test_one_slice_has_no_spread() -> None:
    rows = rows_of(MEASURES, C11, convolution(np.full((1, 1, 2), 2.0)))
    assert rows["mean"].value == pytest.approx(math.log(2))
    assert rows["standard-deviation"].value is None
    assert rows["standard-deviation"].note == "one slice has no spread"


@pytest.mark.parametrize(
    ("settings", "size", "kernel", "positions"),
    [
        ({}, (4, 4), (3, 2), 6),
        ({"padding": 1}, (8, 8), (3, 3), 36),
        ({"stride": 2}, (9, 8), (3, 3), 12),
        ({"stride": 2, "dilation": 2}, (9,), (3,), 3),
        ({"stride": 4}, (224, 224), (4, 4), 56 * 56),
        ({"transposed": True, "stride": 2}, (5, 7), (4, 4), 35),
        ({}, (5, 6, 7), (2, 2, 2), 120),
        ({}, (2, 9), (3, 3), 0),
    ],
)
def test_valid_positions(settings: dict, size: tuple, kernel: tuple, positions: int) -> None:
    subject = convolution(np.ones((1, 1, *kernel)), input_size=size, **settings)
    assert valid_positions(subject.layer) == positions
    brute = [
        sum(
            1
            for start in range(0, n, settings.get("stride", 1))
            if start + settings.get("dilation", 1) * (p - 1) < n
        )
        for n, p in zip(size, kernel, strict=True)
    ]
    if not settings.get("transposed"):
        assert math.prod(brute) == positions


def test_total_explains_itself_where_it_does_not_exist() -> None:
    weight = gaussian(2, 2, 3, 3)
    unknown = rows_of(MEASURES, TOTAL, convolution(weight))["value"]
    assert unknown.value is None
    assert "size of the layer's input is not known" in unknown.note
    small = rows_of(MEASURES, TOTAL, convolution(weight, input_size=(2, 9)))["value"]
    assert "larger than" in small.note
    weight[1, 0, 0, 0] = 0
    zero = rows_of(MEASURES, TOTAL, convolution(weight, input_size=(8, 8)))["value"]
    assert zero.is_minus_infinity
    assert "1 of 4 slices" in zero.note


def test_series() -> None:
    weight = gaussian(130, 70, 3, 3)
    weight[:3, :2] = 0
    found = series_of(MEASURES, convolution(weight, dtype="float32"))
    logs = np.log(np.abs(weight[3:, :, 0, 0].astype(float)))
    assert found["c11"].shape == (64, 64)
    cells = np.array(found["c11"].values, dtype=object).reshape(64, 64)
    assert cells[0, 0] is None  # rows 0 and 1, column 0: all zero
    assert cells[-1, -1] == pytest.approx(logs[124:, 68:].mean())  # 63·130/64 and 63·70/64
    histogram = np.array(found["c11.histogram"].values).reshape(2, 40)
    assert histogram[1].sum() == 130 * 70 - 6
    assert (np.diff(histogram[0]) > 0).all()
    assert found["c11.outliers"].shape == (200,)
    expected = naive_c11(weight)
    assert min(found["c11.outliers"].values) == pytest.approx(expected["minimum"])


def test_series_of_small_and_of_zero_layers() -> None:
    weight = gaussian(3, 2, 3)
    found = series_of(MEASURES, convolution(weight))
    assert found["c11"].values == pytest.approx(np.log(np.abs(weight[:, :, 0])).ravel())
    zero = series_of(MEASURES, convolution(np.zeros((3, 2, 3))))
    assert zero["c11"].values == (None,) * 6
    assert "c11.histogram" not in zero


# Whole layers


def completed_layer(
    weight: np.ndarray, n: int, stride: int, dilation: int
) -> tuple[np.ndarray, int]:
    """A 1-d layer's valid rows over all inputs, completed to a square by identities.

    Rows by position, then channel; columns likewise. A fine position belongs to the coarse one
    that starts its stride, so that a coarse position has stride·C_in columns.
    """
    outputs, inputs, taps = weight.shape
    rows = []
    valid = 0
    width = n * inputs
    for start in range(0, n, stride):
        if start + dilation * (taps - 1) < n:
            valid += 1
            for o in range(outputs):
                row = np.zeros((n, inputs))
                for a in range(taps):
                    row[start + dilation * a] += weight[o, :, a]
                rows.append(row.ravel())
        else:
            rows += list(np.eye(width)[start * inputs : (start + stride) * inputs])
    return np.array(rows), valid


@pytest.mark.parametrize(
    ("outputs", "inputs", "taps", "stride", "dilation"),
    [
        (3, 3, 3, 1, 1),
        (3, 3, 2, 1, 2),
        (4, 2, 3, 2, 1),
        (4, 2, 2, 2, 1),
        (6, 2, 5, 3, 1),
        (4, 2, 2, 2, 3),
    ],
)
def test_block_is_the_completed_operator(
    outputs: int, inputs: int, taps: int, stride: int, dilation: int
) -> None:
    weight = gaussian(outputs, inputs, taps).astype(float)
    matrix, valid = completed_layer(weight, 12, stride, dilation)
    row = rows_of(MEASURES, BLOCK, convolution(weight, stride=stride, dilation=dilation))["value"]
    sign, expected = np.linalg.slogdet(matrix)
    if sign == 0 or expected < -30:
        # Stride 2, dilation 3: the corner reaches one of the two phases.
        assert row.is_minus_infinity
    else:
        assert row.value * valid == pytest.approx(expected, abs=1e-9)


def test_corner_is_the_polyphase_symbol_at_zero() -> None:
    weight = gaussian(2, 3, 3, 3).astype(float)
    subject = convolution(weight, stride=2)
    blocks = corner_blocks(subject.layer)
    assert blocks.shape == (1, 2, 12)
    mine, its = (np.sort(b[0], axis=1) for b in (blocks, subject.kernel.corner))
    assert (mine == its).all()


CASES = [
    ((4, 4, 3, 3), {}),
    ((3, 5, 3), {}),
    ((5, 3, 3), {}),
    ((6, 2, 3, 3), {"groups": 3}),
    ((4, 1, 3, 3), {"groups": 4}),
    ((4, 2, 3, 3), {"stride": 2}),
    ((4, 4, 3), {"dilation": 2}),
    ((6, 3, 3), {"stride": 2, "dilation": 3}),
    ((3, 4, 4, 4), {"stride": 2, "transposed": True}),
    ((2, 2, 2, 2, 2), {}),
    ((8, 2, 2, 2), {"stride": 2}),
]


@pytest.mark.parametrize(("shape", "settings"), CASES)
def test_block_never_exceeds_the_density(shape: tuple[int, ...], settings: dict) -> None:
    for seed in range(4):
        subject = convolution(gaussian(*shape, seed=seed), dtype="float32", **settings)
        rows = rows_of(MEASURES, BLOCK, subject)
        high = subject.density.high
        for row in rows.values():
            # Twice the interval's half width, so that 88 intervals of 95 % do not matter.
            slack = high - subject.density.low
            assert row.value is None or row.value <= high + slack + 1e-9
        k = rows["value"].method
        assert ("square-part" in rows) == ("Gram" in k)


def test_kernel_equal_to_stride_is_exact() -> None:
    subject = convolution(gaussian(8, 2, 2, 2), stride=2, dtype="float32")
    value = rows_of(MEASURES, BLOCK, subject)["value"].value
    assert value == pytest.approx(subject.density.value, abs=1e-9)


def test_square_part_is_theorem_3() -> None:
    weight = gaussian(3, 5, 3).astype(float)
    row = rows_of(MEASURES, BLOCK, convolution(weight))["square-part"]
    assert row.value == pytest.approx(np.linalg.slogdet(weight[:, :3, 0])[1])
    assert "depends on the order" in row.method


@pytest.mark.parametrize(
    ("shape", "groups", "note"),
    [
        ((4, 4, 3), 1, "1 of 4 rows is exactly zero (1)"),
        ((4, 2, 3), 2, "rank 3 of 4; group 0: 1 of 2 rows is exactly zero (1)"),
        ((4, 1, 3), 4, "rank 3 of 4: the corner of groups 1 is exactly zero"),
    ],
)
def test_a_zero_filter_is_minus_infinity(shape: tuple, groups: int, note: str) -> None:
    weight = gaussian(*shape)
    weight[1, :, 0] = 0
    row = rows_of(MEASURES, BLOCK, convolution(weight, groups=groups, dtype="float32"))["value"]
    assert row.is_minus_infinity
    assert note in row.note


def test_a_tiny_depthwise_corner_is_named() -> None:
    weight = gaussian(4, 1, 3)
    weight[2, 0, 0] *= 1e-18
    row = rows_of(MEASURES, BLOCK, convolution(weight, groups=4, dtype="float32"))["value"]
    assert row.value == pytest.approx(np.log(np.abs(weight[:, 0, 0].astype(float))).sum())
    assert row.note.startswith("groups 2 hardly count")


def test_tables() -> None:
    assert [m.name for m in MEASURES] == [LOGDET, C11, TOTAL, BLOCK]
    assert all(m.group == "paper" and m.source and m.unit for m in entropy_change.MEASURES)
