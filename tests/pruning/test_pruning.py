"""Choosing filters, making them dead, and measuring what that costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infoflow.data import of_one_input, open_data
from infoflow.data.data import Data
from infoflow.errors import DataError, SelectionError
from infoflow.measures.outputs.reading import reading_of
from infoflow.models import trial
from infoflow.pruning.convolutions import Convolution, convolutions, silence
from infoflow.pruning.effect import Measured, measure, of_draws, of_one, of_whole
from infoflow.pruning.ranking import Candidate, by_lot, by_norm, choose, lot_in_layers
from infoflow.statistics.proportion import proportion

LAYERS = (Convolution("a", 4), Convolution("b", 6))


def measured(module, data, size):
    reading = reading_of(trial(module, data))[1]
    return measure(module, data, reading, batch_size=size, prepare=lambda batch: batch)


def orders(**scores: list[float]):
    return {
        name: iter([Candidate(name, i, score, "norm") for i, score in enumerate(found)])
        for name, found in scores.items()
    }


def test_the_best_of_all_layers_goes_next() -> None:
    found = choose(
        orders(a=[0.9, 0.2, 0.1], b=[math.inf, 0.5, 0.8, 0.7, 0.6]), LAYERS, 0.5, across_layers=True
    )
    # Of b the second comes before the third, whose score is higher: it was ranked after it.
    assert [(one.layer, one.filter) for one in found] == [
        ("b", 0), ("a", 0), ("b", 1), ("b", 2), ("b", 3),
    ]  # fmt: skip


def test_a_share_of_each_layer() -> None:
    found = choose(orders(a=[1, 1, 1], b=[0, 0, 0, 0, 0]), LAYERS, 0.5, across_layers=False)
    assert [one.layer for one in found] == ["a"] * 2 + ["b"] * 3


@pytest.mark.parametrize("across_layers", [True, False])
def test_one_filter_of_each_layer_stays(across_layers: bool) -> None:
    found = choose(by_lot(LAYERS, 3), LAYERS, 0.99, across_layers=across_layers)
    assert [sum(one.layer == layer.name for one in found) for layer in LAYERS] == [3, 5]


def test_lots_are_seeded_and_differ() -> None:
    draws = [choose(by_lot(LAYERS, seed), LAYERS, 0.4, across_layers=True) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert {(one.layer, one.filter) for one in draws[0]} != {
        (one.layer, one.filter) for one in draws[2]
    }


def test_a_lot_in_given_layers() -> None:
    found = lot_in_layers(LAYERS, {"b": 4}, 0)
    assert [one.layer for one in found] == ["b"] * 4
    assert len({one.filter for one in found}) == 4


def test_by_the_norm_over_the_layers_mean() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 5, 1))
    layers = (Convolution("0", 3), Convolution("1", 5))
    found = choose(by_norm(module, layers), layers, 0.5, across_layers=True)
    expected = []
    for name in ("0", "1"):
        norms = module.get_submodule(name).weight.detach().double().numpy()
        norms = np.abs(norms).reshape(len(norms), -1).sum(axis=1)
        expected += [(norm / norms.mean(), name, i) for i, norm in enumerate(norms)]
    assert [(one.layer, one.filter) for one in found] == [one[1:] for one in sorted(expected)[:4]]


class Network(nn.Module):
    """Norms of every kind after convolutions, and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.scaled = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.bare = nn.BatchNorm2d(4, affine=False)
        self.third = nn.Conv2d(4, 4, 1, groups=2)
        self.grouped = nn.GroupNorm(2, 4)
        self.last = nn.Conv2d(4, 2, 1)
        self.unused = nn.Conv2d(9, 9, 1)
        for norm in (self.scaled, self.bare):
            nn.init.normal_(norm.running_mean)
        for norm in (self.scaled, self.grouped):
            nn.init.normal_(norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        first = self.scaled(self.first(x)).relu()
        second = self.bare(self.second(first))
        return self.last(self.grouped(self.third(second)) + first).mean((2, 3))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(1)
    return Network().eval()


def test_the_norm_after_each_convolution(network: nn.Module) -> None:
    found = convolutions(network, of_one_input(torch.randn(2, 3, 5, 5)), ())
    assert [(one.name, one.filters, one.norms) for one in found] == [
        ("first", 4, ("scaled",)),
        ("second", 4, ("bare",)),
        ("third", 4, ("grouped",)),
        ("last", 2, ()),
    ]
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def test_dead_filters_give_zero_for_every_input(network: nn.Module) -> None:
    batch = of_one_input(torch.randn(2, 3, 5, 5))
    layers = convolutions(network, batch, ())
    outputs: dict[str, Tensor] = {}
    for name in ("scaled", "bare", "grouped", "last"):
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: outputs.__setitem__(name, output)
        )
    whole = {name: output.clone() for name, output in (batch.call(network), outputs)[1].items()}
    silence(network, layers, {"first": [1], "second": [0, 2], "third": [3], "last": [1]})
    batch.call(network)
    for name, dead in {"scaled": [1], "bare": [0, 2], "grouped": [3], "last": [1]}.items():
        assert bool((outputs[name][:, dead] == 0).all())
        assert not bool((whole[name][:, dead] == 0).all())
    alive = [0, 2, 3]
    assert torch.equal(outputs["scaled"][:, alive], whole["scaled"][:, alive])


