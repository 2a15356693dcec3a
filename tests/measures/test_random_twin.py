"""The random twin: closed forms against draws, and how often a fresh network is called trained."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from infoflow.facts import Initialisation
from infoflow.measures import choose
from infoflow.measures.weights.corner import box
from infoflow.measures.weights.polygamma import digamma, tetragamma, trigamma
from infoflow.measures.weights.random_twin import MEASURES
from infoflow.measures.weights.subject import Subject
from infoflow.measures.weights.twin import BOUNDED, FEWEST_WEIGHTS
from infoflow.measures.weights.twin_slices import FEWEST_SLICES, GAUSSIAN, TWINS, UNIFORM
from infoflow.measures.weights.twin_volumes import (
    density_twin,
    log_determinant_twin,
    log_volume_twin,
    own_scale_shift,
)
from tests.cases import SHARED, gaussian
from tests.measures.weight_layers import convolution, dense, rows_of

Z_MEAN, Z_SPREAD, Z_OUTLIERS = (f"random-twin.z-{what}" for what in ("mean", "spread", "outliers"))
FAMILIES = ("normal", "uniform")
STATED_RATE = 1e-4
"""What the scores' method says: of random layers beyond ±4."""


def draw(generator: np.random.Generator, family: str, shape: tuple[int, ...]) -> np.ndarray:
    if family == "normal":
        return generator.standard_normal(shape)
    return generator.uniform(-math.sqrt(3), math.sqrt(3), shape)


# Special functions


def test_polygamma_agrees_with_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.arange(1, 60) / 2, [1e3, 1e6]])
    for order, function in enumerate((digamma, trigamma, tetragamma)):
        assert function(x) == pytest.approx(special.polygamma(order, x), rel=1e-12)


def test_digamma_at_half() -> None:
    assert float(digamma(np.array([0.5]))[0]) == pytest.approx(-np.euler_gamma - 2 * math.log(2))


# Slices


@pytest.mark.parametrize("family", FAMILIES)
def test_slice_moments_and_quantiles(family: str) -> None:
    logs = np.log(np.abs(draw(np.random.default_rng(1), family, (400_000,))))
    twin = TWINS[family]
    assert logs.mean() == pytest.approx(twin.mean, abs=5 * twin.spread / 632)
    assert logs.std() == pytest.approx(twin.spread, abs=0.015)
    assert np.quantile(logs, [0.25, 0.5, 0.75]) == pytest.approx(twin.quartiles, abs=0.01)
    centred = logs - logs.mean()
    assert (centred**4).mean() / logs.var() ** 2 - 3 == pytest.approx(twin.kurtosis, rel=0.06)
    tukey = box(np.sort(logs))
    assert tukey.outliers_low / logs.size == pytest.approx(twin.outlier_share, abs=0.0015)
    assert tukey.outliers_high == 0


def test_figures_of_the_source() -> None:
    assert GAUSSIAN.mean == pytest.approx(-0.63518, abs=5e-6)
    assert GAUSSIAN.spread == pytest.approx(1.1107, abs=5e-5)
    assert GAUSSIAN.outlier_share == pytest.approx(0.03705, abs=5e-6)
    assert UNIFORM.mean - math.log(math.sqrt(3)) == pytest.approx(-1)
    assert UNIFORM.outlier_share == pytest.approx(0.04811, abs=5e-6)


def score_draws(family: str, slices: int, taps: int, count: int) -> dict[str, np.ndarray]:
    """Calibrated and plain scores of so many random kernels."""
    generator, twin = np.random.default_rng(slices * 100 + taps), TWINS[family]
    found: dict[str, list[float]] = {"mean": [], "spread": [], "share": [], "plain": []}
    for _ in range(count):
        weight = draw(generator, family, (slices, taps))
        log_scale = 0.5 * math.log((weight**2).mean())
        logs = np.sort(np.log(np.abs(weight[:, 0])))
        mean = twin.mean_score(float(logs.mean()), log_scale, slices, weight.size)
        tukey = box(logs)
        share = (tukey.outliers_low + tukey.outliers_high) / slices
        found["mean"].append(mean.scaled)
        found["plain"].append(mean.plain)
        found["spread"].append(twin.spread_score(float(logs.std(ddof=1)), slices).scaled)
        found["share"].append(twin.share_score(share, slices).scaled)
    return {name: np.array(values) for name, values in found.items()}


