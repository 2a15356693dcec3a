"""The entropy budget: equality on invertible networks, and where it is not defined."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from infoflow.errors import EstimateError
from infoflow.measures.activations.budget import (
    SLOPES,
    UNDEFINED,
    budget,
    log_determinants,
    term,
)
from tests.activations.drawing import normal


class Coupling(nn.Module):
    """An affine coupling layer: half of the values scale and shift the other half."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.half = dimension // 2
        rest = dimension - self.half
        self.network = nn.Sequential(nn.Linear(self.half, 16), nn.Tanh(), nn.Linear(16, 2 * rest))

    def forward(self, x: Tensor) -> Tensor:
        kept, moved = x[:, : self.half], x[:, self.half :]
        scale, shift = self.network(kept).chunk(2, dim=1)
        return torch.cat([kept, moved * torch.exp(torch.tanh(scale)) + shift], dim=1)

    def log_determinant(self, x: Tensor) -> Tensor:
        scale, _ = self.network(x[:, : self.half]).chunk(2, dim=1)
        return torch.tanh(scale).sum(dim=1)


def whole(modules: list[nn.Module], x: Tensor) -> Tensor:
    chain = nn.Sequential(*modules).double().eval()
    return log_determinants(chain, x)


def trained_normalisation(dimension: int) -> nn.BatchNorm1d:
    layer = nn.BatchNorm1d(dimension)
    with torch.no_grad():
        layer.weight.copy_(normal(dimension, seed=1))
        layer.running_var.copy_(normal(dimension, seed=2).square() + 0.1)
        layer.running_mean.copy_(normal(dimension, seed=3))
    return layer


def test_a_coupling_flow() -> None:
    torch.manual_seed(0)
    flow: list[nn.Module] = []
    for _ in range(4):
        flow += [Coupling(6), nn.Linear(6, 6), trained_normalisation(6), nn.LeakyReLU(0.3)]
    x = normal(9, 6, seed=4)
    terms = budget(flow, x)
    total = sum(one.values for one in terms)
    assert torch.allclose(total, whole(flow, x), rtol=0, atol=1e-9)
    assert [one.kind for one in terms[:4]] == ["other", "weight", "normalisation", "activation"]
    first = flow[0].double()
    assert torch.allclose(terms[0].values, first.log_determinant(x), atol=1e-12)


@pytest.mark.parametrize("kind", list(SLOPES))
def test_slopes_are_autograds(kind: type[nn.Module]) -> None:
    module = kind().eval()
    if isinstance(module, nn.Flatten):
        pytest.skip("keeps the values of a batch, not of one sample's axes")
    z = 3 * normal(5, 4, seed=5)
    found = term(module, z)
    assert torch.allclose(found.values, log_determinants(module, z), atol=1e-12)


def test_saturated_units_keep_their_slope() -> None:
    """tanh′(30) is 0 in float64, its logarithm is not."""
    found = term(nn.Tanh(), torch.tensor([[30.0], [-30.0]]))
    assert found.values.tolist() == pytest.approx([math.log(4) - 60] * 2)
    assert found.mean == pytest.approx(math.log(4) - 60)


def test_many_positions() -> None:
    x = normal(3, 5, 4, seed=6)
    linear = nn.Linear(4, 4)
    assert torch.allclose(term(linear.double(), x).values, whole([linear], x), atol=1e-9)
    images = normal(3, 2, 3, 3, seed=7)
    layer = nn.BatchNorm2d(2)
    layer.running_var.copy_(torch.tensor([4.0, 9.0]))
    found = term(layer.double().eval(), images)
    assert torch.allclose(found.values, whole([layer], images), atol=1e-9)


def test_a_convolution_is_told_by_its_jacobian() -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(2, 2, 3, padding=1)
    found = budget([layer], normal(2, 2, 4, 4, seed=8))
    assert found[0].kind == "other"
    assert found[0].values is not None
    first, second = found[0].values.tolist()
    assert first == pytest.approx(second)


@pytest.mark.parametrize("kind", list(UNDEFINED))
def test_what_cannot_be_inverted_is_not_defined(kind: type[nn.Module]) -> None:
    arguments = {nn.LayerNorm: (4,), nn.GroupNorm: (2, 4), nn.Softmax: (1,)}.get(kind, ())
    (found,) = budget([kind(*arguments)], normal(3, 4, seed=9))
    assert found.values is None
    assert found.mean is None
    assert found.reason.startswith("not defined: a")


def test_a_change_of_dimension_is_not_defined() -> None:
    found = budget([nn.Linear(4, 3), nn.Conv1d(1, 1, 2)], normal(2, 1, 4, seed=10))
    assert found[0].reason == "not defined: 4 values become 3"
    assert found[1].reason == "not defined: 3 values become 2"
    with pytest.raises(EstimateError, match="4 values become 3"):
        log_determinants(nn.Linear(4, 3).double(), normal(2, 4, seed=10))


def test_batch_statistics_are_not_defined() -> None:
    found = term(nn.BatchNorm1d(3, track_running_stats=False), normal(4, 3, seed=11))
    assert found.reason.startswith("not defined: it normalises by the batch")


def test_too_large_a_jacobian_is_said() -> None:
    found = term(Coupling(5000).double(), normal(1, 5000, seed=12))
    assert found.reason.startswith("not computed")


def test_a_singular_layer_is_minus_infinity() -> None:
    layer = nn.Linear(2, 2)
    nn.init.ones_(layer.weight)
    found = term(layer.double(), normal(2, 2, seed=13))
    assert found.values.tolist() == [-math.inf, -math.inf]


def test_rounding_is_no_determinant() -> None:
    linear = nn.Linear(8, 8).double()
    with torch.no_grad():
        linear.weight.copy_(normal(8, 3, seed=1) @ normal(3, 8, seed=2))
    for module in (linear, nn.LogSoftmax(dim=1)):
        found = term(module, normal(2, 8, seed=3))
        assert found.values is not None
        assert found.values.tolist() == [-math.inf, -math.inf]
    small = torch.diag(torch.tensor([1e-30, 1.0, 1e20], dtype=torch.float64))
    found = log_determinants(lambda x: x @ small, normal(2, 3, seed=4))
    assert found.tolist() == pytest.approx(2 * [-10 * math.log(10)], rel=1e-12)


def test_the_modules_are_left_as_they_are() -> None:
    layer = nn.BatchNorm1d(3).train()
    budget([layer], normal(5, 3, seed=14))
    assert layer.training
    assert layer.weight.dtype == torch.float32
    assert float(layer.running_mean.abs().sum()) == 0


def test_it_is_differentiable() -> None:
    z = normal(2, 3, seed=15).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: term(nn.Tanh(), v).values, z)
    module = Coupling(3).double()
    assert torch.autograd.gradcheck(lambda v: log_determinants(module, v), z)


@pytest.mark.parametrize("module", [nn.LeakyReLU(-0.5), nn.ELU(-1.0)])
def test_a_slope_that_turns_round_has_no_term(module: nn.Module) -> None:
    found = term(module, torch.randn(3, 4))
    assert found.values is None
    assert found.reason == "not defined: its slope below 0 is negative"
