from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.layers import Normalisation
from infoflow.measures.weights.log_volume import MEASURES
from infoflow.measures.weights.subject import Subject
from infoflow.report import Measurement
from tests.cases import SHARED
from tests.measures.weight_layers import convolution, dense, rows_of
from tests.naive import Convolution, circulant, sum_of_logs

PRUNED = "checkpoint_trained_4D_regularized_5Lremoved.pth.tar"


def row(name: str, subject: Subject) -> Measurement:
    return rows_of(MEASURES, name, subject)["value"]


def gaussian(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape)


def followed_by(subject: Subject, gamma: Any, variance: Any, epsilon: float = 1e-5) -> Subject:
    norm = Normalisation("bn", np.asarray(gamma, dtype=float), variance, epsilon)
    return replace(subject, layer=replace(subject.layer, normalisation=norm))


@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 6), n=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_cauchy_binet(m: int, n: int, seed: int) -> None:
    """log|det W_sq| ≤ Σ log σ, with equality for square weights."""
    weight = gaussian(m, n, seed=seed)
    k = min(m, n)
    surrogate = np.linalg.slogdet(weight[:k, :k])[1]
    volume = row("log-volume", dense(weight)).value
    assert volume is not None
    assert volume == pytest.approx(sum_of_logs(weight, k), abs=1e-9)
    assert surrogate <= volume + 1e-9
    if m == n:
        assert surrogate == pytest.approx(volume, abs=1e-9)


def test_example_4_of_ent() -> None:
    """A 3 × 5 matrix: ½ log det(WWᵀ), beside the determinant of its square part."""
    weight = np.array([[1.0, 2, 3, 1, 0], [4, 5, 6, 0, 2], [7, 8, 3, 1, 1]])
    expected = 0.5 * math.log(np.linalg.det(weight @ weight.T))
    found = row("log-volume", dense(weight))
    assert found.value == pytest.approx(expected)
    assert found.unit == "nats"
    assert (found.low, found.high) == (None, None)


def test_a_dense_layer_below_full_rank() -> None:
    weight = gaussian(5, 7).astype(np.float32)
    weight[3] = 2 * weight[1]
    subject = dense(weight, "float32")
    assert row("log-volume", subject).is_minus_infinity
    over = row("log-volume.over-rank", subject)
    assert over.value == pytest.approx(sum_of_logs(weight.astype(float), 4), abs=1e-6)
    assert over.note.startswith("over rank 4 of 5, tolerance")
    assert row("log-volume.density.scale-free", subject).is_minus_infinity
    assert "1 and 3 are equal up to scale" in row("log-volume", subject).note


def test_a_qualified_finite_number() -> None:
    """Ten filters of three inputs: a dead one costs no rank, but is not left unsaid."""
    weight = gaussian(10, 3, 3, 3)
    weight[4] = 0
    found = row("log-volume.density", convolution(weight))
    assert found.value is not None
    assert found.note == "1 of 10 output channels is exactly zero (4)"


def test_density_rows() -> None:
    subject = convolution(gaussian(3, 3, 3, 3))
    found = row("log-volume.density", subject)
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high
    assert found.unit == "nats per position"
    assert found.method.endswith("LU; a position of the output")
    over = row("log-volume.density.over-rank", subject)
    assert (over.value, over.low) == (found.value, found.low)
    upwards = row(
        "log-volume.density", convolution(gaussian(3, 3, 2, 2), stride=2, transposed=True)
    )
    assert upwards.method.endswith("a position of the input")
    exact = row("log-volume.density", convolution(gaussian(3, 2, 1, 1)))
    assert (exact.low, exact.high) == (None, None)
    assert exact.method == "exact, Gram; a position of the output"


def test_absent_over_rank() -> None:
    over = row("log-volume.density.over-rank", convolution(np.zeros((2, 2, 3))))
    assert over.value is None
    assert not over.is_minus_infinity
    assert "rank 0" in over.note