CASES = list(product(FAMILIES, ((FEWEST_SLICES, 9), (12, 25), (48, 9), (300, 1))))


@pytest.mark.parametrize(("family", "case"), CASES)
def test_random_slices_beyond_4_are_as_rare_as_stated(family: str, case: tuple[int, int]) -> None:
    count = 8_000
    scores = score_draws(family, *case, count)
    for name in ("mean", "spread", "share"):
        beyond = int((np.abs(scores[name]) > 4).sum())
        # Expected below 0.8 of 8,000 at 1e-4; six or more has a chance of 2e-4.
        assert beyond <= 5, name
    # The plain score has the variance claimed: the own scale is accounted for.
    if case[0] >= 12:
        assert scores["plain"].mean() == pytest.approx(0, abs=0.06)
        assert scores["plain"].std() == pytest.approx(1, abs=0.05)


def test_the_wrong_family_is_noticed() -> None:
    weight = draw(np.random.default_rng(0), "uniform", (64, 64, 3, 3))
    wrong, right = (
        rows_of(MEASURES, Z_MEAN, convolution(weight, initialisation=Initialisation(family, 1)))
        for family in FAMILIES
    )
    assert wrong["value"].value > 8  # methods: +9.9 at 64 × 64
    assert abs(right["value"].value) < 4
    assert "Gaussian twin (the architecture's initialisation)" in wrong["value"].method
    assert "uniform twin (the architecture's initialisation)" in right["value"].method
    assert "own standard deviation" in wrong["value"].method


@pytest.mark.parametrize("make", [dense, convolution])
@pytest.mark.parametrize(
    ("family", "shape", "words"),
    [
        (
            "uniform",
            (24, 16),
            "uniform twin (the weights are bounded like a uniform draw's; initialisation unknown)",
        ),
        ("normal", (24, 16), "Gaussian twin (initialisation unknown)"),
        ("uniform", (9, 7), "Gaussian twin (initialisation unknown)"),  # 63 weights: too few
    ],
)
def test_the_weights_choose_the_family_where_nothing_else_does(
    make: Callable[..., Subject], family: str, shape: tuple[int, int], words: str
) -> None:
    weight = draw(np.random.default_rng(3), family, shape).astype(np.float32)
    subject = make(weight if make is dense else weight[:, :, None])
    row = rows_of(MEASURES, Z_MEAN, subject)["value"]
    assert words in row.method
    assert abs(row.value) < 4


@pytest.mark.parametrize(
    ("family", "size", "low", "high"),
    [
        ("normal", FEWEST_WEIGHTS, 0.001, 0.003),
        ("normal", 100, 0, 0.0003),
        ("uniform", FEWEST_WEIGHTS, 0.96, 0.975),
        ("uniform", 400, 0.9999, 1),
    ],
)
def test_how_often_weights_are_taken_for_uniform_ones(
    family: str, size: int, low: float, high: float
) -> None:
    weights = draw(np.random.default_rng(size), family, (20_000, size))
    ratio = np.abs(weights).max(axis=1) / np.sqrt((weights**2).mean(axis=1))
    assert low <= (ratio < BOUNDED).mean() <= high


def test_scale_does_not_matter() -> None:
    weight = gaussian(16, 8, 3, 3).astype(float)
    small, large = (
        {
            name: rows_of(MEASURES, name, convolution(weight * scale))["value"].value
            for name in (Z_MEAN, Z_SPREAD, Z_OUTLIERS)
        }
        for scale in (1e-6, 1e3)
    )
    assert small == pytest.approx(large)


# Fresh networks of every kind of layer


SHAPES = [
    (16, 3, 3, 3), (32, 1, 3, 3), (8, 8, 1, 1), (6, 1, 5, 5), (24, 16, 3), (4, 4, 2, 2, 2),
    (10, 64), (64, 64), (1, 50), (2, 3), (40, 200), (96, 32),
]  # fmt: skip


