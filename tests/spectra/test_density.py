"""Densities against dense circulants, other symbols, closed forms, and their own intervals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel, dense_kernel
from infoflow.spectra import (
    Density,
    circular_log_volume,
    generic_rank,
    log_volume_density,
    slice_densities,
)
from infoflow.spectra.log_volume import log_volumes
from infoflow.spectra.torus import torus_mean
from tests.naive import CONVOLUTIONS, Convolution, aliased_density, circulant, sum_of_logs

EPSILON = 2.0**-52


def kernel_of(layer: Convolution) -> PolyphaseKernel:
    return convolution_kernel(
        layer.weight,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=layer.transposed,
    )


def plain(weight: Any, stride: int = 1) -> PolyphaseKernel:
    axes = np.ndim(weight) - 2
    return convolution_kernel(np.asarray(weight), stride=(stride,) * axes, dilation=(1,) * axes)


def density_of(kernel: PolyphaseKernel, *, seed: int = 0, fast: bool = False) -> Density:
    generator = np.random.default_rng(seed)
    rank = generic_rank(kernel, epsilon=EPSILON, generator=generator)
    return log_volume_density(kernel, rank, generator, fast=fast)


def bounds(density: Density) -> tuple[float, float]:
    """The interval, three times as wide: no false alarm in a test."""
    assert density.value is not None
    assert density.low is not None
    assert density.high is not None
    half = 3 * (density.high - density.value) + 1e-9
    return density.value - half, density.value + half


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_circular_log_volume_is_the_dense_circulants(layer: Convolution) -> None:
    kernel = kernel_of(layer)
    rank = generic_rank(kernel, epsilon=EPSILON, generator=np.random.default_rng(0))
    assert rank.is_full
    total = circular_log_volume(kernel, rank, layer.size).value
    count = kernel.rank_channels * math.prod(layer.coarse)
    assert total == pytest.approx(sum_of_logs(circulant(layer), count), abs=1e-9)


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_density_is_that_of_large_circulants(layer: Convolution) -> None:
    kernel = kernel_of(layer)
    n = {1: 256, 2: 24, 3: 8}[len(layer.size)]
    naive = aliased_density(layer, n, kernel.rank_channels)
    rank = generic_rank(kernel, epsilon=EPSILON, generator=np.random.default_rng(0))
    whole = circular_log_volume(
        kernel, rank, tuple(n * (1 if layer.transposed else s) for s in layer.stride)
    ).value
    assert whole is not None
    low, high = bounds(density_of(kernel))
    # The grid's own error: two grids of n frequencies differ by about as much as each is wrong.
    grid = 3 * abs(naive - whole / n ** len(layer.size)) + 0.02
    assert low - grid < naive < high + grid


def test_layer_of_methods_reads_with_its_stride() -> None:
    """A strided layer read without its stride is another operator (2.99 against 5.27 there)."""
    weight = np.random.default_rng(0).standard_normal((32, 16, 3, 3)) / 12
    with_stride, without = density_of(plain(weight, 2)), density_of(plain(weight))
    assert with_stride.value is not None
    assert without.value is not None
    assert with_stride.value < without.value - 1


def test_single_channel_with_roots_inside_reads_its_corner() -> None:
    """Jensen: log|c₁₁| where the kernel has no zero in the disc."""
    density = density_of(plain([[[1.0, 0.5, 0.06]]]))
    assert density.value == pytest.approx(0.0, abs=2e-3)
    # 1 + 2z: one root inside, its Mahler measure log 2.
    assert density_of(plain([[[1.0, 2.0]]])).value == pytest.approx(math.log(2), abs=2e-3)


def test_mahler_measure_of_one_plus_x_plus_y() -> None:
    """Smyth: m(1 + x + y) = L'(χ₋₃, −1) = 0.3230659…, with zeros on the torus itself."""
    density = density_of(plain([[[[1.0, 1.0], [1.0, 0.0]]]]))
    low, high = bounds(density)
    assert low < 0.3230659472194505 < high
    assert high - low < 0.02


