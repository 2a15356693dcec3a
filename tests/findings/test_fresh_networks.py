"""Networks as they are built, of usual designs: nothing of what is said only of trained ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoflow import analyze
from infoflow.findings import find
from infoflow.findings.depth import after_scales, in_repeated_blocks, works_beside_others
from infoflow.layers import Layer
from infoflow.report import Coverage, Report, Status, TensorRecord
from tests.cases import SAMPLES
from tests.findings.building import dense, draw, record, report_of

DEFAULT = 1 / math.sqrt(3)
"""Gain of torch's default initialisation, of variance 1/(3·fan_in)."""


def fired(report: Report, rule: str) -> bool:
    return any(finding.rule == rule for finding in report.findings)


def looked_at(source: Any, measures: str) -> Report:
    return analyze(source, measures=measures, complete=False)


# Signals that do not collapse


def orthogonal(seed: int) -> np.ndarray[Any, Any]:
    return np.linalg.qr(draw(32, 32, seed=seed).astype(float))[0].astype(np.float32)


def vector(name: str, dtype: str = "float32", reason: str = "a vector: scales or shifts") -> Any:
    return TensorRecord(name, (24,), dtype, 24, Status.NOT_LINEAR, reason)


def in_order(layers: Sequence[Layer], vectors: Callable[[int], Sequence[TensorRecord]]) -> Report:
    """A report whose coverage has some vectors before each layer."""
    report = report_of(layers, "signal-gain")
    tensors = [one for i, layer in enumerate(layers) for one in (*vectors(i), record(layer))]
    report = replace(report, coverage=Coverage(tuple(tensors)))
    return replace(report, findings=find(report))


def test_orthogonal_tanh_networks_do_not_collapse() -> None:
    layers = [dense(orthogonal(i), f"net.{2 * i}") for i in range(100)]
    assert not fired(report_of(layers, "signal-gain"), "signal-collapse")


def test_selu_networks_with_lecuns_initialisation_do_not_collapse() -> None:
    layers = [dense(draw(32, 32, seed=i, gain=1), f"net.{2 * i}") for i in range(100)]
    assert not fired(report_of(layers, "signal-gain"), "signal-collapse")


@pytest.mark.parametrize(
    "names", [("fc1", "fc2"), ("0", "2"), ("mlp.up", "mlp.down"), ("net.0", "net.1", "net.2")]
)
def test_residual_networks_do_not_collapse(names: tuple[str, ...]) -> None:
    layers = [dense(draw(8, 24), "stem")]
    for i in range(40):
        for j, name in enumerate(names):
            layers.append(dense(draw(24, 24, seed=10 * i + j, gain=DEFAULT), f"blocks.{i}.{name}"))
    layers.append(dense(draw(10, 24), "head"))
    report = report_of(layers, "signal-gain")
    assert in_repeated_blocks(report) == {layer.name for layer in layers[1:-1]}
    assert not fired(report, "signal-collapse")


@pytest.mark.parametrize("name", ["hidden.{}", "net.{}.linear", "fc{}", "0.{}"])
def test_plain_stacks_do(name: str) -> None:
    layers = [dense(draw(24, 24, seed=i, gain=DEFAULT), name.format(i)) for i in range(31)]
    report = report_of(layers, "signal-gain")
    assert not in_repeated_blocks(report)
    assert fired(report, "signal-collapse")


def test_two_halves_of_a_plain_network_are_no_repeated_blocks() -> None:
    layers = [
        dense(draw(24, 24, seed=i, gain=DEFAULT), f"{half}.{2 * i}")
        for half in range(2)
        for i in range(16)
    ]
    assert fired(report_of(layers, "signal-gain"), "signal-collapse")