def test_fresh_layers_beyond_4_are_as_rare_as_stated() -> None:
    generator, beyond, scores = np.random.default_rng(2), 0, 0
    for family, shape, _ in product(FAMILIES, SHAPES, range(60)):
        scale = float(generator.uniform(0.01, 2))
        weight = (scale * draw(generator, family, shape)).astype(np.float32)
        known = Initialisation(family, scale)
        kind = dense if len(shape) == 2 else convolution
        subject = kind(weight, dtype="float32", initialisation=known)
        names = (Z_MEAN,) if len(shape) == 2 else (Z_MEAN, Z_SPREAD, Z_OUTLIERS)
        values = [rows_of(MEASURES, name, subject)["value"].value for name in names]
        assert None not in values, shape
        scores += len(values)
        beyond += sum(abs(value) > 4 for value in values)
    # 2,880 scores at 1e-4 are 0.3 expected; four or more has a chance of 3e-4.
    assert scores == 2 * 60 * (6 * 3 + 6)
    assert beyond <= 3


@pytest.mark.parametrize("k", [1, 2, 5, 30, 200])
def test_random_determinants_beyond_minus_4_are_as_rare_as_stated(k: int) -> None:
    # The square part's |det| is a product of chi variables, the rest of the weight one more.
    generator, count, weights = np.random.default_rng(k), 60_000, 4 * k * k
    squares = [generator.chisquare(j, count) for j in range(1, k + 1)]
    rest = generator.chisquare(weights - k * (k + 1) // 2, count)
    total = sum(squares) + rest
    values = 0.5 * sum(np.log(s) for s in squares) - k / 2 * np.log(total / weights)
    twin = log_determinant_twin(k, weights, "normal")
    assert values.mean() == pytest.approx(twin.mean, abs=5 * twin.spread / math.sqrt(count))
    assert values.std() == pytest.approx(twin.spread, rel=0.03)
    scores = np.array([twin.score(value, 0, k).scaled for value in values])
    assert (np.abs(scores) > 4).sum() <= 12  # 6 expected at 1e-4
    plain = (values - twin.mean) / twin.spread
    assert (plain < -4).sum() > 12  # what the calibration is for


# Volumes


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(2, 2), (5, 5), (12, 30), (40, 10)])
def test_log_determinant_twin(family: str, shape: tuple[int, int]) -> None:
    generator, count, k = np.random.default_rng(3), 6000, min(shape)
    weights = draw(generator, family, (count, *shape))
    own = weights / np.sqrt((weights**2).mean(axis=(1, 2), keepdims=True))
    values = np.linalg.slogdet(own[:, :k, :k])[1]
    twin = log_determinant_twin(k, math.prod(shape), family)
    assert values.mean() == pytest.approx(twin.mean, abs=5 * twin.spread / math.sqrt(count) + 0.02)
    assert values.std() == pytest.approx(twin.spread, rel=0.06)


def test_source_figures_of_volumes() -> None:
    k = 512
    own = log_determinant_twin(k, k * k, "normal").mean
    assert own == pytest.approx(1339.4, abs=0.05)  # unit variance and own scale agree here
    assert log_volume_twin(60, 784).mean == pytest.approx(198.73, abs=0.02)
    for channels, expected in ((4, 5.407), (16, 32.006), (64, 171.645)):
        found, rule = density_twin((channels, channels, 3, 3), (1, 1), (1, 1), 1)
        assert found == pytest.approx(expected, abs=5e-4)
        assert rule == "circular symbol"


@pytest.mark.parametrize("shape", [(3, 3), (6, 20), (30, 8)])
def test_log_volume_twin(shape: tuple[int, int]) -> None:
    generator, count = np.random.default_rng(4), 3000
    weights = generator.standard_normal((count, *shape))
    own = weights / np.sqrt((weights**2).mean(axis=(1, 2), keepdims=True))
    values = np.log(np.linalg.svd(own, compute_uv=False)).sum(axis=1)
    twin = log_volume_twin(*shape)
    assert values.mean() == pytest.approx(twin.mean, abs=5 * twin.spread / math.sqrt(count))
    assert values.std() == pytest.approx(twin.spread, rel=0.06)