def test_dense_and_pointwise_layers_are_exact() -> None:
    for shape in ((5, 5), (3, 7), (7, 3), (1, 4), (4, 1), (1, 1)):
        weight = np.random.default_rng(1).standard_normal(shape)
        expected = sum_of_logs(weight, min(shape))
        for kernel in (dense_kernel(weight), plain(weight[:, :, None, None], 2)):
            density = density_of(kernel)
            assert density.value == pytest.approx(expected, abs=1e-12)
            assert density.low == density.value == density.high
            assert (density.grid, density.shifts) == (1, 1)


def test_ill_conditioned_layers_avoid_the_gram_matrix() -> None:
    generator = np.random.default_rng(2)
    left, _ = np.linalg.qr(generator.standard_normal((6, 6)))
    right, _ = np.linalg.qr(generator.standard_normal((9, 6)))
    values = 10.0 ** -np.linspace(0, 7, 6)
    density = density_of(dense_kernel(left @ np.diag(values) @ right.T))
    assert density.method.endswith("QR")
    assert density.value == pytest.approx(np.sum(np.log(values)), abs=1e-7)
    mild = density_of(dense_kernel(left @ np.diag(values ** (1 / 4)) @ right.T))
    assert mild.method.endswith("Gram")
    assert mild.value == pytest.approx(np.sum(np.log(values)) / 4, abs=1e-9)


@pytest.mark.parametrize("way", ["LU", "Gram", "QR"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 6), (6, 3)])
def test_every_way_to_the_same_number(way: str, shape: tuple[int, int]) -> None:
    if way == "LU" and shape[0] != shape[1]:
        pytest.skip("LU is for square symbols")
    generator = np.random.default_rng(3)
    real, imaginary = generator.standard_normal((2, 5, 2, *shape))
    for symbols in (real, real + 1j * imaginary):
        naive = np.log(np.linalg.svd(symbols, compute_uv=False)).sum(axis=-1)
        np.testing.assert_allclose(log_volumes(symbols, way), naive, atol=1e-10)


def test_norm_way() -> None:
    generator = np.random.default_rng(4)
    real, imaginary = generator.standard_normal((2, 5, 2, 1, 3))
    naive = np.log(np.linalg.norm(real + 1j * imaginary, axis=(-2, -1)))
    np.testing.assert_allclose(log_volumes(real + 1j * imaginary, "norm"), naive)
    assert log_volumes(np.zeros((1, 1, 1, 1)), "norm")[0, 0] == -np.inf


def test_rank_loss_gives_no_finite_number() -> None:
    weight = np.random.default_rng(5).standard_normal((6, 6, 3, 3))
    full = density_of(plain(weight[1:, 1:]))
    weight[0] = 0
    weight[:, 0] = 0
    density = density_of(plain(weight))
    assert density.value is None
    assert density.low is None
    assert density.high is None
    assert density.note.startswith("−∞: rank 5 of 6")
    assert density.over_rank == pytest.approx(full.value, abs=0.02)


def test_over_rank_takes_a_fixed_number_of_values() -> None:
    weight = np.random.default_rng(6).standard_normal((5, 5, 3))
    weight[4] = weight[0] + weight[1]
    density = density_of(plain(weight))
    n = 512
    symbols = plain(weight).symbol(np.arange(n)[:, None] * 2 * math.pi / n)
    values = np.linalg.svd(symbols[:, 0], compute_uv=False)[:, :4]
    assert density.value is None
    assert density.over_rank == pytest.approx(np.log(values).sum() / n, abs=5e-3)


def test_dead_groups_leave_the_others() -> None:
    weight = np.random.default_rng(7).standard_normal((4, 1, 3))
    alive = convolution_kernel(weight[:3], stride=(1,), dilation=(1,), groups=3)
    weight[3] = 0
    kernel = convolution_kernel(weight, stride=(1,), dilation=(1,), groups=4)
    density, expected = density_of(kernel), density_of(alive)
    assert density.value is None
    assert density.over_rank == pytest.approx(expected.value, abs=0.01)


