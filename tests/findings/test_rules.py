"""Every rule has a network that fires it and one, as alike as can be, that does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from infoflow.facts import Initialisation
from infoflow.findings import WEIGHT_RULES
from infoflow.findings.far_from_random import score_limit
from infoflow.findings.ill_conditioned import condition_limit
from infoflow.layers import Layer
from infoflow.measures import measures
from infoflow.report import Finding, Report, Severity, Status, TensorRecord
from tests.findings.building import conv, dense, draw, normalisation, report_of


@dataclass(frozen=True)
class Case:
    """A rule, a network that fires it, and one that does not."""

    rule: str
    severity: Severity
    fires: Callable[[], Report]
    silent: Callable[[], Report]


def planted(change: Callable[[np.ndarray], None], *shape: int, kind: str = "dense") -> Layer:
    weight = draw(*shape)
    change(weight)
    return dense(weight) if kind == "dense" else conv(weight)


def nan(weight: np.ndarray) -> None:
    weight[2, 3] = np.nan


def dead_row(weight: np.ndarray) -> None:
    weight[3] = 0


def dead_column(weight: np.ndarray) -> None:
    weight[:, 5] = 0


def faint_row(weight: np.ndarray) -> None:
    weight[3] *= 1e-9


def copied_row(weight: np.ndarray) -> None:
    weight[7] = -0.5 * weight[2]


def collapsed(weight: np.ndarray) -> None:
    """A tenth of the directions, and one per cent of noise, so that the rank stays full."""
    noise = 0.01 * np.std(weight) * np.random.default_rng(1).standard_normal(weight.shape)
    left, values, right = np.linalg.svd(weight)
    weight[:] = (left[:, :6] * values[:6]) @ right[:6] + noise


def mixed_row(weight: np.ndarray) -> None:
    weight[6] = weight[1] - 0.25 * weight[4]


def loud_row(weight: np.ndarray) -> None:
    weight[11] *= 40


def quiet_corner(weight: np.ndarray) -> None:
    weight[:, :, 0, 0] *= 0.3


def nothing(weight: np.ndarray) -> None:
    """The same network, left alone."""


def network(layers: Sequence[Layer]) -> Callable[[], Report]:
    return lambda: report_of(layers)


def fresh() -> Report:
    return report_of([planted(nothing, 16, 24), conv(draw(8, 8, 3, 3, seed=1))])


DEFAULT = 1 / math.sqrt(3)
"""Gain of torch's default initialisation, of variance 1/(3·fan_in)."""


def plain(depth: int, gain: float, norm_after: int = 0) -> Callable[[], Report]:
    """Square layers of variance gain²/width, with a normalisation after every so many."""

    def build() -> Report:
        layers = []
        for i in range(depth):
            layers.append(dense(draw(24, 24, seed=i, gain=gain), f"{i}.fc"))
            if norm_after and i % norm_after == norm_after - 1:
                layers.append(normalisation(np.ones(24, dtype=np.float32), f"{i}.norm"))
        return report_of(layers)

    return build


def decaying(count: int, others: int) -> Callable[[], Report]:
    """Some layers with singular values from 1 to e^−9, then fresh ones."""

    def build() -> Report:
        layers = []
        for i in range(count):
            left, _, right = np.linalg.svd(draw(24, 24, seed=i).astype(np.float64))
            spectrum = np.exp(-np.linspace(0, 9, 24))
            layers.append(dense((left * spectrum @ right), f"{i}.fc"))
        for i in range(count, count + others):
            layers.append(dense(draw(24, 24, seed=i), f"{i}.fc"))
        return report_of(layers)

    return build


def nearly_parallel(apart: float) -> Callable[[], Report]:
    """Two faint rows at a small angle: full rank by its tolerance, yet hardly invertible."""

    def build() -> Report:
        weight = np.eye(16)
        weight[15] = weight[14] + apart * weight[15]
        weight[14:] *= 1e-3
        # Turned, so that no column is faint.
        weight = weight @ np.linalg.qr(draw(16, 16).astype(np.float64))[0]
        return report_of([dense(weight.astype(np.float32))])

    return build


