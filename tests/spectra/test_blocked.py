"""Large dense layers, read in blocks, against the plain way that holds them whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infoflow.layers import Layer
from infoflow.measures.weights.subject import Subject
from infoflow.operators.blocks import BlockedMatrix
from infoflow.operators.polyphase import dense_kernel
from infoflow.spectra import (
    Decomposition,
    Density,
    Rank,
    Spectrum,
    blocked_log_volume,
    blocked_rank,
    generic_rank,
    log_volume_density,
    singular_spectrum,
    triangle,
)
from infoflow.spectra.rank import machine_epsilon
from infoflow.spectra.triangle import triangular

Figures = tuple[Rank, Density, Spectrum]


def gaussian(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def blocks(weight: np.ndarray) -> BlockedMatrix:
    return BlockedMatrix(weight, row_bytes=8 * 7 * weight.shape[1], panel_bytes=1)


def in_blocks(weight: np.ndarray, dtype: str = "float32") -> Figures:
    layer = Decomposition(blocks(weight))
    rank = blocked_rank(layer, epsilon=machine_epsilon(dtype), generator=np.random.default_rng(1))
    return rank, blocked_log_volume(layer, rank), layer.spectrum


def whole(weight: np.ndarray, dtype: str = "float32") -> Figures:
    kernel = dense_kernel(weight)
    rank = generic_rank(kernel, epsilon=machine_epsilon(dtype), generator=np.random.default_rng(1))
    density = log_volume_density(kernel, rank, np.random.default_rng(2))
    return rank, density, singular_spectrum(kernel)


def copied() -> np.ndarray:
    weight = gaussian(60, 90)
    weight[7] = -3 * weight[3]
    return weight


def mixed(rows: int, columns: int) -> np.ndarray:
    weight = gaussian(rows, columns)
    weight[5] = weight[1] + weight[2]
    return weight


def with_zeros() -> np.ndarray:
    weight = gaussian(60, 90)
    weight[4] = 0
    weight[:, [3, 80]] = 0
    weight[:, 9] *= np.float32(1e-12)
    return weight


CASES = {
    "wide": gaussian(60, 300),
    "tall": gaussian(300, 60),
    "square": gaussian(70, 70),
    "little": gaussian(20, 200),
    "row": gaussian(1, 50),
    "column": gaussian(50, 1),
    "much wider than the stack": gaussian(50, 1500),
    "tiny": gaussian(60, 90) * np.float32(1e-35),
    "huge": gaussian(60, 60).astype(np.float64) * 1e200,
    "copied": copied(),
    "copied columns": copied().T,
    "copies to spare": copied().T[:, ::-1][:40],
    "mixed": mixed(60, 90),
    "mixed square": mixed(64, 64),
    "mixed columns": mixed(64, 64).T,
    "zeros": with_zeros(),
    "zeros, tall": np.ascontiguousarray(with_zeros().T),
    "dead but square": np.pad(gaussian(60, 60), ((0, 0), (0, 9))),
    "nothing": np.zeros((60, 70), np.float32),
}


@pytest.mark.parametrize("name", CASES)
def test_blocks_equal_the_whole(name: str) -> None:
    weight = CASES[name]
    (rank, density, spectrum), plain = in_blocks(weight), whole(weight)
    same = ("rank", "full", "zero_rows", "zero_columns", "negligible_rows", "negligible_columns")
    same += ("duplicate_rows", "duplicate_columns", "dependent_rows", "dependent_columns")
    for field in (*same, "sentence", "group_ranks"):
        assert getattr(rank, field) == getattr(plain[0], field), field
    assert rank.tolerance == pytest.approx(plain[0].tolerance, rel=0.3)
    if plain[0].gap is not None:
        assert rank.gap == pytest.approx(plain[0].gap, rel=1e-3)
    np.testing.assert_allclose(rank.row_factors, plain[0].row_factors, rtol=1e-9)
    np.testing.assert_allclose(rank.column_factors, plain[0].column_factors, rtol=1e-9)
    np.testing.assert_array_equal(rank.kept_columns, plain[0].kept_columns)
    for field in ("value", "over_rank", "note"):
        mine, its = getattr(density, field), getattr(plain[1], field)
        assert mine == (its if isinstance(its, str | None) else pytest.approx(its, rel=1e-9))
    scale = plain[2].values[0]
    np.testing.assert_allclose(spectrum.values, plain[2].values, rtol=1e-9, atol=1e-8 * scale)
    assert spectrum.shape == plain[2].shape


def test_coarse_types() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for shape in ((60, 64), (64, 64), (60, 200)):
        weight = gaussian(*shape).astype(ml_dtypes.bfloat16)
        weight[9] = (np.float32(1.7) * weight[4].astype(np.float32)).astype(weight.dtype)
        rank, plain = in_blocks(weight, "bfloat16")[0], whole(weight, "bfloat16")[0]
        assert rank.duplicate_rows == plain.duplicate_rows == ((4, 9),)
        assert (rank.rank, rank.sentence) == (plain.rank, plain.sentence)


def ill_conditioned(rows: int, columns: int, condition: float) -> tuple[np.ndarray, np.ndarray]:
    """A float64 weight and its singular values, evenly spread on a logarithmic scale."""
    generator, k = np.random.default_rng(3), min(rows, columns)
    left = np.linalg.qr(generator.standard_normal((rows, k)))[0]
    right = np.linalg.qr(generator.standard_normal((columns, k)))[0]
    values = np.geomspace(1, 1 / condition, k)
    return (left * values) @ right.T, values


@pytest.mark.parametrize("shape", [(120, 500), (500, 120), (130, 130)])
def test_an_ill_conditioned_layer_goes_by_qr(shape: tuple[int, int]) -> None:
    weight, values = ill_conditioned(*shape, condition=1e9)
    matrix = blocks(weight)
    reduced = triangle(matrix)
    assert reduced.way == "QR"
    assert reduced.log_volume == pytest.approx(np.log(values).sum(), abs=1e-6)
    assert reduced.least == pytest.approx(values[-1], rel=0.1)
    np.testing.assert_allclose(reduced.singular_values(), values, rtol=1e-6)


@pytest.mark.parametrize("shape", [(120, 500), (500, 120), (130, 130)])
def test_a_well_conditioned_layer_goes_by_its_gram_matrix(shape: tuple[int, int]) -> None:
    weight, values = ill_conditioned(*shape, condition=1e3)
    reduced = triangle(blocks(weight))
    assert reduced.way == "Gram"
    assert reduced.log_volume == pytest.approx(np.log(values).sum(), abs=1e-8)
    assert values[-1] <= reduced.least * (1 + 1e-9) < 1.2 * values[-1]
    assert 0.9 * values[0] < reduced.largest < values[0] * (1 + 1e-9)
    np.testing.assert_allclose(reduced.singular_values(), values, rtol=1e-8)


def test_the_log_volume_survives_the_singular_values() -> None:
    reduced = triangle(blocks(gaussian(60, 90)))
    before = reduced.log_volume
    assert np.log(reduced.singular_values()).sum() == pytest.approx(before)
    assert reduced.log_volume == before
    assert reduced.array.size == 0


@pytest.mark.parametrize("panel", [1, 2000, 10_000, 1 << 20])
@pytest.mark.parametrize("shape", [(9, 9), (9, 10), (9, 27), (9, 28), (9, 300), (300, 9)])
def test_the_triangle_does_not_depend_on_the_panels(shape: tuple[int, int], panel: int) -> None:
    weight = gaussian(*shape).astype(np.float64)
    upper = triangular(replace(BlockedMatrix(weight), panel_bytes=panel))
    gram = weight @ weight.T if shape[0] < shape[1] else weight.T @ weight
    np.testing.assert_allclose(upper.T @ upper, gram, rtol=1e-10, atol=1e-12)
    assert not np.any(np.tril(upper, -1))


def test_a_square_layer_takes_the_determinant_at_hand() -> None:
    weight = gaussian(140, 140)
    subject = Subject(Layer("fc", "dense", weight, "float32"))
    assert subject.density.method == "exact, LU"
    assert subject.density.value == subject.square_determinant.value
    assert subject.density.value == pytest.approx(in_blocks(weight)[1].value, rel=1e-12)
    assert in_blocks(weight)[1].method == "exact, Gram"
    assert "spectrum" not in vars(subject.decomposition)


def test_a_square_layer_that_loses_rank_takes_its_singular_values() -> None:
    weight = gaussian(140, 140)
    weight[5] = weight[1] + weight[2]
    density = Subject(Layer("fc", "dense", weight, "float32")).density
    assert (density.value, density.method) == (None, "exact, 139 largest singular values")
    values = np.linalg.svd(weight.astype(np.float64), compute_uv=False)[:139]
    assert density.over_rank == pytest.approx(np.log(values).sum(), rel=1e-9)
