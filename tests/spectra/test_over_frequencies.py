"""Functions of the symbol at many frequencies: the same numbers by every way to them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infoflow.operators.frequencies import shifted_grid
from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel
from infoflow.spectra import generic_rank, log_volume_density
from infoflow.spectra.density import Density
from infoflow.spectra.over_frequencies import TRANSFORMED_TAPS, over_grids

MODULE = "infoflow.spectra.over_frequencies"


def kernel_of(*shape: int, groups: int = 1, stride: int = 1, seed: int = 0) -> PolyphaseKernel:
    weight = np.random.default_rng(seed).standard_normal(shape)
    axes = len(shape) - 2
    return convolution_kernel(weight, stride=(stride,) * axes, dilation=(1,) * axes, groups=groups)


def power(symbols: np.ndarray) -> np.ndarray:
    """(F, groups, rows) of (F, groups, rows, cols)."""
    return np.sum(np.abs(symbols) ** 2, axis=-1)


@pytest.mark.parametrize(
    "kernel",
    [
        kernel_of(1, 1, 130),
        kernel_of(6, 2, 11, 10, groups=3),
        kernel_of(3, 2, 5, 5, 5),
        kernel_of(2, 3, 24, 24, stride=2),
        kernel_of(64, 64, 10, 10),
    ],
    ids=lambda kernel: "x".join(map(str, kernel.taps.shape)),
)
@pytest.mark.parametrize("n", [1, 3, 6])
def test_many_taps_are_transformed_to_the_same(
    kernel: PolyphaseKernel, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(kernel.offsets) >= TRANSFORMED_TAPS
    monkeypatch.setattr(f"{MODULE}.GRID_BYTES", 1 << 24)
    generator = np.random.default_rng(1)
    shifts = generator.uniform(0, 2 * math.pi / n, (3, len(kernel.axes)))
    frequencies = np.concatenate([shifted_grid(n, shift) for shift in shifts])
    expected = power(kernel.symbol(frequencies))
    monkeypatch.setattr(PolyphaseKernel, "symbol", lambda *_: pytest.fail("a sum over all taps"))
    found = over_grids(kernel, n, shifts, power)
    assert found.shape == (3, n ** len(kernel.axes), kernel.groups, kernel.rows)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "value"), [("CHUNK_BYTES", 100), ("GRID_BYTES", 100)])
def test_bounds_of_memory_do_not_change_the_numbers(
    name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = kernel_of(4, 2, 11, 11, groups=2)
    shifts = np.random.default_rng(2).uniform(0, 1, (2, 2))
    expected = over_grids(kernel, 4, shifts, power)
    monkeypatch.setattr(f"{MODULE}.{name}", value)
    np.testing.assert_allclose(over_grids(kernel, 4, shifts, power), expected, rtol=1e-12)


def test_a_grid_beyond_its_memory_is_not_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.GRID_BYTES", 100)
    monkeypatch.setattr(PolyphaseKernel, "grid_symbol", lambda *_: pytest.fail("the whole grid"))
    over_grids(kernel_of(1, 1, 11, 11), 4, np.zeros((1, 2)), power)


def test_few_taps_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PolyphaseKernel, "grid_symbol", lambda *_: pytest.fail("a transform"))
    over_grids(kernel_of(4, 4, 3, 3), 4, np.zeros((1, 2)), power)


def density_of(weight: np.ndarray) -> Density:
    axes = weight.ndim - 2
    kernel = convolution_kernel(weight, stride=(1,) * axes, dilation=(1,) * axes)
    rank = generic_rank(kernel, epsilon=2.0**-52, generator=np.random.default_rng(0))
    return log_volume_density(kernel, rank, np.random.default_rng(1))


@pytest.mark.parametrize("shape", [(1, 1, 30, 30), (1, 1, 1000), (1, 1, 6, 6, 6)])
def test_a_kernel_of_ones_has_log_volume_zero(shape: tuple[int, ...]) -> None:
    """Its symbol is a product of 1 + z + … + z^(k−1), whose zeros are on the unit circle."""
    found = density_of(np.ones(shape))
    assert found.low is not None
    assert found.high is not None
    assert abs(found.value) < 0.02
    assert found.low - 0.01 < 0 < found.high + 0.01


def test_a_density_is_the_same_by_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.random.default_rng(3).standard_normal((2, 2, 11, 11))
    transformed = density_of(weight)
    monkeypatch.setattr(f"{MODULE}.TRANSFORMED_TAPS", math.inf)
    summed = density_of(weight)
    assert transformed.value == pytest.approx(summed.value, abs=1e-9)
    assert (transformed.grid, transformed.shifts) == (summed.grid, summed.shifts)
