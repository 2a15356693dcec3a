"""Centred kernel alignment and the linear probe."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from infoflow.errors import EstimateError
from infoflow.kernels import Gaussian, gram
from infoflow.measures.activations.alignment import cka, linear_cka, linear_gram, unbiased_cka
from infoflow.measures.activations.probe import PENALTIES, _ridge, linear_probe
from tests.activations.drawing import normal


def test_linear_alignment_is_its_formula_in_features() -> None:
    x, t = normal(40, 6, seed=1), normal(40, 4, seed=2)
    a, b = (v - v.mean(dim=0) for v in (x, t))
    expected = (a.T @ b).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())
    assert float(linear_cka(x + 100, t)) == pytest.approx(float(expected))


def test_alignment_does_not_see_rotation_and_scale() -> None:
    x = normal(30, 5, seed=3)
    rotation = torch.linalg.qr(normal(5, 5, seed=4)).Q
    assert float(linear_cka(x, 3 * x @ rotation)) == pytest.approx(1)
    k = gram(Gaussian.of(x, 1.0))
    assert float(cka(k, gram(Gaussian.of(x @ rotation, 1.0)))) == pytest.approx(1)
    assert float(unbiased_cka(k, k)) == pytest.approx(1)


def test_the_unbiased_form_is_zero_on_average() -> None:
    drawn = [
        float(unbiased_cka(*(linear_gram(normal(20, 50, seed=s + side)) for side in (0, 500))))
        for s in range(60)
    ]
    assert abs(np.mean(drawn)) < 4 * np.std(drawn) / math.sqrt(60)
    biased = linear_cka(normal(20, 50, seed=0), normal(20, 50, seed=500))
    assert biased > 0.5


def test_the_unbiased_form_is_its_definition() -> None:
    """Song and others' estimator as three means over distinct indices."""
    k, l = (linear_gram(normal(7, 3, seed=s)).numpy() for s in (5, 6))  # noqa: E741
    n = range(7)

    def hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
        pairs = [(i, j) for i in n for j in n if i != j]
        triples = [(i, j, m) for i, j in pairs for m in n if m not in (i, j)]
        quads = [(i, j, m, o) for i, j, m in triples for o in n if o not in (i, j, m)]
        return float(
            np.mean([k[i, j] * l[i, j] for i, j in pairs])
            + np.mean([k[i, j] * l[m, o] for i, j, m, o in quads])
            - 2 * np.mean([k[i, j] * l[i, m] for i, j, m in triples])
        )

    expected = hsic(k, l) / math.sqrt(hsic(k, k) * hsic(l, l))
    found = unbiased_cka(torch.from_numpy(k), torch.from_numpy(l))
    assert float(found) == pytest.approx(expected)


def test_alignment_of_a_constant_is_no_number() -> None:
    assert math.isnan(float(linear_cka(normal(9, 2, seed=7), torch.ones(9, 2))))
    with pytest.raises(EstimateError, match="four samples"):
        unbiased_cka(torch.eye(3), torch.eye(3))


def test_alignment_is_differentiable() -> None:
    x, t = normal(6, 2, seed=8).requires_grad_(), normal(6, 3, seed=9)
    assert torch.autograd.gradcheck(lambda v: linear_cka(v, t), x)
    other = linear_gram(t)
    assert torch.autograd.gradcheck(lambda v: unbiased_cka(linear_gram(v), other), x)


# The probe


def classes(samples: int, apart: float, seed: int, features: int = 20) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (samples,), generator=generator)
    centres = normal(3, features, seed=seed + 1)
    return apart * centres[labels] + normal(samples, features, seed=seed + 2), labels


def test_separated_classes_are_told() -> None:
    found = linear_probe(*classes(300, 4.0, seed=10))
    assert found.accuracy > 0.97
    assert found.held_out == 150
    assert 0.2 < found.chance < 0.5
    assert found.low < found.accuracy <= found.high


def test_noise_is_at_chance() -> None:
    for features in (5, 1000):
        x, labels = classes(400, 0.0, seed=11, features=features)
        found = linear_probe(x, labels)
        assert found.low < 1 / 3 + 0.05
        assert abs(found.accuracy - 1 / 3) < 0.12


def test_the_probe_is_ridge_regression() -> None:
    """In features, with the penalty that it names."""
    x, labels = classes(80, 1.0, seed=12, features=7)
    found = linear_probe(x, labels, seed=3)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(3))
    train, test = order[:40], order[40:]
    a = x[train] - x[train].mean(dim=0)
    targets = torch.nn.functional.one_hot(labels, 3).double()
    mean = targets[train].mean(dim=0)
    penalty = found.penalty * a.square().sum(dim=1).mean()
    matrix = a.T @ a + penalty * torch.eye(7, dtype=torch.float64)
    weights = torch.linalg.solve(matrix, a.T @ (targets[train] - mean))
    predicted = ((x[test] - x[train].mean(dim=0)) @ weights + mean).argmax(dim=1)
    assert found.accuracy == pytest.approx(float((predicted == labels[test]).double().mean()))


def test_the_probe_is_the_same_for_the_same_seed() -> None:
    x, labels = classes(100, 1.0, seed=13)
    assert linear_probe(x, labels, seed=5) == linear_probe(x, labels, seed=5)
    assert linear_probe(x, labels, seed=5) != linear_probe(x, labels, seed=6)


def test_odd_labels() -> None:
    x, labels = classes(60, 3.0, seed=14)
    assert linear_probe(x, 7 * labels - 3).accuracy == linear_probe(x, labels).accuracy
    alone = linear_probe(x, torch.zeros(60, dtype=torch.int64))
    assert (alone.accuracy, alone.chance) == (1, 1)
    constant = linear_probe(torch.ones(60, 4), labels)
    assert constant.accuracy == constant.chance


def test_impossible_labels_are_refused() -> None:
    with pytest.raises(EstimateError, match="one label a sample"):
        linear_probe(normal(8, 2, seed=15), torch.zeros(7, dtype=torch.int64))
    with pytest.raises(EstimateError, match="one label a sample"):
        linear_probe(normal(3, 2, seed=15), torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize("features", [5, 30, 60])
def test_the_penalty_is_that_of_least_error_when_each_sample_is_left_out(features: int) -> None:
    """With an intercept: models trained without the sample, one by one."""
    x = normal(24, features, seed=21)
    y = normal(24, 3, seed=22)
    y -= y.mean(dim=0)
    found = {}
    for share in PENALTIES:
        errors = []
        for out in range(24):
            kept = torch.arange(24) != out
            mean, wanted = x[kept].mean(dim=0), y[kept].mean(dim=0)
            centred = x[kept] - mean
            penalty = share * float((x - x.mean(dim=0)).square().sum(dim=1).mean())
            inverse = torch.linalg.inv(centred @ centred.T + penalty * torch.eye(23).double())
            dual = inverse @ (y[kept] - wanted)
            guess = (x[out] - mean) @ centred.T @ dual + wanted
            errors.append(float((guess - y[out]).square().sum()))
        found[share] = sum(errors)
    products = (x - x.mean(dim=0)) @ (x - x.mean(dim=0)).T
    assert _ridge(products, y)[1] == min(found, key=found.__getitem__)


def test_no_worst_number_of_features() -> None:
    """Where features are as many as training samples a probe without penalty is at chance."""
    accuracies = []
    for features in (60, 100, 140):
        x, labels = normal(200, features, seed=23), torch.arange(200) % 4
        x[torch.arange(200), labels] += 4
        accuracies.append(linear_probe(x, labels).accuracy)
    assert min(accuracies) > 0.8
