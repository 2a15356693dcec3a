"""Σ log|γ/√(running_var + ε)|, and what stands there where it does not exist."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infoflow.layers import Layer
from infoflow.measures.weights.normalisation import MEASURES, channel_scales
from infoflow.measures.weights.subject import Subject
from tests.measures.weight_layers import normalisation, rows_of

NAME = "entropy-change.normalisation"


def test_is_the_log_determinant_of_the_diagonal_map() -> None:
    generator = np.random.default_rng(0)
    gamma, variance = generator.standard_normal(7), generator.random(7)
    rows = rows_of(MEASURES, NAME, normalisation(gamma, variance, 1e-3))
    expected = np.linalg.slogdet(np.diag(gamma / np.sqrt(variance + 1e-3)))[1]
    assert rows["value"].value == pytest.approx(expected)
    assert rows["zeros"].value == 0
    assert "running_var + 0.001" in rows["value"].method


def test_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    norm = torch.nn.BatchNorm1d(5).double().eval()
    torch.nn.init.normal_(norm.weight)
    norm.running_var.uniform_(0.1, 2)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: norm(x[None])[0], torch.ones(5).double()
    )
    subject = normalisation(norm.weight.detach().numpy(), norm.running_var.numpy(), norm.eps)
    found = rows_of(MEASURES, NAME, subject)["value"].value
    assert found == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]))


def test_without_a_running_variance_gamma_alone() -> None:
    row = rows_of(MEASURES, NAME, normalisation([[2.0, -0.5], [1.0, 4.0]]))["value"]
    assert row.value == pytest.approx(math.log(4))
    assert "data-dependent part" in row.method


def test_zeros_are_counted() -> None:
    rows = rows_of(MEASURES, NAME, normalisation([0.0, 1.0, 0.0], np.ones(3)))
    assert rows["value"].is_minus_infinity
    assert "exactly zero in 2 of 3 channels" in rows["value"].note
    assert rows["zeros"].value == 2


@pytest.mark.parametrize("variance", [[math.nan, 1.0], [-1.0, 1.0], [math.inf, 1.0], [-1e-5, 1.0]])
def test_a_broken_variance_is_said(variance: list[float]) -> None:
    rows = rows_of(MEASURES, NAME, normalisation([1.0, 1.0], np.array(variance)))
    if variance[0] == math.inf:
        assert rows["value"].is_minus_infinity  # 1/∞ is an exact zero
    else:
        assert rows["value"].value is None
        assert "NaN or infinite in 1 of 2 channels" in rows["value"].note


def test_nothing_known() -> None:
    subject = Subject(Layer("layer", "normalisation", np.ones(3), "float32"))
    row = rows_of(MEASURES, NAME, subject)["value"]
    assert row.note.startswith("not computed")


def test_scales_of_a_channel() -> None:
    facts = normalisation([3.0], np.array([8.0]), 1.0).layer.normalisation
    assert channel_scales(facts) == pytest.approx([1.0])


def test_an_epsilon_of_zero_stays_zero() -> None:
    subject = normalisation([1.0, 1.0], np.array([1e-8, 1e-12]), 0.0)
    row = rows_of(MEASURES, NAME, subject)["value"]
    assert row.value == pytest.approx(math.log(1e4) + math.log(1e6))
    assert "running_var + 0)" in row.method
    row = rows_of(MEASURES, NAME, normalisation([1.0, 1.0], np.array([0.0, 1.0]), 0.0))["value"]
    assert "NaN or infinite in 1 of 2 channels" in row.note