def test_patterns_choose_convolutions(network: nn.Module) -> None:
    batch = of_one_input(torch.randn(2, 3, 5, 5))
    assert [one.name for one in convolutions(network, batch, ("*ir*", "!third"))] == ["first"]
    with pytest.raises(SelectionError, match=r"No convolution matches 'frist'; nearest: 'first'"):
        convolutions(network, batch, ("frist",))
    with pytest.raises(SelectionError, match="leave no convolution"):
        convolutions(network, batch, ("first", "!f*"))
    with pytest.raises(SelectionError, match="no convolution with a weight"):
        convolutions(nn.Sequential(nn.Flatten(), nn.Linear(75, 2)), batch, ())


def test_the_loss_is_that_of_the_samples(network: nn.Module) -> None:
    data = replace(open_data("shapes", samples=20), classes=None)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    with torch.no_grad():
        whole = data.first(20)
        logits = module(whole.x)
        expected = nn.functional.cross_entropy(logits.double(), whole.targets, reduction="none")
    for size in (7, 20):
        found = measured(module, data, size)
        assert found.losses.tolist() == pytest.approx(expected.tolist(), abs=1e-6)
        assert found.accuracy is not None
        assert found.accuracy.count == int((logits.argmax(1) == whole.targets).sum())


def test_of_numbers_half_the_squared_error() -> None:
    x, y = torch.randn(6, 3), torch.randn(6, 2)
    data = Data(
        "numbers", "Six.", 6, None, "regression", "x", lambda a, b: of_one_input(x[a:b], y[a:b])
    )
    module = nn.Linear(3, 2)
    found = measured(module, data, 4)
    expected = 0.5 * (module(x) - y).square().sum(dim=1)
    assert found.losses.tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert found.accuracy is None
    with pytest.raises(DataError, match="no labels or other targets"):
        measured(module, replace(data, task="none"), 4)


def test_changes_are_paired_and_draws_averaged() -> None:
    generator = np.random.default_rng(0)
    losses = generator.exponential(size=50)
    whole = Measured(torch.tensor(losses), proportion(40, 50))
    after = losses + generator.normal(0.5, 0.1, 50)
    one = of_one("norm", 3, whole, Measured(torch.tensor(after), proportion(35, 50)))
    difference = after - losses
    half = 2.009575 * difference.std(ddof=1) / math.sqrt(50)
    assert one.change.value == pytest.approx(difference.mean())
    assert one.change.low == pytest.approx(difference.mean() - half, abs=1e-6)
    draws = [(s, Measured(torch.tensor(losses + s), proportion(40 - s, 50))) for s in range(5)]
    drawn = of_draws("random", 3, whole, draws)
    assert drawn.change.value == pytest.approx(2)
    assert (drawn.change.low, drawn.change.high) == (pytest.approx(0), pytest.approx(4))
    assert (drawn.accuracy.low, drawn.accuracy.high) == (0.72, 0.8)
    assert (drawn.accuracy.ends, one.change.ends) == ("least and greatest", "95 % interval")
    assert drawn.accuracy.value == pytest.approx(0.76)
    assert [seed for seed, _, _ in drawn.seeds] == [0, 1, 2, 3, 4]


def test_an_infinite_loss_is_no_number() -> None:
    whole = Measured(torch.ones(4, dtype=torch.float64), None)
    broken = Measured(torch.tensor([1, 2, math.inf, 1], dtype=torch.float64), None)
    found = of_one("norm", 1, whole, broken)
    assert (found.loss.value, found.change.value, found.change.low) == (None, None, None)
    assert found.note == "loss is infinite for 1 of 4 samples"


def test_a_loss_that_is_not_a_number_is_said() -> None:
    whole = Measured(torch.ones(4, dtype=torch.float64), proportion(4, 4))
    broken = replace(whole, losses=torch.tensor([1, math.nan, math.nan, 1], dtype=torch.float64))
    assert of_one("norm", 1, whole, broken).note == "loss is not a number for 2 of 4 samples"
    drawn = of_draws("random", 1, whole, [(0, whole), (1, broken)])
    assert drawn.loss.value is None
    assert drawn.seeds == ((0, 1.0, 1.0), (1, None, 1.0))
    assert drawn.note == "seed 1: loss is not a number for 2 of 4 samples"
    with pytest.raises(DataError, match=r"unpruned network's loss is not a number for 2 of 4"):
        of_whole(broken)


def test_samples_without_a_target_are_counted_and_not_taken_for_broken() -> None:
    x, labels = (
        torch.randn(5, 3, 2),
        torch.tensor([[0, 1], [-100, -100], [2, -100], [1, 1], [0, 0]]),
    )
    data = Data(
        "pixels", "Five.", 5, None, "segmentation", "x",
        lambda a, b: of_one_input(x[a:b], labels[a:b]),
    )  # fmt: skip
    found = measured(nn.Identity(), data, 2)
    assert (len(found.losses), found.without) == (4, 1)
    x[0] = math.nan
    found = measured(nn.Identity(), data, 2)
    assert int(found.losses.isnan().sum()) == 1
