"""Outgoing weights merged: exact for what passes a ReLU, and the best in squares for the rest."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infoflow.data import of_one_input
from infoflow.data.data import Data
from infoflow.pruning.convolutions import convolutions, silence
from infoflow.pruning.merging import intakes, least_squares, merge
from tests.pruning.test_cutting import Plain, settled


class Two(nn.Module):
    """A convolution, its norm, a ReLU, and two layers that read it."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.next = nn.Conv2d(6, 4, 3, padding=1)
        self.dense = nn.Linear(6 * 16, 4)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.one(x)).relu()
        pooled = nn.functional.avg_pool2d(out, 2)
        return self.next(out).mean((2, 3)) + self.dense(pooled.flatten(1))


def planted(factor: float) -> nn.Module:
    """Filter 4 is a multiple of filter 1 after the norm."""
    module = settled(Two())
    with torch.no_grad():
        for name in ("weight", "bias"):
            convolution, norm = getattr(module.one, name), getattr(module.norm, name)
            convolution[4] = convolution[1]
            norm[4] = factor * norm[1]
        for name in ("running_mean", "running_var"):
            getattr(module.norm, name)[4] = getattr(module.norm, name)[1]
    return module


def data_of(x: Tensor) -> Data:
    return Data("noise", "Noise.", len(x), None, "none", "x", lambda a, b: of_one_input(x[a:b]))


def without_four(module: nn.Module, x: Tensor, *, merging: bool) -> Tensor:
    layers = convolutions(module, of_one_input(x[:2]), ("one",))
    smaller = copy.deepcopy(module)
    if merging:
        taken = intakes(
            module, layers, data_of(x), samples=40, batch_size=7, prepare=lambda batch: batch
        )
        assert merge(smaller, {"one": [4]}, taken) == ["one"]
    silence(smaller, layers, {"one": [4]})
    with torch.no_grad():
        return smaller(x)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_a_copy_by_a_positive_factor_goes_without_loss(factor: float) -> None:
    torch.manual_seed(5)
    module, x = planted(factor), torch.randn(40, 3, 8, 8)
    with torch.no_grad():
        whole = module(x)
    torch.testing.assert_close(without_four(module, x, merging=True), whole, rtol=0, atol=1e-5)
    assert float((without_four(module, x, merging=False) - whole).abs().max()) > 0.01


def test_a_negated_copy_does_not_pass_a_relu() -> None:
    torch.manual_seed(5)
    module, x = planted(-1.0), torch.randn(40, 3, 8, 8)
    with torch.no_grad():
        whole = module(x)
    errors = [
        float((without_four(module, x, merging=merging) - whole).square().mean())
        for merging in (True, False)
    ]
    assert errors[0] > 1e-6
    assert errors[0] < errors[1]


def test_coefficients_are_those_of_least_squares() -> None:
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(200, 5))
    maps[:, 3] = maps[:, 0]  # those that stay need not be independent
    maps[:, 4] = 2 * maps[:, 0] - maps[:, 1] + 0.1 * generator.normal(size=200)
    moments = torch.from_numpy(maps.T @ maps)
    found = least_squares(moments, [0, 1, 2, 3], [4])[:, 0].numpy()
    expected = np.linalg.lstsq(maps[:, :4], maps[:, 4], rcond=None)[0]
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_moments_are_those_of_what_is_read() -> None:
    module = settled(Plain())
    x = torch.randn(9, 3, 8, 8)
    layers = convolutions(module, of_one_input(x[:2]), ())
    found = intakes(
        module, layers, data_of(x), samples=8, batch_size=3, prepare=lambda batch: batch
    )
    read: list[Tensor] = []
    with torch.no_grad(), module.dense.register_forward_pre_hook(lambda m, i: read.append(i[0])):
        module(x[:8])
    maps = read[0].reshape(8, 6, 4).transpose(0, 1).reshape(6, -1).double()
    ((place, moments),) = found.moments["two"].items()
    assert (place.weight, place.axis, place.start, place.each) == ("dense.weight", 1, 0, 4)
    torch.testing.assert_close(moments, maps @ maps.T, rtol=1e-5, atol=1e-5)
    assert found.blocked == {}