@pytest.mark.parametrize(
    ("shape", "settings", "rule", "bias"),
    [
        ((4, 4, 1, 1), {}, "exact", 0),
        ((6, 2, 1, 1), {"stride": 2}, "exact", 0),
        ((3, 2, 2, 2), {"stride": 2}, "exact", 0),
        ((6, 1, 3, 3), {"groups": 6}, "exact", 0),
        ((6, 1, 2), {"groups": 6}, "exact", 0),
        ((4, 1, 3, 3), {"groups": 4, "stride": 2}, "exact", 0),
        ((5, 1, 3, 3), {}, "exact", 0),
        ((6, 6, 3, 3), {}, "circular symbol", 0.05),
        ((8, 3, 3, 3), {}, "circular symbol", 0.05),
        ((8, 4, 3, 3), {"groups": 2}, "circular symbol", 0.08),
        ((6, 4, 3, 3), {"stride": 2}, "large-matrix limit", 0.08),
        ((4, 6, 4, 4), {"stride": 2, "transposed": True}, "circular symbol", 0.08),
        ((6, 6, 3), {"stride": 2, "dilation": 2}, "circular symbol", 0.2),
    ],
)
def test_density_twin(shape: tuple[int, ...], settings: dict, rule: str, bias: float) -> None:
    generator, values = np.random.default_rng(5), []
    for _ in range(400):
        weight = generator.standard_normal(shape)
        subject = convolution(weight / math.sqrt((weight**2).mean()), **settings)
        kernel = subject.kernel
        symbols = kernel.symbol(generator.uniform(0, 2 * math.pi, (6, len(kernel.axes))))
        values.append(np.log(np.linalg.svd(symbols, compute_uv=False)).sum(axis=(1, 2)).mean())
    axes = len(shape) - 2
    stride, dilation = ((settings.get(name, 1),) * axes for name in ("stride", "dilation"))
    expected, by = density_twin(shape, stride, dilation, settings.get("groups", 1))
    assert by == rule
    row = rows_of(MEASURES, "random-twin.log-volume", subject)["expected-mean"]
    groups, rank = settings.get("groups", 1), groups_rank(symbols)
    assert row.value == pytest.approx(expected + rank * own_scale_shift(math.prod(shape)))
    assert rank == groups * min(symbols.shape[-2:])
    assert np.mean(values) == pytest.approx(row.value, abs=5 * np.std(values) / 20 + bias)


def groups_rank(symbols: np.ndarray) -> int:
    """Full rank of the symbols (frequencies, groups, rows, columns) at one frequency."""
    return symbols.shape[1] * min(symbols.shape[2:])


@pytest.mark.parametrize(
    ("shape", "groups", "sampled", "error"),
    [
        ((1, 1, 3, 3), 1, 0.8496, 0.0018),
        ((8, 1, 3, 3), 8, 6.387, 0.007),
        ((6, 12, 1, 1), 1, 6.4118, 0.0071),
    ],
)
def test_densities_at_own_scale(
    shape: tuple[int, ...], groups: int, sampled: float, error: float
) -> None:
    """Means of 20,000 kernels scaled to a root mean square of one, ± 3 standard errors."""
    weight = np.random.default_rng(0).standard_normal(shape)
    subject = convolution(
        weight / math.sqrt((weight**2).mean()),
        groups=groups,
        initialisation=Initialisation("normal", 1),
    )
    row = rows_of(MEASURES, "random-twin.log-volume", subject)["expected-mean"]
    assert row.value == pytest.approx(sampled, abs=error)


def test_a_single_weight_is_its_own_twin() -> None:
    row = rows_of(MEASURES, "random-twin.log-volume", convolution(np.full((1, 1, 1), 0.3)))
    assert row["expected-mean"].value == pytest.approx(math.log(0.3))


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 2), (1, 512)])
def test_a_single_row_or_column_has_no_volume_to_compare(shape: tuple[int, int]) -> None:
    subject = dense(gaussian(*shape).astype(float))
    (row,) = rows_of(MEASURES, "random-twin.log-volume", subject).values()
    assert row.value is None
    assert "a single row or column is the logarithm of its norm" in row.note
    # Its log|det W_sq|, of one weight among several, still is random.
    assert rows_of(MEASURES, Z_MEAN, subject)["value"].value is not None