@pytest.mark.parametrize(
    ("made", "collapses"),
    [
        (vector("{}.scale"), False),
        (vector("norms.{}.weight"), False),
        (vector("{}.g", "bfloat16", "parameter 'g' of RMS"), False),
        (vector("{}.bias", reason="bias: adds a constant, which changes no entropy"), True),
        (vector("{}.shift"), True),
        (vector("{}.order", "int64", "int64 buffer: indices, masks or counters"), True),
        (vector("{}.weight", reason="slope of a PReLU"), True),
    ],
)
def test_a_vector_that_may_be_a_scale_ends_a_run(made: TensorRecord, collapses: bool) -> None:
    layers = [dense(draw(24, 24, seed=i, gain=DEFAULT), f"fc{i}") for i in range(40)]
    report = in_order(layers, lambda i: [replace(made, name=made.name.format(i))])
    assert fired(report, "signal-collapse") is collapses
    assert bool(after_scales(report)) is not collapses


@pytest.mark.parametrize(
    "names",
    [
        ("attn.in_proj.q", "attn.in_proj.k", "attn.in_proj.v"),
        ("q_proj", "k_proj", "v_proj"),
        ("query", "key", "value"),
        ("attn.qkv",),
        ("to_q", "to_kv"),
    ],
)
def test_queries_keys_and_values_are_side_by_side(names: tuple[str, ...]) -> None:
    layers = [
        dense(draw(24, 24, seed=i, gain=DEFAULT), f"a{i}.{name}")
        for i in range(40)
        for name in names
    ]
    report = report_of(layers, "signal-gain")
    assert all(works_beside_others(layer) for layer in report.layers)
    assert not fired(report, "signal-collapse")


def test_an_output_projection_is_no_attention_input() -> None:
    report = report_of([dense(draw(4, 4), name) for name in ("o_proj", "mlp.value_net", "fcq")])
    assert not any(works_beside_others(layer) for layer in report.layers)


@pytest.mark.parametrize(("name", "collapses"), [("torch", True), ("he", False)])
def test_the_sample_networks(name: str, collapses: bool) -> None:
    path = Path(SAMPLES) / f"deep-fnn-{name}-init.pt"
    report = looked_at(path, "signal-gain")
    assert fired(report, "signal-collapse") is collapses
    if collapses:
        finding = next(f for f in report.findings if f.rule == "signal-collapse")
        assert len(finding.layers) == 31
        assert finding.value == pytest.approx(-17.03, abs=0.01)


# Live modules


def stack(kind: str) -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class RMS(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(32))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = RMS()
            self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
                nn.Linear(32, 32) for _ in range(4)
            )
            self.norm2 = RMS()
            self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(32, 32), nn.Linear(32, 32)

    if kind == "convolutions":
        sizes = (3, 16, 32, 32, 64)
        parts = [nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sizes)]
        return nn.Sequential(*parts, nn.Flatten(), nn.Linear(64, 10))
    if kind == "linear":
        return nn.Sequential(*(nn.Linear(64, 64) for _ in range(8)), nn.Linear(64, 10))
    if kind == "encoder":
        return nn.Sequential(
            *(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True) for _ in range(4))
        )
    if kind == "squeezenet":
        return pytest.importorskip("torchvision").models.squeezenet1_1()
    if kind == "hand-written RMSNorm":
        return nn.ModuleDict({"layers": nn.ModuleList(Block() for _ in range(12))})
    return nn.Sequential(*(Residual() for _ in range(24)))


@pytest.mark.parametrize("kind", ["encoder", "hand-written RMSNorm", "residual"])
def test_live_networks_with_skips_or_normalisations_do_not_collapse(kind: str) -> None:
    assert not fired(looked_at(stack(kind), "signal-gain"), "signal-collapse")


SCORES = "random-twin.z-mean,random-twin.z-spread,random-twin.z-outliers"


@pytest.mark.parametrize("kind", ["convolutions", "linear", "encoder", "squeezenet"])
@pytest.mark.parametrize("seed", range(4))
def test_fresh_live_networks_are_like_random_weights(kind: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    report = looked_at(stack(kind), SCORES)
    assert not fired(report, "far-from-random"), report.findings[0].sentence
    assert len(report.rows(statistic="value")) > 8
