"""Planted zeros, copies, mixtures and tiny channels are named, and cost rank where they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel, dense_kernel
from infoflow.spectra import Rank, generic_rank, log_volume_density, singular_spectrum
from infoflow.spectra.rank import machine_epsilon
from infoflow.spectra.tolerance import rank_tolerance

Weight = np.ndarray[Any, Any]


def gaussian(*shape: int, seed: int = 0) -> Weight:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def kernel_of(weight: Weight, stride: int = 1, groups: int = 1, transposed: bool = False) -> Any:
    if weight.ndim == 2:
        return dense_kernel(weight)
    axes = weight.ndim - 2
    return convolution_kernel(
        weight,
        stride=(stride,) * axes,
        dilation=(1,) * axes,
        groups=groups,
        transposed=transposed,
    )


def rank_of(kernel: PolyphaseKernel, dtype: str = "float32", **options: Any) -> Rank:
    generator = np.random.default_rng(1)
    return generic_rank(kernel, epsilon=machine_epsilon(dtype), generator=generator, **options)


def zero(rows: Weight) -> None:
    rows[2] = 0


def tiny(rows: Weight) -> None:
    rows[2] *= np.float32(1e-18)


def copy(rows: Weight) -> None:
    rows[2] = rows[5]


def scaled_copy(rows: Weight) -> None:
    rows[2] = np.float32(-3.7) * rows[5]


def mixture(rows: Weight) -> None:
    rows[2] = np.float32(1.3) * rows[5] - np.float32(0.4) * rows[0]


PLANTED: list[tuple[Callable[[Weight], None], str, Any]] = [
    (zero, "zero", (2,)),
    (tiny, "negligible", (2,)),
    (copy, "duplicate", ((2, 5),)),
    (scaled_copy, "duplicate", ((2, 5),)),
    (mixture, "dependent", (0, 2, 5)),
]
SHAPES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((8, 8), {}),
    ((8, 30), {}),
    ((30, 8), {}),
    ((8, 8, 3, 3), {}),
    ((8, 8, 1, 1), {}),
    ((8, 6, 5), {"stride": 2}),
    ((8, 20, 3, 3), {"stride": 1}),
    ((20, 8, 3, 3), {}),
    ((16, 8, 3, 3), {"groups": 2}),
    ((8, 8, 4, 4), {"stride": 2, "transposed": True}),
    ((8, 8, 2, 2, 2), {}),
]


@pytest.mark.parametrize(
    ("plant", "field", "names"), PLANTED, ids=lambda v: getattr(v, "__name__", "")
)
@pytest.mark.parametrize(("shape", "geometry"), SHAPES, ids=str)
@pytest.mark.parametrize("side", ["rows", "columns"])
def test_planted_channels_are_named(
    shape: tuple[int, ...],
    geometry: dict[str, Any],
    side: str,
    plant: Callable[[Weight], None],
    field: str,
    names: Any,
) -> None:
    weight = gaussian(*shape)
    if side == "columns" and shape[1] < 8:
        pytest.skip("too few columns to plant in")
    if side == "columns" and "groups" in geometry:
        pytest.skip("a column of the stored weight is one of every group")
    plant(weight if side == "rows" else np.moveaxis(weight, 1, 0))
    kernel = kernel_of(weight, **geometry)
    rank = rank_of(kernel)
    mine, other = (kernel.rows, kernel.cols) if side == "rows" else (kernel.cols, kernel.rows)
    costs = mine <= other
    found = getattr(rank, f"{field}_{side}")
    if costs:
        # A strided column channel is as many columns as there are phases.
        lost = len(kernel.phases) if side == "columns" else 1
        assert rank.rank == rank.full - lost
    else:
        assert rank.is_full
    if costs or field != "dependent":
        assert found == names
        assert rank.sentence
        density = log_volume_density(kernel, rank, np.random.default_rng(2), fast=True)
        assert (density.value is None) == costs
        assert density.note
        assert density.over_rank is not None


def test_a_random_layer_is_full_and_unremarkable() -> None:
    for shape, geometry in SHAPES:
        rank = rank_of(kernel_of(gaussian(*shape), **geometry))
        assert rank.is_full
        assert rank.sentence == ""
        assert rank.gap is None


def test_a_shifted_copy_is_a_copy() -> None:
    weight = gaussian(6, 6, 3, 3)
    weight[1, :, :, 2] = 0
    weight[4] = 2 * np.roll(weight[1], 1, axis=-1)
    rank = rank_of(kernel_of(weight))
    assert rank.duplicate_rows == ((1, 4),)
    assert rank.rank == 5
    assert rank.sentence == "rank 5 of 6; output channels 1 and 4 are equal up to scale"


def test_a_wrapped_copy_is_none() -> None:
    weight = gaussian(6, 6, 3, 3)
    weight[4] = np.roll(weight[1], 1, axis=-1)
    assert rank_of(kernel_of(weight)).is_full


def test_a_mixture_of_shifts_is_dependent() -> None:
    weight = gaussian(6, 6, 5)
    weight[1, :, 3:] = 0
    weight[4] = np.roll(weight[1], 1, axis=-1) + 2 * weight[1] - weight[3]
    rank = rank_of(kernel_of(weight))
    assert rank.rank == 5
    assert rank.dependent_rows == (1, 3, 4)


def test_everything_at_once() -> None:
    weight = gaussian(12, 12, 3, 3)
    weight[0] = 0
    weight[1] *= np.float32(1e-18)
    weight[3] = -weight[2]
    weight[4] = 5 * weight[2]
    weight[6] = weight[5] + weight[7] / 2
    rank = rank_of(kernel_of(weight))
    assert rank.rank == 12 - 5
    assert (rank.zero_rows, rank.negligible_rows) == ((0,), (1,))
    assert (rank.duplicate_rows, rank.dependent_rows) == (((2, 3, 4),), (5, 6, 7))
    for word in ("rank 7 of 12", "exactly zero (0)", "negligible (1)", "2, 3 and 4", "5, 6 and 7"):
        assert word in rank.sentence


def test_all_equal_and_all_zero() -> None:
    equal = rank_of(kernel_of(np.tile(gaussian(1, 40), (40, 1))))
    assert equal.rank == 1
    assert equal.duplicate_rows == (tuple(range(40)),)
    nothing = rank_of(kernel_of(np.zeros((4, 5), np.float32)))
    assert nothing.rank == 0
    assert nothing.zero_rows == (0, 1, 2, 3)
    assert nothing.gap is None


def test_groups_are_apart() -> None:
    """Equal filters of different groups read different channels: nothing is lost."""
    weight = gaussian(4, 1, 3, 3)
    weight[1] = weight[0]
    assert rank_of(kernel_of(weight, groups=4)).sentence == ""
    weight[2] = 0
    rank = rank_of(kernel_of(weight, groups=4))
    assert rank.group_ranks == (1, 1, 0, 1)
    assert (rank.zero_rows, rank.zero_columns) == ((2,), (2,))


def test_transposed_layers_speak_of_inputs_first() -> None:
    weight = gaussian(4, 4, 3, 3)
    weight[1] = 0
    rank = rank_of(kernel_of(weight, transposed=True))
    assert "1 of 4 input channels is exactly zero (1)" in rank.sentence


def test_a_missing_phase_is_told_apart_from_a_missing_channel() -> None:
    weight = gaussian(8, 2, 2, 2)
    weight[:, 1, 0, 0] = 0
    rank = rank_of(kernel_of(weight, stride=2))
    assert rank.rank == 7
    assert rank.zero_columns == ()
    assert "1 phases of input channels" in rank.sentence


def test_the_gap_is_seen() -> None:
    weight = gaussian(16, 16).astype(np.float64)
    weight[3] = weight[1] + weight[2] + 1e-9 * gaussian(16, seed=9)
    rank = rank_of(kernel_of(weight))
    assert rank.rank == 15
    assert rank.gap is not None
    assert rank.gap > 1e5
    assert rank_of(kernel_of(weight), dtype="float64").is_full


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(-30, 30), row=st.integers(0, 5), seed=st.integers(0, 2**32 - 1))
def test_rank_ignores_the_scale_of_rows(scale: float, row: int, seed: int) -> None:
    """Down to ε of the largest: a channel 10⁻⁶ times the others is weak, not lost."""
    weight = np.random.default_rng(seed).standard_normal((6, 6, 3))
    weight[row] *= 10.0 ** (scale / 5)
    assert rank_of(kernel_of(weight), dtype="float64").is_full
    weight[row] = weight[row - 1] * 10.0 ** (scale / 5)
    assert rank_of(kernel_of(weight), dtype="float64").rank == 5


def test_fresh_large_layers_are_full() -> None:
    """max(m, n)·ε alone would take singular values of every one of these for zero."""
    for dtype in ("float32", "bfloat16", "float8_e4m3fn"):
        lost = sum(
            not rank_of(kernel_of(gaussian(200, 200, seed=seed)), dtype=dtype).is_full
            for seed in range(6)
        )
        assert lost == 0
    longest = 4096
    assert rank_tolerance(longest, longest, 2.0**-7) == pytest.approx(1e-4 / longest, rel=1e-3)
    assert rank_tolerance(64, 64, 2.0**-23) == 4 * 2.0**-23


@pytest.mark.parametrize(("shape", "draws"), [((8, 9), 500), ((24, 200), 50)])
def test_random_layers_in_coarse_types_are_not_called_deficient(
    shape: tuple[int, int], draws: int
) -> None:
    """κ = ½ for every m < n would take 9 of 500 bfloat16 8 × 9 layers for deficient."""
    for dtype in ("bfloat16", "float8_e4m3fn"):
        lost = sum(
            not rank_of(kernel_of(gaussian(*shape, seed=seed)), dtype=dtype).is_full
            for seed in range(draws)
        )
        assert lost <= 1


@pytest.mark.parametrize(("dtype", "shape"), [("bfloat16", (24, 200)), ("float16", (64, 1024))])
def test_mixtures_rounded_to_a_coarse_type_are_found(dtype: str, shape: tuple[int, int]) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for seed in range(5):
        weight = gaussian(*shape, seed=seed)
        weight[9] = 0.3 * weight[1] - 0.7 * weight[2] + 0.11 * weight[4]
        stored = weight.astype(getattr(ml_dtypes, dtype, None) or dtype)
        rank = rank_of(kernel_of(stored), dtype=dtype)
        assert rank.rank == shape[0] - 1
        assert rank.dependent_rows == (1, 2, 4, 9)
        assert rank.tolerance == 4 * machine_epsilon(dtype)


def test_a_product_of_two_thin_factors_is_deficient() -> None:
    for seed in range(2):
        weight = gaussian(512, 8, seed=seed) @ gaussian(8, 512, seed=seed + 10)
        rank = rank_of(kernel_of(weight))
        assert rank.rank == 8
        assert rank.gap is not None
        assert rank.gap > 1e6


def test_dead_channels_shape_the_tolerance() -> None:
    """65 × 64 less a dead row is square: what is allowed for 65 × 64 would cry wolf."""
    for seed in range(20):
        weight = gaussian(65, 64, seed=seed)
        weight[7] = 0
        rank = rank_of(kernel_of(weight), dtype="bfloat16")
        assert rank.is_full
        assert rank.tolerance == pytest.approx(1e-4 / 64, rel=0.02)


def test_copies_rounded_to_half_precision() -> None:
    weight = gaussian(24, 24, 3, 3).astype(np.float16)
    weight[7] = (np.float32(1.7) * weight[3].astype(np.float32)).astype(np.float16)
    rank = rank_of(kernel_of(weight), dtype="float16")
    assert rank.duplicate_rows == ((3, 7),)
    # A nearly square layer in a coarse type: the copies are named, the rank cannot be told.
    assert rank.rank == 24
    assert "full rank cannot be told" in rank.sentence


def test_a_spectrum_at_hand_certifies_full_rank_only() -> None:
    weight = gaussian(40, 60)
    kernel = kernel_of(weight)
    spectrum = singular_spectrum(kernel)
    certified, measured = rank_of(kernel, spectrum=spectrum), rank_of(kernel)
    assert (certified.rank, certified.sentence) == (measured.rank, measured.sentence)
    weight[5] = weight[6]
    kernel = kernel_of(weight)
    rank = rank_of(kernel, spectrum=singular_spectrum(kernel))
    assert rank.duplicate_rows == ((5, 6),)
    assert rank.rank == 39


def test_large_layers_go_by_the_gram_matrix() -> None:
    weight = gaussian(120, 130)
    weight[50] = weight[51] + weight[52]
    rank = rank_of(kernel_of(weight))
    assert rank.rank == 119
    assert rank.dependent_rows == (50, 51, 52)
    assert not log_volume_density(kernel_of(weight), rank, np.random.default_rng(0)).value


def test_many_names_are_cut() -> None:
    weight = gaussian(30, 30)
    weight[:20] = 0
    assert (
        "(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more)" in rank_of(kernel_of(weight)).sentence
    )


def test_one_input_channel_makes_no_copies() -> None:
    """LeNet-5's first layer: at one frequency all filters are proportional, but not equal."""
    rank = rank_of(kernel_of(gaussian(6, 1, 5, 5)))
    assert rank.is_full
    assert rank.sentence == ""
