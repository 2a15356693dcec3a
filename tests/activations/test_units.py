"""Batch-entropy, dead and saturated units, collapse, nearest neighbours."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from infoflow.errors import EstimateError
from infoflow.measures.activations.batch_entropy import CONVENTIONS, batch_entropy
from infoflow.measures.activations.collapse import collapse, first_collapse
from infoflow.measures.activations.neighbours import joint_entropy, unit_entropies
from infoflow.measures.activations.neurons import NeuronCounts, share
from infoflow.statistics.moments import Moments
from tests.activations import naive
from tests.activations.drawing import generator, normal

GAUSSIAN = 0.5 * math.log(2 * math.pi * math.e)


def test_conventions_are_their_formulas() -> None:
    x = normal(37, 5, seed=1)
    moments = Moments.of(x)
    found = {name: batch_entropy(moments.variance, 37, name).mean() for name in CONVENTIONS}
    population, unbiased = x.var(dim=0, correction=0), x.std(dim=0)
    paper = 0.5 * torch.log(2 * math.pi * math.e * population + 1)
    code = 0.5 * torch.log(math.pi * math.e * unbiased**2 + 1)
    assert float(found["paper"]) == pytest.approx(float(paper.mean()))
    assert float(found["code-fnn"]) == pytest.approx(float(code.mean()))
    assert found["code-resnet"] == found["code-fnn"]
    raw = (GAUSSIAN + population.sqrt().log()).mean()
    assert float(found["raw"]) == pytest.approx(float(raw))


def test_quiet_units() -> None:
    tiny = torch.tensor([1e-9], dtype=torch.float32)
    assert float(batch_entropy(tiny, 10)) == pytest.approx(math.pi * math.e * 1e-9, rel=1e-6)
    assert float(batch_entropy(torch.zeros(1), 10)) == 0
    assert float(batch_entropy(torch.zeros(1), 10, "raw")) == -math.inf
    assert math.isnan(float(batch_entropy(torch.zeros(1), 1, "code-fnn")))


def test_batch_entropy_is_differentiable() -> None:
    x = normal(7, 3, seed=2).requires_grad_()
    for name in CONVENTIONS:

        def layer(v: torch.Tensor, name: str = name) -> torch.Tensor:
            return batch_entropy(Moments.of(v).variance, len(v), name).mean()

        assert torch.autograd.gradcheck(layer, x)


def test_unknown_conventions_are_refused() -> None:
    with pytest.raises(EstimateError, match=r"'fnn'.*code-fnn"):
        batch_entropy(torch.ones(1), 2, "fnn")


def test_saturated_units() -> None:
    x = torch.zeros(100, 4)
    x[:, 1] = 1.0
    x[0, 2] = 0.5
    x[:, 3] = 0.5
    found = NeuronCounts.of(x[:30], (0, 1)).merged(NeuronCounts.of(x[30:], (0, 1)))
    assert found.saturated.tolist() == [True, True, True, False]
    assert share(found.saturated) == 0.75


def deep(initialise: bool, depth: int = 30, width: int = 100) -> list[Moments]:
    """Moments of the ReLU layers of a deep network at its initialisation."""
    torch.manual_seed(3)
    x = torch.randn(64, width, generator=generator(3))
    layers = []
    for _ in range(depth):
        linear = nn.Linear(width, width)
        if initialise:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            x = torch.relu(linear(x))
        layers.append(Moments.of(x))
    return layers


def test_thirty_layers_collapse_with_torchs_initialisation_only() -> None:
    default, he = deep(False), deep(True)
    place = first_collapse(default)
    assert place is not None
    assert 3 <= place < 15
    assert collapse(default[place]) == "nearly collapsed"
    assert collapse(default[-1]) == "collapsed"
    assert first_collapse(he) is None


def test_equal_activations_are_collapsed() -> None:
    assert collapse(Moments.of(torch.full((9, 4), 3.0))) == "collapsed"
    assert collapse(Moments.of(torch.zeros(9, 4))) == "collapsed"
    assert first_collapse([]) is None


# Nearest neighbours


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_neighbours_are_the_naive_ones(neighbours: int) -> None:
    x = normal(30, 4, seed=4)
    expected = [naive.nearest_neighbour_entropy(x[:, u].numpy(), neighbours) for u in range(4)]
    assert unit_entropies(x, neighbours).tolist() == pytest.approx(expected)
    assert joint_entropy(x[:, 0], neighbours) == pytest.approx(expected[0])


def test_neighbours_on_known_densities() -> None:
    scales = torch.tensor([1.0, 3.0], dtype=torch.float64)
    found = unit_entropies(normal(4000, 2, seed=5) * scales)
    assert found.tolist() == pytest.approx([GAUSSIAN, GAUSSIAN + math.log(3)], abs=0.06)
    uniform = torch.rand(4000, 1, generator=generator(6), dtype=torch.float64)
    assert float(unit_entropies(2 * uniform)) == pytest.approx(math.log(2), abs=0.06)
    pair = normal(4000, 2, seed=7) * scales
    assert joint_entropy(pair) == pytest.approx(2 * GAUSSIAN + math.log(3), abs=0.08)


def test_ties_have_no_density() -> None:
    sparse = torch.relu(normal(50, 1, seed=8))
    assert float(unit_entropies(sparse)) == -math.inf
    assert joint_entropy(torch.zeros(10, 2)) == -math.inf


def test_few_samples_are_refused() -> None:
    for function in (unit_entropies, joint_entropy):
        with pytest.raises(EstimateError, match="3 neighbours need 4 samples"):
            function(torch.zeros(3, 1))


def test_neighbours_are_differentiable() -> None:
    assert torch.autograd.gradcheck(unit_entropies, normal(8, 2, seed=9).requires_grad_())
