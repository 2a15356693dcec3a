"""Verdicts on chains whose true order is known, and on chains that cannot be told."""

from __future__ import annotations

import math

import pytest
import torch

from infoflow.errors import EstimateError
from infoflow.kernels import DistanceMatrix, Gaussian, bandwidth, squared_distances
from infoflow.measures.activations.inequality import Point, Step, steps
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.statistics.intervals import holm, paired_difference
from tests.activations.drawing import chain, normal


def kernel(x: torch.Tensor) -> Gaussian:
    distances = squared_distances(x)
    return Gaussian.of(DistanceMatrix(distances), bandwidth("half-median", distances, x.shape[1]))


def judged(layers: list[torch.Tensor]) -> tuple[Step, ...]:
    x = kernel(layers[0])
    points = []
    for place, layer in enumerate(layers[1:]):
        found = quadratic_information(x, kernel(layer))
        points.append(Point(f"layer {place}", float(found.value), found.influence))
    return steps(points)


def test_a_noisy_chain_falls() -> None:
    """Eight noisy layers: a true Markov chain whose information falls and never rises."""
    found = judged(chain(600, 8, 0.6, seed=1))
    verdicts = [step.verdict for step in found]
    assert "rises" not in verdicts
    assert verdicts[:3] == ["falls"] * 3
    assert [step.first for step in found] == [f"layer {place}" for place in range(7)]


def test_backwards_it_rises() -> None:
    x, *layers = chain(600, 4, 0.6, seed=2)
    verdicts = [step.verdict for step in judged([x, *layers[::-1]])]
    assert "falls" not in verdicts
    assert "rises" in verdicts


def test_copies_cannot_be_told() -> None:
    x, layer = chain(200, 1, 0.5, seed=3)
    turned = layer @ torch.linalg.qr(normal(5, 5, seed=4)).Q
    (step,) = judged([x, layer, turned])
    assert step.verdict == "cannot be told"
    assert step.reason == "the two are the same to rounding"
    assert step.difference.value == pytest.approx(0, abs=1e-10)


def test_false_alarms_are_rare() -> None:
    """Layers that all lose the same: no step truly falls or rises."""
    alarms = 0
    for seed in range(40):
        x = normal(80, 2, seed=seed)
        layers = [x + 0.7 * normal(80, 2, seed=100 * seed + place + 1) for place in range(5)]
        alarms += any(step.verdict != "cannot be told" for step in judged([x, *layers]))
    assert alarms <= 6  # 2 expected; more than 6 in 5 of 1000


def test_holms_correction_is_over_the_judged_steps() -> None:
    influence = [normal(50, seed=seed) for seed in range(4)]
    values = [1.0, 0.6, 0.5, 0.1]
    chain_of = [Point(str(i), v, f) for i, (v, f) in enumerate(zip(values, influence, strict=True))]
    found = steps(chain_of)
    p_values = [
        paired_difference(values[i], values[i + 1], influence[i], influence[i + 1]).p_value
        for i in range(3)
    ]
    assert [step.adjusted for step in found] == pytest.approx(holm(p_values))
    chain_of[3] = Point("3", 0.1, influence[3], "saturated")
    found = steps(chain_of)
    assert [step.adjusted for step in found[:2]] == pytest.approx(holm(p_values[:2]))
    assert (found[2].verdict, found[2].reason) == ("cannot be told", "3: saturated")


def test_both_ends_give_their_reasons() -> None:
    influence = normal(9, seed=1)
    points = [
        Point("a", 1.0, influence, "within its null"),
        Point("b", math.nan, influence),
    ]
    (step,) = steps(points)
    assert step.reason == "a: within its null; b: no number"
    assert step.adjusted == 1


def test_means_over_batches_are_the_paired_t_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = normal(8, seed=7) + 1, normal(8, seed=8)
    points = [Point(str(i), float(v.mean()), v - v.mean()) for i, v in enumerate((first, second))]
    (step,) = steps(points)
    assert step.difference.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_short_chains() -> None:
    assert steps([]) == ()
    assert steps([Point("a", 1.0, normal(5, seed=1))]) == ()


def test_other_samples_are_refused() -> None:
    points = [Point("a", 1.0, normal(5, seed=1)), Point("b", 1.0, normal(6, seed=1))]
    with pytest.raises(EstimateError, match="same samples"):
        steps(points)
