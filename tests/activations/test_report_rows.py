"""The rows of budget, neighbours, presets, errors and orders are those of the functions."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infoflow
from infoflow.activations.chains import WORDS, order_row
from infoflow.activations.choosing import chosen_sites
from infoflow.activations.error_chain import error_variables
from infoflow.activations.information import Information, Variant
from infoflow.activations.outputs import ends, rows
from infoflow.activations.request import ActivationRequest
from infoflow.activations.rows import number
from infoflow.capture import Site
from infoflow.data import Data, of_one_input
from infoflow.errors import InfoflowError
from infoflow.kernels import squared_distances
from infoflow.measures.activations.batch_entropy import batch_entropy
from infoflow.measures.activations.neighbours import unit_entropies
from infoflow.measures.activations.presets import preset
from infoflow.measures.activations.renyi import mutual_information
from infoflow.measures.outputs.stream import OutputStream
from infoflow.statistics.moments import Moments
from tests.activations.drawing import normal


class Flow(nn.Module):
    """Square maps, a normalisation, and nonlinearities that can be inverted."""

    def __init__(self, more: float = 1.0) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.norm, self.leaky = nn.BatchNorm1d(6), nn.LeakyReLU(0.3)
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x)) * self.more
        return self.second(self.leaky(self.norm(x)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("flow") / "set.npz"
    values = np.random.default_rng(0).standard_normal((60, 6)).astype(np.float32)
    np.savez(path, images=values, labels=np.arange(60) % 6)
    return f"npz:{path}"


def flow(more: float = 1.0) -> Flow:
    torch.manual_seed(0)
    return Flow(more)


def report_on(module: nn.Module, data: str, **options: object) -> infoflow.Report:
    request = ActivationRequest(data, samples=0, **options)
    return infoflow.analyze(module, measures="paper", data=request, reference="none")


def value(report: infoflow.Report, *row: str) -> float:
    found = report.row(*row)
    assert found is not None
    assert found.value is not None, found
    return found.value


def test_the_budget_of_an_invertible_network_is_its_jacobians(data: str) -> None:
    report = report_on(flow(), data, precision="float64")
    whole = value(report, "", "entropy-budget")
    assert whole == pytest.approx(value(report, "", "entropy-budget", "jacobian"), abs=1e-9)
    assert value(report, "", "entropy-budget", "difference") < 1e-9
    sites = [value(report, site.name, "entropy-budget") for site in report.sites]
    assert whole == pytest.approx(sum(sites), abs=1e-9)
    kinds = ("weight", "normalisation", "activation")
    assert whole == pytest.approx(sum(value(report, "", "entropy-budget", k) for k in kinds))
    weight = torch.linalg.slogdet(flow().first.weight.double()).logabsdet
    assert value(report, "first", "entropy-budget") == pytest.approx(weight.item())


def test_a_network_that_does_more_than_its_sites_says_so(data: str) -> None:
    report = report_on(flow(more=2.0), data, precision="float64")
    row = report.row("", "entropy-budget", "difference")
    assert row is not None
    assert row.value == pytest.approx(6 * math.log(2))
    assert "more than its sites" in row.note


def test_a_network_without_a_budget_has_reasons(data: str) -> None:
    report = report_on(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 6)), data)
    notes = [row.note for row in report.measurements if row.measure == "entropy-budget"]
    assert any("6 values become 8" in note for note in notes)
    assert any("ReLU maps all negative values to 0" in note for note in notes)


def test_neighbours_beside_the_gaussian_and_each_unit(data: str) -> None:
    module = flow().eval()
    report = report_on(module, data, precision="float64")
    images = torch.from_numpy(np.load(data.partition(":")[2])["images"]).double()
    with torch.no_grad():
        values = flow().double().first(images)
    found = value(report, "first", "nearest-neighbour-entropy")
    assert found == pytest.approx(float(unit_entropies(values).mean()), abs=1e-9)
    moments = Moments.of(values)
    raw = batch_entropy(moments.variance, 60, "raw")
    gaussian = value(report, "first", "nearest-neighbour-entropy", "gaussian")
    assert gaussian == pytest.approx(float(raw.mean()), abs=1e-9)
    series = next(
        one for one in report.series if (one.layer, one.name) == ("first", "batch-entropy.units")
    )
    assert series.values == pytest.approx(batch_entropy(moments.variance, 60).tolist(), rel=1e-4)


@pytest.mark.parametrize("name", ["tapia", "ren", "ipdl"])
def test_the_papers_functional_follows_a_preset(data: str, name: str) -> None:
    report = report_on(flow(), data, precision="float64", preset=name)
    arrays = np.load(data.partition(":")[2])
    images, labels = torch.from_numpy(arrays["images"]).double(), torch.from_numpy(arrays["labels"])
    with torch.no_grad():
        values = flow().double().first(images)
    known = preset(name)
    expected = float(known.information([images], [values], labels))
    row = report.row("first", "mutual-information.input", "papers")
    assert row is not None
    assert row.value == pytest.approx(expected, abs=1e-9)
    assert f"preset {name}" in row.method
    assert known.label in row.method


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, math.inf])
def test_any_order(data: str, alpha: float) -> None:
    report = report_on(flow(), data, precision="float64", alpha=alpha, sigma=1.5)
    images = torch.from_numpy(np.load(data.partition(":")[2])["images"]).double()
    with torch.no_grad():
        values = flow().double().first(images)
    x, t = (torch.exp(-squared_distances(one) / (2 * 1.5**2)) for one in (images, values))
    found = value(report, "first", "mutual-information.input", "papers")
    assert found == pytest.approx(float(mutual_information(x, t, alpha)), abs=1e-9)


def test_unknown_presets_and_orders_are_refused(data: str) -> None:
    with pytest.raises(InfoflowError, match="No preset is called 'none'; there are ren"):
        report_on(flow(), data, preset="none")
    with pytest.raises(InfoflowError, match="must be positive"):
        report_on(flow(), data, alpha=0.0)


def test_standardised_features_hide_no_coordinate(data: str) -> None:
    module = flow()
    with torch.no_grad():
        module.first.weight[0] *= 1e4
        module.first.bias[0] *= 1e4
    plain, same = (report_on(module, data, standardise=one) for one in (False, True))
    base = report_on(flow(), data, standardise=True)
    row = ("first", "mutual-information.input")
    assert value(same, *row) == pytest.approx(value(base, *row), abs=1e-4)
    assert abs(value(plain, *row) - value(base, *row)) > 0.05
    method = same.row(*row)
    assert method is not None
    assert "standardised" in method.method


EVERY = slice(0, 30)


def test_error_signals_by_direction_magnitude_and_as_they_are() -> None:
    errors = normal(30, 7, seed=3) * torch.logspace(-8, 2, 30).double()[:, None]
    found = error_variables("δ", errors, 1.0, None, len(errors))
    naive = (errors[:, None] - errors[None]).square().sum(dim=2)
    raw = found.forms["error.raw"][0].kernel.distances.tile(EVERY, EVERY)
    assert torch.allclose(raw, naive, rtol=1e-9, atol=0)
    logs = errors.norm(dim=1).log()
    magnitude = found.forms["error.magnitude"][0].kernel.distances.tile(EVERY, EVERY)
    assert torch.allclose(magnitude, (logs[:, None] - logs[None]).square(), atol=1e-9)
    errors[4] = 0
    silent = error_variables("δ", errors, 1.0, None, len(errors))
    assert silent.silent == 1
    assert "error.magnitude" not in silent.forms


def test_each_error_chain_has_steps_and_the_main_ones_an_order(data: str) -> None:
    report = report_on(flow(), data)
    last = report.sites[-2].name
    for form in ("error", "error.magnitude", "error.raw"):
        row = report.row(last, f"data-processing.{form}")
        assert row is not None
        assert row.note.split(":")[0] in {"falls", "rises", "cannot be told"}
    for chain in ("input", "label", "error"):
        row = report.row("", f"data-processing.{chain}", "order")
        assert row is not None
        assert row.value is not None
        assert -1 <= row.value <= 1
        assert row.note.startswith("the order of sites")
    third = report.row("first", "mutual-information.input", "third-1")
    assert third is not None
    assert "n = 20" in third.method


def test_outputs_of_which_none_counts_are_refused() -> None:
    stream = OutputStream()
    stream.add(torch.zeros(4, 3, 5), torch.full((4, 5), -100))
    data = Data("mine", "", 4, None, "segmentation", "x", lambda a, b: of_one_input(torch.zeros(4)))
    with pytest.raises(InfoflowError, match="mine: no position of any sample counts"):
        list(rows(stream.outputs(), data))


def test_what_is_infinite_says_so() -> None:
    notes = [
        number("", "perplexity", "value", value, note="n").note for value in (math.inf, -math.inf)
    ]
    assert notes == ["∞: n", "−∞: n"]
    assert number("", "perplexity", "value", math.nan).note == "it does not exist here"


def test_equal_sites_and_sites_without_a_number_do_not_change_an_order() -> None:
    def site(ratio: float) -> Information:
        stability = {name: Variant(ratio, ratio, "") for name in WORDS}
        given = {"ratio": SimpleNamespace(value=ratio), "stability": stability}
        return cast(Information, SimpleNamespace(**given))

    ratios = {"first": 1.0, "copy": 1.0, "constant": math.nan, "last": 0.5}
    (row,) = order_row("input", [(name, site(ratio)) for name, ratio in ratios.items()])
    assert (row.value, row.note) == (1.0, "the order of sites is the same")
    assert "3 sites" in row.method
    assert not list(order_row("input", [("a", site(math.nan)), ("b", site(1.0))]))


def test_a_huge_width_is_saturated(data: str) -> None:
    row = report_on(flow(), data, sigma=1e6).row("first", "mutual-information.input")
    assert row is not None
    assert row.note.startswith("saturated")


def test_intervals_of_what_is_never_negative_stay_above_zero() -> None:
    few = torch.cat([torch.full((99,), 1e-6), torch.tensor([3.0])]).double()
    low, high = ends(few)
    assert 0 < low < float(few.mean()) < high
    assert ends(torch.zeros(5).double()) == (0, 0)
    even = 5 + 0.01 * normal(400, seed=4)
    half = 1.96 * float(even.std()) / 20
    assert ends(even) == pytest.approx(
        (float(even.mean()) - half, float(even.mean()) + half), rel=1e-4
    )


def test_patterns_of_layers_take_their_sites() -> None:
    sites = [
        Site("conv1", "Conv2d", 1, "linear map"),
        Site("conv1.relu", "relu", 1, "nonlinearity"),
        Site("conv10", "Conv2d", 1, "linear map"),
        Site("pool", "MaxPool2d", 1, "pooling"),
        Site("pool#2", "MaxPool2d", 2, "pooling"),
    ]
    taken = [[s.name for s in chosen_sites(sites, p)] for p in (["conv1"], ["pool"], ["!pool*"])]
    assert taken == [["conv1", "conv1.relu"], ["pool", "pool#2"], ["conv1", "conv1.relu", "conv10"]]
    with pytest.raises(InfoflowError, match="No activations match none"):
        chosen_sites(sites, ["none"])
