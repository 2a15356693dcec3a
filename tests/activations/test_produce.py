"""A network run on data: the report's rows against a naive twin, whatever the batches."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infoflow
from infoflow.activations import run
from infoflow.activations.request import ActivationRequest
from infoflow.errors import InfoflowError


class Small(nn.Module):
    """A convolution, a functional ReLU, pooling, a branch with a functional add, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.side = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 8)

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.relu(self.conv(images))
        maps = maps + self.side(maps)
        return self.head(maps.mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def network() -> Small:
    torch.manual_seed(0)
    return Small()


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pictures (48, 8, 8, 3) of floats with 8 classes, as a numpy file."""
    generator = np.random.default_rng(0)
    labels = np.arange(48) % 8
    images = generator.standard_normal((48, 3, 8, 8)).astype(np.float32)
    images += labels[:, None, None, None] / 4
    path = tmp_path_factory.mktemp("arrays") / "set.npz"
    np.savez(path, images=images, labels=labels)
    return f"npz:{path}"


def report_on(network: nn.Module, data: str, **options: object) -> infoflow.Report:
    request = ActivationRequest(data, samples=0, **options)
    return infoflow.analyze(network, measures="paper", data=request, reference="none")


def naive_information(x: np.ndarray, t: np.ndarray) -> float:
    """I₂ without diagonal, σ half the median distance, by loops over pairs."""
    n = len(x)
    kernels = []
    for values in (x.reshape(n, -1), t.reshape(n, -1)):
        squares = [[float(((a - b) ** 2).sum()) for b in values] for a in values]
        pairs = sorted(math.sqrt(squares[i][j]) for i in range(n) for j in range(i))
        middle = len(pairs) // 2
        median = pairs[middle] if len(pairs) % 2 else (pairs[middle - 1] + pairs[middle]) / 2
        kernels.append([[math.exp(-s / (2 * (median / 2) ** 2)) for s in row] for row in squares])
    a, b = kernels
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    joint = sum(a[i][j] ** 2 * b[i][j] ** 2 for i, j in pairs) / len(pairs)
    first = sum(a[i][j] ** 2 for i, j in pairs) / len(pairs)
    second = sum(b[i][j] ** 2 for i, j in pairs) / len(pairs)
    return math.log2(joint / (first * second))


def test_information_and_batch_entropy_equal_a_naive_twin(network: Small, arrays: str) -> None:
    report = report_on(network, arrays)
    images = np.load(arrays.partition(":")[2])["images"]
    with torch.no_grad():
        before = network.conv(torch.from_numpy(images)).double().numpy()
    after = np.maximum(before, 0)
    row = report.row("conv.relu", "mutual-information.input")
    assert row is not None
    assert row.value == pytest.approx(naive_information(images.astype(float), after), abs=1e-6)
    entropy = np.mean(0.5 * np.log1p(2 * math.pi * math.e * after.reshape(48, -1).var(axis=0)))
    found = report.row("conv.relu", "batch-entropy")
    assert found is not None
    assert found.value == pytest.approx(entropy, rel=1e-6)
    dead = report.row("conv.relu", "dead-neurons", "count")
    assert dead is not None
    assert dead.value == (after.reshape(48, -1).max(axis=0) == 0).sum()


def test_no_figure_depends_on_the_batch_size(network: Small, arrays: str) -> None:
    one, other = (report_on(network, arrays, batch_size=size) for size in (7, 48))
    assert len(one.measurements) == len(other.measurements)
    for a, b in zip(one.measurements, other.measurements, strict=True):
        assert (a.layer, a.measure, a.statistic) == (b.layer, b.measure, b.statistic)
        assert (a.value is None) == (b.value is None), a
        if a.value is not None:
            assert a.value == pytest.approx(b.value, rel=1e-4, abs=1e-5), a


def test_passes_give_the_same_figures(
    network: Small, arrays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = report_on(network, arrays)
    planned = run.plan

    def one_site_a_pass(sizes, samples, budget, **options):
        found = planned(sizes, samples, budget, **options)
        return replace(found, passes=tuple((size.site,) for size in sizes))

    monkeypatch.setattr(run, "plan", one_site_a_pass)
    tight = report_on(network, arrays)
    assert "passes" in tight.settings["gathered"]
    assert len(whole.measurements) == len(tight.measurements)
    for row in whole.measurements:
        other = tight.row(row.layer, row.measure, row.statistic)
        assert other is not None
        assert other.value == (None if row.value is None else pytest.approx(row.value, rel=1e-4))


def test_the_branch_is_off_the_chain_with_its_reason(network: Small, arrays: str) -> None:
    report = report_on(network, arrays)
    sites = {site.name: site for site in report.sites}
    assert sites["conv.relu"].on_chain
    assert not sites["side.0"].on_chain
    assert "leads around it" in sites["side.0"].note
    assert report.row("side.0", "data-processing.input") is None
    assert report.row("conv.relu", "data-processing.input") is not None


def test_the_module_is_left_as_it_was(network: Small, arrays: str) -> None:
    network.train()
    before = {name: one.clone() for name, one in network.state_dict().items()}
    state = torch.get_rng_state()
    report_on(network, arrays)
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert all(p.grad is None and p.dtype == torch.float32 for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    for name, one in network.state_dict().items():
        assert torch.equal(one, before[name])


def test_nan_activations_name_the_site_and_the_first_sample(network: Small, arrays: str) -> None:
    class Broken(Small):
        def forward(self, images: Tensor) -> Tensor:
            images = torch.where(images > 2.5, torch.nan, images)  # some samples have such a pixel
            return super().forward(images)

    images = np.load(arrays.partition(":")[2])["images"]
    first = int((images > 2.5).any(axis=(1, 2, 3)).nonzero()[0][0]) + 1
    with pytest.raises(InfoflowError, match=rf"conv are NaN or infinite from sample {first} on"):
        report_on(Broken(), arrays)


def test_constant_activations_say_so(network: Small, arrays: str) -> None:
    still = Small()
    nn.init.zeros_(still.conv.weight)
    report = report_on(still, arrays)
    row = report.row("conv.relu", "mutual-information.input")
    assert row is not None
    assert row.value == 0
    assert row.note.startswith("constant")
    step = report.row("head", "data-processing.input")
    assert step is not None
    assert step.note.startswith("cannot be told")
    assert any(finding.rule == "untrainable" for finding in report.findings)


def test_unknown_words_are_refused(network: Small, arrays: str) -> None:
    with pytest.raises(InfoflowError, match="No bandwidth rule is called 'medium'"):
        report_on(network, arrays, sigma="medium")
    with pytest.raises(InfoflowError, match="device"):
        report_on(network, arrays, device="cuda:77")
    with pytest.raises(InfoflowError, match="No precision is called"):
        report_on(network, arrays, precision="float31")


def test_sigma_by_alignment_and_ignored_labels(network: Small, arrays: str, tmp_path) -> None:
    report = report_on(network, arrays, sigma="alignment")
    row = report.row("conv.relu", "mutual-information.input")
    assert row is not None
    assert "alignment" in row.method
    held = np.load(arrays.partition(":")[2])
    labels = held["labels"].copy()
    labels[3] = -100
    np.savez(tmp_path / "some.npz", images=held["images"], labels=labels)
    some = report_on(network, f"npz:{tmp_path / 'some.npz'}")
    assert some.row("conv.relu", "mutual-information.label") is None
    assert some.row("", "accuracy") is not None


def test_the_input_size_that_was_asked_for_is_the_datas() -> None:
    ten = Small()
    ten.head = nn.Linear(4, 10)
    report = infoflow.analyze(
        ten, measures="paper", data=ActivationRequest("shapes", samples=16),
        input_size=12, reference="none",
    )  # fmt: skip
    assert report.sites[0].shape == (4, 12, 12)


def test_kernels_that_exceed_the_budget_are_refused_with_one_that_works(
    network: Small, arrays: str
) -> None:
    with pytest.raises(InfoflowError, match=r"need .*: give --mem-budget that much") as refused:
        report_on(network, arrays, memory=10**6)
    needed = re.search(r"need ([\d.]+) MB", str(refused.value))
    assert needed is not None
    tight = report_on(network, arrays, memory=round(float(needed[1]) * 10**6))
    assert tight.sites


class Full(nn.Module):
    """A network for whose activations an accelerator has no room, as it would say it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        # Not attributes: those are put back after each run.
        self.state = {"started": False, "full": True}

    def forward(self, images: Tensor) -> Tensor:
        # Fewer, or without error signals, are a first look.
        self.state["started"] |= len(images) > 4 and torch.is_grad_enabled()
        if all(self.state.values()):
            self.state["full"] = len(images) > 1  # another device would have room
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(images)


def test_a_full_device_makes_pieces_smaller_and_then_leaves_the_work_to_the_cpu(
    network: Small, arrays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "device_of", lambda name: torch.device("cpu"))
    said: list[str] = []
    request = ActivationRequest(arrays, samples=0, device="cuda")
    report = infoflow.analyze(
        Full(network), measures="paper", data=request, reference="none", telling=said.append
    )
    assert report.data is not None
    words = "cuda has too little memory for a single sample: the network ran on the CPU."
    assert report.data.notes[0] == words
    assert words in said
    assert report.sites


def test_on_the_cpu_too_little_memory_is_one_sentence(network: Small, arrays: str) -> None:
    with pytest.raises(InfoflowError, match="does not suffice to run a single sample"):
        report_on(Full(network), arrays)
