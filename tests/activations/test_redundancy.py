"""Redundancy: indicator kernels, what a copy adds, and planted filters found first."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infoflow import zoo
from infoflow.kernels import Gaussian, Indicator, gram
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.measures.activations.redundancy import (
    copy_invariant_redundancy,
    correlations,
    dependence,
    filter_information,
    map_kernels,
    ren_redundancy,
    unexplained,
)
from infoflow.measures.activations.removal import removals
from infoflow.measures.activations.renyi import mutual_information
from tests.activations import naive
from tests.activations.drawing import generator, normal
from tests.cases import SAMPLES


def indicators(*columns: Tensor) -> Tensor:
    return torch.stack([gram(Indicator(column)) for column in columns])


def bits() -> tuple[Tensor, Tensor]:
    rows = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(5, 1)
    return rows[:, 0], rows[:, 1]


def test_xor_is_one_bit_of_synergy() -> None:
    first, second = bits()
    x = gram(Indicator(first ^ second))
    assert float(ren_redundancy(x, indicators(first, second), 1)) == pytest.approx(-1)


def test_a_copy_adds_its_entropy() -> None:
    first, second = bits()
    x = gram(Indicator(2 * first + second))
    alone = float(ren_redundancy(x, indicators(first, second), 1))
    copied = float(ren_redundancy(x, indicators(first, second, second), 1))
    assert alone == pytest.approx(0, abs=1e-12)
    assert copied == pytest.approx(1)


def test_a_copy_adds_exactly_its_information_to_the_invariant_form() -> None:
    x = normal(40, 3, seed=1)
    kernel = Gaussian.of(x, 1.0)
    maps = [Gaussian.of(x[:, c : c + 1] + normal(40, 1, seed=c + 2), 0.8) for c in range(3)]
    alone = copy_invariant_redundancy(kernel, maps)
    copied = copy_invariant_redundancy(kernel, [*maps, maps[1]])
    own = quadratic_information(kernel, maps[1]).value
    assert float(copied - alone) == pytest.approx(float(own), abs=1e-12)


def test_with_gaussian_kernels_a_copy_sharpens_the_joint() -> None:
    """Why REN's quantity does not rank filters: a copy's kernel is squared."""
    x = normal(60, 4, seed=2)
    grams = torch.stack([gram(Gaussian.of(x[:, c : c + 1], 2.0)) for c in range(4)])
    own = gram(Gaussian.of(x, 2.0))
    alone = float(ren_redundancy(own, grams, 2))
    copied = float(ren_redundancy(own, torch.cat([grams, grams[:1]]), 2))
    information = float(filter_information(own, grams[:1], 2))
    assert abs(copied - alone - information) > 0.05


@pytest.mark.parametrize("alpha", [1.0, 1.01, 2.0])
def test_filters_one_by_one(alpha: float) -> None:
    x = gram(Gaussian.of(normal(30, 2, seed=3), 1.0))
    grams = torch.stack([gram(Gaussian.of(normal(30, 2, seed=s), 1.0)) for s in range(4, 8)])
    expected = [float(mutual_information(x, one, alpha)) for one in grams]
    assert filter_information(x, grams, alpha).tolist() == pytest.approx(expected, abs=1e-12)


def test_dependence_is_normalised_quadratic_information(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = [Gaussian.of(normal(25, 2, seed=s), 1.5) for s in range(4)]
    found = dependence(torch.stack([gram(kernel) for kernel in kernels]))
    for i, first in enumerate(kernels):
        for j, second in enumerate(kernels):
            pair = quadratic_information(first, second)
            expected = float(pair.value / (pair.self_x * pair.self_t).sqrt())
            assert float(found[i, j]) == pytest.approx(expected, abs=1e-10)
    monkeypatch.setattr("infoflow.measures.activations.redundancy.CHUNK", 300)
    again = dependence(torch.stack([gram(kernel) for kernel in kernels]))
    assert torch.allclose(again, found)


def test_what_other_maps_explain() -> None:
    maps = normal(30, 5, 2, 2, seed=4)
    maps[:, 4] = 0.5 * maps[:, 0] + normal(30, 2, 2, seed=5)
    values = maps.transpose(1, 3).reshape(-1, 5).numpy()
    assert unexplained(maps).numpy() == pytest.approx(naive.unexplained(values), rel=1e-9)
    maps[:, 3] = maps[:, 1] - 2 * maps[:, 2]
    found = unexplained(maps)
    assert found[1:4].tolist() == [0, 0, 0]
    assert bool((found[[0, 4]] > 0.1).all())


def test_dead_maps_have_no_figures() -> None:
    maps = normal(20, 3, 4, seed=6)
    maps[:, 1] = 1000.1
    kernels = map_kernels(maps)
    assert kernels.dead.tolist() == [False, True, False]
    found = dependence(kernels.grams)
    assert bool(found[1].isnan().all())
    assert not bool(found[0, [0, 2]].isnan().any())
    assert unexplained(maps).isnan().tolist() == [False, True, False]
    assert correlations(maps)[1].tolist() == [0, 0, 0]


def test_of_a_pair_one_stays() -> None:
    maps = normal(60, 4, 3, seed=7)
    maps = torch.cat([maps, 3 * maps[:, :1]], dim=1)
    kernels = map_kernels(maps)
    found = removals(dependence(kernels.grams), kernels.dead, correlations(maps), 4)
    assert found[0].filter in (0, 4)
    assert found[0].reason == "copy"
    assert found[0].like == 4 - found[0].filter
    assert {one.reason for one in found[1:]} == {"similar"}
    assert len({one.filter for one in found}) == 4


def test_a_linear_combination_is_named() -> None:
    maps = normal(80, 4, 5, seed=8)
    maps[:, 3] = maps[:, 0] + maps[:, 1] - maps[:, 2]
    kernels = map_kernels(maps)
    found = removals(dependence(kernels.grams), kernels.dead, correlations(maps), 2)
    assert [one.reason for one in found] == ["combination", "similar"]


def test_one_filter_always_stays() -> None:
    maps = torch.zeros(9, 3, 2)
    kernels = map_kernels(maps)
    found = removals(dependence(kernels.grams), kernels.dead, correlations(maps), 9)
    assert [one.reason for one in found] == ["dead"] * 3
    maps = normal(9, 3, 2, seed=9)
    kernels = map_kernels(maps)
    assert len(removals(dependence(kernels.grams), kernels.dead, correlations(maps), 9)) == 2


# Planted filters


def images(channels: int, size: int, count: int = 150) -> Tensor:
    """Smooth random pictures, as standardised as a network's inputs are."""
    noise = torch.randn(count, channels, size, size, generator=generator(10))
    smooth = functional.avg_pool2d(noise, 5, stride=1, padding=2)
    return smooth / smooth.std()