@pytest.mark.parametrize("make", [dense, convolution])
def test_scale_free_ignores_scale(make: Callable[[Any], Subject]) -> None:
    weight = gaussian(4, 6) if make is dense else gaussian(4, 6, 3)
    one = row("log-volume.density.scale-free", make(weight)).value
    other = row("log-volume.density.scale-free", make(weight * 1e-3)).value
    assert one == pytest.approx(other, abs=1e-9)
    unit = weight / np.sqrt(np.mean(weight**2))
    name = "log-volume" if make is dense else "log-volume.density"
    assert row(name, make(unit)).value == pytest.approx(one, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3, 5), {}),
        ((5, 3), {}),
        ((3, 3, 3), {}),
        ((3, 4, 3), {"stride": 2}),
        ((6, 2, 3), {}),
        ((4, 1, 3), {"groups": 4}),
        ((6, 2, 2), {"stride": 2, "transposed": True}),
        ((2, 3, 2), {"transposed": True}),
        ((2, 2, 3), {"stride": 2, "transposed": True}),
    ],
    ids=str,
)
def test_folded_is_the_scaled_layer(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    weight = gaussian(*shape)
    transposed = options.get("transposed", False)
    channels = shape[1] if transposed else shape[0]
    generator = np.random.default_rng(1)
    gamma, variance = generator.standard_normal(channels), generator.uniform(0.1, 2, channels)
    scale = gamma / np.sqrt(variance + 1e-5)
    wide = (1, -1) if transposed else (-1, 1)
    scaled = weight * scale.reshape(*wide, *(1,) * (len(shape) - 2))
    make = dense if len(shape) == 2 else convolution
    subject = followed_by(make(weight, **options), gamma, variance)
    found = row("log-volume.density.folded", subject)
    expected = make(scaled, **options).density
    tolerance = 1e-9 if len(shape) == 2 else 0.02
    assert found.value == pytest.approx(expected.value, abs=tolerance)
    assert "of bn" in found.method
    assert found.unit == ("nats" if make is dense else "nats per position")


def test_folded_with_a_dead_channel() -> None:
    gamma = np.ones(4)
    gamma[2] = 0
    found = row(
        "log-volume.density.folded", followed_by(convolution(gaussian(4, 4, 3)), gamma, np.ones(4))
    )
    assert found.is_minus_infinity
    assert "1 of 4 output channels is exactly zero (2)" in found.note
    assert "γ of bn is zero for 1 channels" in found.note
    gamma[2] = 1e-12
    found = row(
        "log-volume.density.folded",
        followed_by(convolution(gaussian(4, 4, 3), dtype="float32"), gamma, np.ones(4)),
    )
    assert found.is_minus_infinity
    assert "negligible (2)" in found.note


def test_what_cannot_be_folded() -> None:
    subject = convolution(gaussian(4, 4, 3))
    assert rows_of(MEASURES, "log-volume.density.folded", subject) == {}
    for gamma, variance, reason in (
        (np.ones(4), None, "the statistics of bn depend on the data"),
        (np.ones(3), np.ones(3), "bn has 3 channels, not 4"),
        (np.ones(4), np.array([1, 1, -1, 1.0]), "a factor that is not finite"),
    ):
        found = row("log-volume.density.folded", followed_by(subject, gamma, variance))
        assert found.value is None
        assert reason in found.note


def test_circular_rows() -> None:
    weight = gaussian(3, 2, 3, 3)
    layer = Convolution(weight, (6, 4), (2, 2), (1, 1))
    subject = convolution(weight, stride=2, input_size=(6, 4))
    found = row("log-volume.circular", subject)
    assert found.value == pytest.approx(sum_of_logs(circulant(layer), 3 * 6), abs=1e-9)
    assert found.unit == "nats"
    assert "pads with zeros" in found.note
    assert "rounded up" not in found.note
    odd = row("log-volume.circular", convolution(weight, stride=2, input_size=(5, 4)))
    assert odd.value == pytest.approx(found.value)
    assert "rounded up to a multiple of the stride" in odd.note
    unknown = row("log-volume.circular", convolution(weight))
    assert unknown.value is None
    assert "size of the layer's input is not known" in unknown.note
    weight[1] = 0
    weight[2] = 0
    dead = row("log-volume.circular", convolution(weight[:, :1], input_size=(4, 4)))
    assert dead.value is not None
    assert "exactly zero (1 and 2)" in dead.note
    assert row("log-volume.circular", convolution(weight, input_size=(4, 4))).is_minus_infinity


def test_a_grid_may_hit_a_zero_exactly() -> None:
    """1 − z vanishes at frequency 0: the circular operator loses rank, the density is 0."""
    subject = convolution(np.array([[[1.0, -1.0]]]), input_size=(4,))
    assert row("log-volume.circular", subject).note.startswith(
        "−∞: singular at 1 of the 4 frequencies of this grid"
    )
    assert row("log-volume.density", subject).value == pytest.approx(0, abs=5e-3)


@pytest.mark.parametrize(("channels", "dtype"), [(3, "float64"), (3, "float32"), (60, "float32")])
def test_a_grid_may_hit_a_zero_up_to_rounding(channels: int, dtype: str) -> None:
    """Kernels of mean zero: only rounding is left of the symbol at frequency 0."""
    weight = gaussian(channels, channels, 3, 3)
    weight -= weight.mean((2, 3), keepdims=True)
    subject = convolution(weight.astype(dtype), dtype=dtype, input_size=(6, 6))
    found = row("log-volume.circular", subject)
    assert found.is_minus_infinity
    assert "singular at 1 of the 36 frequencies" in found.note
    fresh = convolution(gaussian(channels, channels, 3, 3), dtype=dtype, input_size=(6, 6))
    assert row("log-volume.circular", fresh).value is not None


@pytest.mark.parametrize("power", [-300, -155, 155, 300])
def test_extreme_weights_differ_by_their_logarithm(power: int) -> None:
    more = power * math.log(10)
    plain, far = dense(gaussian(20, 12)), dense(gaussian(20, 12) * 10.0**power)
    for name in ("log-volume", "log-volume.over-rank"):
        expected = row(name, plain).value
        assert expected is not None
        assert row(name, far).value == pytest.approx(expected + 12 * more, rel=1e-12)
    weight = gaussian(3, 2, 3, 3)
    plain = convolution(weight, input_size=(4, 4))
    far = convolution(weight * 10.0**power, input_size=(4, 4))
    for name, count in (
        ("log-volume.density", 2),
        ("log-volume.circular", 32),
        ("log-volume.density.scale-free", 0),
    ):
        expected = row(name, plain).value
        assert expected is not None
        assert row(name, far).value == pytest.approx(expected + count * more, rel=1e-11)
    slices = [
        rows_of(MEASURES, "log-volume.density.slice", s)["minimum"].value for s in (plain, far)
    ]
    assert slices[1] == pytest.approx(slices[0] + more, rel=1e-11)


def test_copies_in_coarse_types_qualify_the_log_volume() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in ("bfloat16", "float8_e4m3fn"):
        stored = getattr(ml_dtypes, dtype)
        weight = gaussian(16, 16, 3, 3).astype(stored)
        weight[5] = (1.7 * weight[2].astype(float)).astype(stored)
        found = row("log-volume.density", convolution(weight, dtype=dtype))
        assert found.value is not None
        assert "output channels 2 and 5 are equal up to scale" in found.note
        assert "full rank cannot be told" in found.note


def test_slice_rows() -> None:
    weight = gaussian(3, 4, 3, 3)
    weight[0, 1] = 0
    rows = rows_of(MEASURES, "log-volume.density.slice", convolution(weight))
    assert list(rows) == ["mean", "q1", "median", "q3", "minimum", "maximum"]
    values = [rows[name].value for name in ("minimum", "q1", "median", "q3", "maximum")]
    assert None not in values
    assert values == sorted(values, key=float)  # type: ignore[arg-type]
    assert rows["mean"].note == "1 of 12 slices are exactly zero (−∞)"
    nothing = rows_of(MEASURES, "log-volume.density.slice", convolution(np.zeros((2, 2, 3))))
    assert nothing["mean"].is_minus_infinity


def _shared(file: str, stride: Callable[[str], int]) -> Callable[[str], Subject]:
    path = Path(SHARED) / "data" / "weights" / file
    if not path.exists():
        pytest.skip(f"{path} is not there (set INFOFLOW_SHARED)")
    from infoflow.checkpoints import open_checkpoint

    tensors = open_checkpoint(str(path)).tensors

    def subject(name: str) -> Subject:
        weight = tensors[f"{name}.weight"].load()
        return convolution(weight, dtype="float32", stride=stride(name), padding=1)

    return subject


def test_trained_resnet20() -> None:
    """Figures computed by other means, in nats a position."""
    subject = _shared(
        "resnet20-12fca82f.th",
        lambda name: 2 if name in {"layer2.0.conv1", "layer3.0.conv1"} else 1,
    )
    for name, expected in (
        ("layer2.0.conv1", 2.99),
        ("layer1.1.conv1", -11.786),
        ("layer1.1.conv2", -4.40),
        ("layer3.2.conv2", -73.854),
    ):
        density = subject(name).density
        assert density.value is not None
        assert density.high is not None
        # Three half widths, and the rounding of the figures printed there.
        assert abs(density.value - expected) < 3 * (density.high - density.value) + 6e-3
    forgotten = convolution(subject("layer2.0.conv1").layer.weight, dtype="float32")
    assert forgotten.density.value == pytest.approx(5.27, abs=0.1)


def test_a_pruned_channel_of_ten_to_the_minus_eighteen() -> None:
    """layer2.1.conv2 reads −135.7 by LU and −112.5 by the Gram matrix: neither is a number."""
    subject = _shared(PRUNED, lambda _: 1)("layer2.1.conv2")
    found = row("log-volume.density", subject)
    assert found.is_minus_infinity
    assert "rank 31 of 32; 1 of 32 input channels is negligible (9)" in found.note
    over = row("log-volume.density.over-rank", subject)
    assert over.value == pytest.approx(-91.9, abs=0.3)
    assert "over rank 31 of 32" in over.note