def with_recurrent(parameters: int, status: Status) -> Callable[[], Report]:
    reason = "recurrent weight: its gates are not read apart"
    other = TensorRecord(
        "rnn.weight_ih_l0", (4, parameters // 4), "float32", parameters, status, reason
    )
    return lambda: report_of([planted(nothing, 16, 24)], others=[other])


def embedded(change: Callable[[np.ndarray], None]) -> Callable[[], Report]:
    """A table of 24 tokens, as the map from tokens to vectors."""

    def build() -> Report:
        table = draw(24, 16)
        change(table)
        return report_of([Layer("embed", "embedding", table.T, "float32", parameters=table.size)])

    return build


def update(size: float) -> Callable[[], Report]:
    """The part of an update of width 4 in the directions that it uses."""
    part = size * draw(4, 24).astype(np.float64)
    layer = Layer("q", "low-rank update", part, "float64", parameters=160, whole=(16, 24))
    return network([layer])


ASSUMED = "assumed stride 1, groups 1"

CASES = [
    Case("non-finite-weights", Severity.SERIOUS, network([planted(nan, 8, 12)]), fresh),
    Case(
        "all-zero-layers",
        Severity.SERIOUS,
        network([conv(np.zeros((16, 16, 3, 3), dtype=np.float32), "layer1.0.conv1")]),
        network([planted(dead_row, 16, 8, 3, 3, kind="conv")]),
    ),
    Case("signal-collapse", Severity.WARNING, plain(31, DEFAULT), plain(31, math.sqrt(2))),
    Case("volume-collapse", Severity.WARNING, decaying(3, 2), decaying(2, 3)),
    Case("dead-filters", Severity.WARNING, network([planted(dead_row, 16, 24)]), fresh),
    Case("dead-inputs", Severity.WARNING, network([planted(dead_column, 16, 24)]), fresh),
    Case("negligible-filters", Severity.WARNING, network([planted(faint_row, 16, 24)]), fresh),
    Case("duplicate-filters", Severity.WARNING, network([planted(copied_row, 16, 24)]), fresh),
    Case("rank-deficient-layers", Severity.WARNING, network([planted(mixed_row, 16, 24)]), fresh),
    Case("ill-conditioned-layers", Severity.NOTE, nearly_parallel(3e-5), nearly_parallel(0.1)),
    Case("outlier-filters", Severity.NOTE, network([planted(loud_row, 32, 24)]), fresh),
    Case(
        "zero-scales",
        Severity.NOTE,
        network([dense(draw(4, 6)), normalisation(np.array([0, 1, 2, 0], dtype=np.float32))]),
        network([dense(draw(4, 6)), normalisation(np.array([1, 1, 2, 3], dtype=np.float32))]),
    ),
    Case("idle-tokens", Severity.NOTE, embedded(dead_row), embedded(nothing)),
    Case("idle-updates", Severity.NOTE, update(0.0), update(1.0)),
    Case(
        "far-from-random",
        Severity.NOTE,
        network([planted(quiet_corner, 16, 16, 3, 3, kind="conv")]),
        fresh,
    ),
    Case(
        "not-analysed",
        Severity.WARNING,
        with_recurrent(400, Status.NOT_SUPPORTED),
        with_recurrent(400, Status.NOT_LINEAR),
    ),
    Case(
        "assumed-geometry",
        Severity.NOTE,
        network([conv(draw(8, 8, 3, 3), source=ASSUMED)]),
        network([conv(draw(8, 8, 3, 3))]),
    ),
    Case(
        "unlike-healthy-layers",
        Severity.NOTE,
        lambda: report_of([planted(collapsed, 64, 64), dense(draw(64, 64, seed=1), "fc2")]),
        lambda: report_of([dense(draw(64, 64)), dense(draw(64, 64, seed=1), "fc2")]),
    ),
]


def of_rule(report: Report, rule: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.rule == rule]


def only(report: Report, rule: str) -> Finding:
    (finding,) = of_rule(report, rule)
    return finding


def test_every_rule_has_a_case() -> None:
    assert sorted(case.rule for case in CASES) == sorted(rule.name for rule in WEIGHT_RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_fires_and_does_not(case: Case) -> None:
    report = case.fires()
    finding = only(report, case.rule)
    assert finding.severity is case.severity
    assert not of_rule(case.silent(), case.rule)
    names = {layer.name for layer in report.layers}
    assert set(finding.layers) <= names
    assert finding.sentence.endswith(".")
    assert finding.advice.endswith(".")
    assert finding.value is not None
    assert math.isfinite(finding.value)
    assert finding.threshold is not None
    if finding.measure != "coverage":
        assert finding.measure in measures()
        assert finding.layers
        assert finding.layers[0] in finding.sentence


@pytest.mark.parametrize("rule", WEIGHT_RULES, ids=lambda rule: rule.name)
def test_rules_read_measures_that_exist_and_are_made_by_default(rule: object) -> None:
    for name in rule.reads:  # type: ignore[attr-defined]
        assert name in measures(), f"{name} is in no measure's table"
        assert measures()[name].group in {"paper", "default"}


def test_a_fresh_network_has_nothing_to_report() -> None:
    report = fresh()
    assert report.findings == ()


def test_sentences_say_layer_and_figure() -> None:
    weight = np.zeros((16, 16, 3, 3), dtype=np.float32)
    report = report_of([conv(weight, "layer1.0.conv1"), conv(draw(16, 16, 3, 3), "layer1.0.conv2")])
    finding = only(report, "all-zero-layers")
    assert finding.layers == ("layer1.0.conv1",)
    assert finding.sentence.startswith(
        "layer1.0.conv1: every weight is exactly zero (2,304 of 2,304)."
    )
    assert finding.advice == "If this is pruning, remove the layer; if not, the file is damaged."
    assert finding.severity is Severity.SERIOUS
    finding = only(report_of([conv(weight, "layer1.0.conv1")]), "all-zero-layers")
    assert finding.advice.endswith("A fresh network's last layer may start at zero.")
    finding = only(report_of([planted(copied_row, 16, 24)]), "duplicate-filters")
    assert finding.sentence == "fc: 1 of 16 filters repeats an earlier one up to a factor (2 = 7)."
    finding = only(report_of([planted(mixed_row, 16, 24)]), "rank-deficient-layers")
    assert finding.sentence.startswith("fc: rank 15 of 16: ")
    assert (finding.value, finding.threshold) == (15, 16)


def test_layers_with_the_same_fault_share_a_finding() -> None:
    layers = []
    for i in range(7):
        weight = draw(16, 24, seed=i)
        weight[i] = 0
        layers.append(dense(weight, f"fc{i}"))
    finding = only(report_of(layers), "dead-filters")
    assert finding.layers == tuple(f"fc{i}" for i in range(7))
    assert finding.value == 7
    assert finding.sentence == (
        "7 filters in 7 layers are exactly zero: fc0 (1 of 16: 0), fc1 (1 of 16: 1), "
        "fc2 (1 of 16: 2), fc3 (1 of 16: 3) and 3 more."
    )


def test_a_layer_that_starts_at_zero_is_a_note() -> None:
    zero, other = Initialisation("constant", 0.0), Initialisation("normal", 0.1)
    weight = np.zeros((16, 16, 3, 3), dtype=np.float32)
    layers = [
        conv(weight, "torso", initialisation=other),
        conv(weight, "head", initialisation=zero),
    ]
    serious, note = of_rule(report_of(layers), "all-zero-layers")
    assert (serious.severity, serious.layers) == (Severity.SERIOUS, ("torso",))
    assert (note.severity, note.layers) == (Severity.NOTE, ("head",))
    assert "In a fresh network of this architecture it is so." in note.sentence
    (only_note,) = report_of(layers[1:]).findings
    assert only_note.severity is Severity.NOTE


def test_an_all_zero_layer_is_reported_once_only() -> None:
    report = report_of([dense(np.zeros((16, 24), dtype=np.float32))])
    assert [finding.rule for finding in report.findings] == ["all-zero-layers"]


def test_lost_rank_that_dead_filters_explain_is_not_reported_twice() -> None:
    report = report_of([planted(dead_row, 16, 16)])
    assert [finding.rule for finding in report.findings] == ["dead-filters"]


def test_dead_channels_on_the_longer_side_do_not_excuse_a_lost_rank() -> None:
    weight = draw(16, 24)
    weight[:, 20:] = 0
    mixed_row(weight)
    report = report_of([dense(weight)])
    assert only(report, "dead-inputs").value == 4
    assert only(report, "rank-deficient-layers").value == 15


def test_a_strided_layer_has_the_rank_of_all_its_phases() -> None:
    weight = draw(16, 8, 3, 3)
    weight[:, 5] = 0
    report = report_of([conv(weight, stride=2)])
    assert [finding.rule for finding in report.findings] == ["dead-inputs"]


def test_dead_channels_of_transposed_and_grouped_layers_are_counted_over_all_groups() -> None:
    weight = draw(8, 3, 2, 2)
    weight[1] = 0
    report = report_of([conv(weight, groups=2, transposed=True)])
    assert only(report, "dead-inputs").sentence == (
        "conv: 1 of 8 input channels is never read (1)."
    )
    weight = draw(8, 3, 2, 2)
    weight[4:, 1] = 0
    report = report_of([conv(weight, groups=2, transposed=True)])
    assert only(report, "dead-filters").sentence == "conv: 1 of 6 filters is exactly zero (4)."


def test_normalisations_end_a_collapsing_run() -> None:
    assert not of_rule(plain(31, DEFAULT, norm_after=1)(), "signal-collapse")
    assert not of_rule(plain(31, DEFAULT, norm_after=16)(), "signal-collapse")
    both = of_rule(plain(64, DEFAULT, norm_after=32)(), "signal-collapse")
    assert [len(finding.layers) for finding in both] == [32, 32]


def test_a_collapsing_signal_is_given_as_a_factor() -> None:
    finding = only(plain(31, DEFAULT)(), "signal-collapse")
    assert finding.value == pytest.approx(-31 * math.log(3) / 2, abs=0.3)
    assert finding.threshold == pytest.approx(-15.94, abs=0.01)
    assert "a random signal shrinks to at most 4·10^−8 of its size" in finding.sentence
    assert finding.sentence.startswith(
        "If the 31 layers from 0.fc to 30.fc follow one another without skips, as their order in "
        "the file suggests, "
    )


def test_twenty_eight_default_layers_do_not_collapse() -> None:
    assert not of_rule(plain(28, DEFAULT)(), "signal-collapse")


def test_a_selection_of_layers_has_no_profile() -> None:
    report = plain(31, DEFAULT)()
    left = TensorRecord(
        "x.weight", (24,), "float32", 24, Status.NOT_SELECTED, "not chosen by --layers"
    )
    layers = [dense(draw(24, 24, seed=i, gain=DEFAULT), f"{i}.fc") for i in range(31)]
    assert of_rule(report, "signal-collapse")
    assert not of_rule(report_of(layers, others=[left]), "signal-collapse")


def test_a_run_of_uneven_layers_must_be_unbroken() -> None:
    assert not of_rule(decaying(2, 0)(), "volume-collapse")
    finding = only(decaying(4, 1)(), "volume-collapse")
    assert finding.layers == ("0.fc", "1.fc", "2.fc", "3.fc")
    assert finding.value is not None
    # Σ log σ / k = −4.5, and the mean square is that of the geometric series.
    mean_square = np.mean(np.exp(-2 * np.linspace(0, 9, 24)))
    assert finding.value == pytest.approx(-4.5 - 0.5 * math.log(mean_square))


def test_unsupported_tensors_are_a_note_where_they_are_few() -> None:
    few = with_recurrent(4, Status.NOT_SUPPORTED)
    layers = [dense(draw(40, 40))]
    other = few().coverage.with_status(Status.NOT_SUPPORTED)
    finding = only(report_of(layers, others=other), "not-analysed")
    assert finding.severity is Severity.NOTE
    assert "rnn.weight_ih_l0 (recurrent weight" in finding.sentence


@pytest.mark.parametrize(
    ("factors", "where"), [((40,), "above"), ((1e-3,), "below"), ((40, 1e-3), "from")]
)
def test_outliers_are_said_to_be_short_or_long(factors: Sequence[float], where: str) -> None:
    layers = []
    for i, factor in enumerate(factors):
        weight = draw(32, 24, seed=i)
        weight[11] *= factor
        layers.append(dense(weight, f"fc{i}"))
    assert f" far {where} " in only(report_of(layers), "outlier-filters").sentence


def test_the_corner_of_trained_kernels_is_named() -> None:
    finding = only(report_of([planted(quiet_corner, 16, 16, 3, 3, kind="conv")]), "far-from-random")
    sentence = finding.sentence
    assert finding.value > finding.threshold == pytest.approx(score_limit(3))
    assert "(limit ±2.9, for 3 scores)" in sentence
    assert sentence.startswith("1 of 1 layer is unlike independent random weights")
    assert sentence.endswith("the kernel's weight is away from its corner.")


def test_condition_limits_are_those_of_float32_or_of_float64() -> None:
    assert condition_limit("float64") == 2.0**52
    for dtype in ("float32", "bfloat16", "float8_e4m3fn", "int8", ""):
        assert condition_limit(dtype) == 2.0**23


def test_the_limit_of_scores_grows_with_their_number() -> None:
    limits = [score_limit(n) for n in (0, 1, 10, 150, 157, 1_000, 100_000)]
    assert limits == sorted(limits)
    assert score_limit(1) == pytest.approx(2.5758, abs=1e-4)
    assert score_limit(157) == pytest.approx(score_limit(159), abs=0.01)
    assert 4.7 < score_limit(3_000) < 5.3