def trained(sample: str, network: nn.Module) -> nn.Module:
    if sample.endswith(".pt"):
        stored = torch.load(SAMPLES / sample, weights_only=True)
        stored = stored.get("state_dict", stored)
    else:
        from safetensors.torch import load_file

        stored = load_file(SAMPLES / sample)
    network.load_state_dict(stored)
    return network.eval()


def lenet() -> tuple[nn.Module, nn.Module, Tensor]:
    network = trained("lenet5-mnist.pt", zoo.LeNet5())
    return network, network.get_submodule("conv2"), images(1, 28)


def vgg() -> tuple[nn.Module, nn.Module, Tensor]:
    network = trained("vgg-cifar10.safetensors", zoo.VGGStyle())
    return network, network.get_submodule("features.7"), images(3, 32)


def dense() -> tuple[nn.Module, nn.Module, Tensor]:
    network = trained("deep-fnn-he-init.pt", zoo.deep_fnn_he())
    return network, network.get_submodule("hidden.2"), images(1, 28)


def plant(layer: nn.Module) -> dict[str, tuple[int, int]]:
    """A duplicate, a tripled and a negated copy, each with its original, and a dead filter."""
    planted = {"duplicate": (2, 9), "tripled": (4, 11), "negated": (6, 13)}
    factors = {"duplicate": 1.0, "tripled": 3.0, "negated": -1.0}
    with torch.no_grad():
        for name, (original, copy) in planted.items():
            for parameter in layer.parameters():
                parameter[copy] = factors[name] * parameter[original]
        for parameter in layer.parameters():
            parameter[15] = 0.0
    return planted


@pytest.mark.parametrize("network", [lenet, vgg, dense])
def test_planted_filters_are_found_first(network) -> None:
    model, layer, batch = network()
    planted = plant(layer)
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with hook, torch.no_grad():
        model(batch)
    maps = seen[0].reshape(len(batch), seen[0].shape[1], -1)
    kernels = map_kernels(maps)
    found = removals(dependence(kernels.grams), kernels.dead, correlations(maps), 5)
    assert (found[0].filter, found[0].reason) == (15, "dead")
    assert {one.reason for one in found[1:4]} == {"copy"}
    pairs = {frozenset((one.filter, one.like)) for one in found[1:4]}
    assert pairs == {frozenset(pair) for pair in planted.values()}
    assert found[4].reason == "similar"
    assert found[4].score < 0.999
    assert not math.isnan(found[4].score)
    exact = np.flatnonzero(unexplained(maps).numpy() < 1e-9)
    assert set(exact) == {index for pair in planted.values() for index in pair}