def test_nothing_left() -> None:
    density = density_of(plain(np.zeros((2, 2, 3))))
    assert (density.value, density.over_rank) == (None, None)
    assert density.note == "−∞: every weight is exactly zero"


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_block_corner_never_exceeds_the_density(
    rows: int, columns: int, stride: int, dilation: int, seed: int
) -> None:
    """Layer with layer (Jensen): ½ log det W₁₁W₁₁ᵀ ≤ density, error counted in."""
    weight = np.random.default_rng(seed).standard_normal((rows, columns, 3, 3))
    kernel = convolution_kernel(weight, stride=(stride,) * 2, dilation=(dilation,) * 2)
    corner = kernel.corner[0]
    values = np.linalg.svd(corner, compute_uv=False)
    with np.errstate(divide="ignore"):
        surrogate = float(np.sum(np.log(values)))
    density = density_of(kernel, fast=True)
    assert surrogate <= bounds(density)[1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), stride=st.integers(1, 2))
def test_slice_corner_never_exceeds_the_slices_density(seed: int, stride: int) -> None:
    """Slice with slice: log|c₁₁| ≤ the slice's own density."""
    weight = np.random.default_rng(seed).standard_normal((2, 3, 3, 3))
    estimate = slice_densities(plain(weight, stride), np.random.default_rng(0), tolerance=1e-2)
    assert estimate.mean.shape == (2, 3)
    assert np.all(np.log(np.abs(weight[:, :, 0, 0])) <= estimate.mean + 6 * estimate.half)


def test_slices_are_layers_of_their_own() -> None:
    weight = np.random.default_rng(8).standard_normal((3, 2, 3, 3))
    weight[1, 1] = 0
    estimate = slice_densities(plain(weight, 2), np.random.default_rng(0), tolerance=1e-3)
    assert estimate.mean[1, 1] == -np.inf
    for o, i in ((0, 0), (2, 1)):
        alone = density_of(plain(weight[o : o + 1, i : i + 1], 2))
        assert estimate.mean[o, i] == pytest.approx(alone.value, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_scaling_adds_the_rank_times_the_logarithm(seed: int, scale: float) -> None:
    weight = np.random.default_rng(seed).standard_normal((3, 2, 3))
    before, after = density_of(plain(weight)), density_of(plain(weight * scale))
    assert before.value is not None
    assert after.value is not None
    assert after.value == pytest.approx(before.value + 2 * math.log(scale), abs=1e-8)


def test_random_kernels_have_the_closed_forms_mean() -> None:
    """C·log(s√(pq)) + ½ Σ ψ(j): 5.407 for four channels and a 3 × 3 kernel, s = 1."""
    generator = np.random.default_rng(9)
    values = [
        density_of(plain(generator.standard_normal((4, 4, 3, 3))), seed=i, fast=True).value
        for i in range(120)
    ]
    assert None not in values
    draws = np.array(values, dtype=float)
    standard_error = draws.std(ddof=1) / math.sqrt(len(draws))
    assert abs(draws.mean() - 5.407) < 4 * standard_error
    assert standard_error < 0.15


def test_intervals_cover() -> None:
    """95 % intervals of 200 cheap draws: at least 88 % hold the truth."""
    weight = np.random.default_rng(10).standard_normal((2, 2, 3, 3))
    kernel = plain(weight)
    n = 256
    rank = generic_rank(kernel, epsilon=EPSILON, generator=np.random.default_rng(0))
    truth = circular_log_volume(kernel, rank, (n, n)).value
    assert truth is not None
    held = 0
    for seed in range(200):
        density = log_volume_density(kernel, rank, np.random.default_rng(seed), fast=True)
        assert density.low is not None
        assert density.high is not None
        held += density.low <= truth / n**2 <= density.high
    assert 0.88 <= held / 200 < 1


CATALAN = 0.915965594177219
STRUCTURED = [
    ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 4 * CATALAN / math.pi),
    ([1, -1], 0.0),
    ([1, 2, 1], 0.0),
    ([[1, 0, -1], [2, 0, -2], [1, 0, -1]], 0.0),
    ([[1, 1], [1, 0]], 0.3230659472194505),
]