SMALL_KERNELS = (((1,), 1), ((3,), 2), ((1, 1), 1), ((2, 2), 2), ((3, 3), 1), ((3, 3), 2))


@pytest.mark.parametrize(
    "initialisation", [None, *(Initialisation(family, 1.0) for family in FAMILIES)]
)
def test_every_default_measure_takes_every_small_shape(
    initialisation: Initialisation | None,
) -> None:
    generator = np.random.default_rng(0)
    for rows, columns in product(range(1, 6), range(1, 6)):
        weight = generator.standard_normal((rows, columns))
        for values in (weight, np.ones_like(weight), np.zeros_like(weight)):
            compute_all(dense(values, initialisation=initialisation))
        for kernel, stride in SMALL_KERNELS:
            for groups, transposed in ((1, False), (1, True), (3, False)):
                if max(rows, columns) > 3 and len(kernel) > 1 and transposed:
                    continue  # nothing new, and half of the time
                shape = (rows * groups, columns, *kernel)
                compute_all(
                    convolution(
                        generator.standard_normal(shape),
                        stride=stride,
                        groups=groups,
                        transposed=transposed,
                        input_size=(6,) * len(kernel),
                        initialisation=initialisation,
                    )
                )


def compute_all(subject: Subject) -> None:
    for measure in choose("default"):
        if subject.layer.kind in measure.kinds:
            for row in measure.compute(subject):
                assert row.value is not None or row.note
            if measure.series:
                list(measure.series(subject))


# Rows


def test_dense_rows() -> None:
    weight = gaussian(20, 50, scale=0.3)
    subject = dense(weight, "float32")
    expected = rows_of(MEASURES, "random-twin.logdet", subject)
    score = rows_of(MEASURES, Z_MEAN, subject)
    value = np.linalg.slogdet(weight[:, :20].astype(float))[1]
    mean, spread = (expected[f"expected-{s}"].value for s in ("mean", "standard-deviation"))
    assert score["standard-errors"].value == pytest.approx((value - mean) / spread)
    volume = rows_of(MEASURES, "random-twin.log-volume", subject)
    exact = np.log(np.linalg.svd(weight, compute_uv=False)).sum()
    assert (
        abs(exact - volume["expected-mean"].value) < 5 * volume["expected-standard-deviation"].value
    )


def test_rows_of_a_convolution() -> None:
    weight = gaussian(64, 16, 3, 3, scale=0.2)
    subject = convolution(weight, dtype="float32", initialisation=Initialisation("normal", 0.25))
    rows = {s: row.value for s, row in rows_of(MEASURES, "random-twin.c11", subject).items()}
    logs = np.log(np.abs(weight[:, :, 0, 0]))
    assert rows["expected-mean"] == pytest.approx(logs.mean(), abs=0.15)
    assert rows["expected-standard-deviation"] == pytest.approx(1.1107, abs=1e-4)
    assert [rows[f"expected-{q}"] for q in ("q1", "median", "q3")] == pytest.approx(
        np.quantile(logs, [0.25, 0.5, 0.75]), abs=0.2
    )
    assert rows["expected-outlier-share"] == pytest.approx(0.03705, abs=5e-4)
    assert rows["initialisation-mean"] == pytest.approx(math.log(0.25) - 0.63518, abs=1e-5)
    density = rows_of(MEASURES, "random-twin.log-volume", subject)["expected-mean"]
    assert density.value == pytest.approx(subject.density.value, abs=0.5)
    uniform = convolution(weight, initialisation=Initialisation("uniform", 0.5))
    row = rows_of(MEASURES, "random-twin.c11", uniform)["initialisation-mean"]
    assert row.value == pytest.approx(math.log(0.5) - 1)