@pytest.mark.parametrize(("taps", "truth"), STRUCTURED, ids=str)
def test_intervals_cover_where_symbols_vanish(taps: Any, truth: float) -> None:
    """At least 90 %, three standard errors of 200 draws allowed; 8 shifts covered 84 to 87 %."""
    kernel = plain(np.array(taps, dtype=float)[None, None])
    rank = generic_rank(kernel, epsilon=EPSILON, generator=np.random.default_rng(0))
    held = 0
    for seed in range(200):
        density = log_volume_density(kernel, rank, np.random.default_rng(seed), fast=True)
        assert density.shifts == 64
        held += density.low <= truth <= density.high  # type: ignore[operator]
    assert held / 200 >= 0.88


def test_few_shifts_for_many_channels() -> None:
    weight = np.random.default_rng(16).standard_normal((5, 5, 3, 3))
    assert density_of(plain(weight), fast=True).shifts == 8


def test_a_fast_law_is_not_followed_backwards() -> None:
    """Means of 1 + z/2 converge geometrically: tiny pilots do not make a single frequency do."""
    for seed in range(30):
        density = density_of(plain([[[1.0, 0.5, 0.06]]]), seed=seed)
        assert density.grid > 1
        assert density.value == pytest.approx(0.0, abs=2e-3)


def test_intervals_are_about_as_wide_as_asked_for() -> None:
    generator = np.random.default_rng(11)
    ratios = []
    for seed in range(12):
        density = density_of(plain(generator.standard_normal((6, 6, 3, 3))), seed=seed)
        assert density.value is not None
        assert density.high is not None
        ratios.append((density.high - density.value) / (6 * 1e-3))
    assert 0.2 < np.median(ratios) < 1.5
    assert max(ratios) < 5


def test_same_seed_same_number() -> None:
    kernel = plain(np.random.default_rng(12).standard_normal((3, 3, 3, 3)))
    assert density_of(kernel, seed=5) == density_of(kernel, seed=5)
    assert density_of(kernel, seed=5) != density_of(kernel, seed=6)


def test_chunks_do_not_change_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = plain(np.random.default_rng(13).standard_normal((3, 3, 3, 3)))
    whole = density_of(kernel)
    monkeypatch.setattr("infoflow.spectra.over_frequencies.CHUNK_BYTES", 1000)
    assert density_of(kernel).value == pytest.approx(whole.value, abs=1e-12)


def test_torch_on_the_cpu_with_two_threads() -> None:
    """n = 256, where torch's own batched LU is wrong by tens of nats."""
    torch = pytest.importorskip("torch")
    weight = np.random.default_rng(14).standard_normal((256, 256, 1, 2))
    kernel = plain(weight)
    tensor = replace(kernel, taps=torch.from_numpy(kernel.taps))
    rank = generic_rank(kernel, epsilon=EPSILON, generator=np.random.default_rng(0))
    ours = log_volume_density(kernel, rank, np.random.default_rng(1), fast=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        theirs = log_volume_density(tensor, rank, np.random.default_rng(1), fast=True)
    finally:
        torch.set_num_threads(threads)
    assert theirs.value == pytest.approx(ours.value, abs=1e-8)


def test_a_mean_over_three_axes() -> None:
    kernel = plain(np.random.default_rng(15).standard_normal((2, 2, 2, 2, 2)))
    estimate = torus_mean(
        lambda s: log_volumes(s, "LU")[:, 0], kernel, 0.05, np.random.default_rng(0)
    )
    assert estimate.method.startswith("mean and 95 % t interval of 64 random shifts")
    assert abs(estimate.mean - density_of(kernel, seed=3).over_rank) < 0.1