def test_zeros_are_left_out_and_said() -> None:
    generator = np.random.default_rng(6)
    weight = generator.standard_normal((64, 32, 3, 3))
    weight[generator.random(weight.shape) < 0.7] = 0
    rows = [rows_of(MEASURES, name, convolution(weight))["value"] for name in (Z_MEAN, Z_SPREAD)]
    assert all(abs(row.value) < 4 for row in rows)
    zeros = int((weight[:, :, 0, 0] == 0).sum())
    assert all(
        row.note == f"{zeros:,} slices whose c₁₁ is exactly zero are left out" for row in rows
    )


@pytest.mark.parametrize(
    ("subject", "note"),
    [
        (
            convolution(gaussian(4, 4, 3, 3), initialisation=Initialisation("constant", 1.0)),
            "no random twin: a fresh network holds 1 everywhere here",
        ),
        (convolution(np.zeros((4, 4, 3, 3))), "no random twin: every weight is exactly zero"),
        (convolution(gaussian(3, 1, 3, 3)), "3 slices without an exact zero, at least 4"),
        (dense(np.zeros((4, 4))), "no random twin: every weight is exactly zero"),
        (dense(np.ones((4, 4))), "log|det| does not exist"),
        (dense(np.full((1, 1), 2.0)), "no random twin: a single weight"),
    ],
)
def test_no_twin_is_explained(subject, note: str) -> None:
    row = rows_of(MEASURES, Z_MEAN, subject)["value"]
    assert row.value is None
    assert note in row.note
    for measure in MEASURES:
        if subject.layer.kind in measure.kinds:
            assert list(measure.compute(subject))


def test_equal_weights_have_no_spread() -> None:
    row = rows_of(MEASURES, Z_SPREAD, convolution(np.full((3, 3, 2), 2.0)))["value"]
    assert row.value is None
    assert "the same in every slice" in row.note


def trained(name: str) -> np.ndarray:
    path = SHARED / "data" / "weights" / "resnet20-12fca82f.th"
    if not path.exists():
        pytest.skip(f"{path} is not there (set INFOFLOW_SHARED)")
    torch = pytest.importorskip("torch")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return state[f"module.{name}.weight"].numpy()


@pytest.mark.parametrize(
    ("name", "mean", "low", "high"),
    [("conv1", -2.81, -8.2, -6.5), ("layer1.0.conv1", -3.71, -16, -14)],
)
def test_a_trained_network_is_far_below_its_twin(
    name: str, mean: float, low: float, high: float
) -> None:
    weight = trained(name)
    logs = np.log(np.abs(weight[:, :, 0, 0].astype(float)))
    assert logs.mean() == pytest.approx(mean, abs=0.005)
    known = convolution(weight, dtype="float32", initialisation=Initialisation("normal", 0.1))
    rows = rows_of(MEASURES, Z_MEAN, known)
    assert low < rows["value"].value < high
    error = math.sqrt((math.pi**2 / 8 - 1 / 18) / logs.size)
    rms = math.sqrt((weight.astype(float) ** 2).mean())
    expected = math.log(rms) + GAUSSIAN.mean + 0.5 / weight.size
    plain = rows["standard-errors"].value
    assert plain == pytest.approx((logs.mean() - expected) / error)


def test_small_networks_need_no_scipy() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from infoflow.measures.weights import entropy_change, random_twin\n"
        "from infoflow.measures.weights.subject import Subject\n"
        "from infoflow.layers import Layer\n"
        "for kind, shape in (('dense', (10, 64)), ('convolution', (64, 64, 3, 3))):\n"
        "    weight = np.random.default_rng(0).standard_normal(shape)\n"
        "    subject = Subject(Layer('layer', kind, weight, 'float64'))\n"
        "    for measure in entropy_change.MEASURES + random_twin.MEASURES:\n"
        "        if kind in measure.kinds:\n"
        "            assert list(measure.compute(subject))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(subprocess.CalledProcessError):  # and the test can fail
        subprocess.run(
            [sys.executable, "-c", code.replace("(10, 64)", "(128, 128)")],
            check=True,
            capture_output=True,
        )


def test_tables() -> None:
    assert all(m.group == "default" and m.source and m.unit and m.summary for m in MEASURES)
    assert len({m.name for m in MEASURES}) == len(MEASURES) == 6
