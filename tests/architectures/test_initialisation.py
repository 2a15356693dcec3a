"""Draws found by watching a network being built, against the numbers of a real one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from infoflow.architectures import build  # noqa: E402
from infoflow.architectures.draws import Draw  # noqa: E402
from infoflow.architectures.initialisation import Recorder  # noqa: E402
from infoflow.facts import Initialisation  # noqa: E402

init = nn.init


def drawn(make: Callable[[torch.Tensor], Any], shape: tuple[int, ...] = (6, 4)) -> Any:
    """How a weight of that shape is drawn that ``make`` initialises."""

    def factory() -> nn.Module:
        layer = nn.Linear(shape[1], shape[0])
        with torch.no_grad():
            made = make(layer.weight)
        if isinstance(made, nn.Parameter):
            layer.weight = made
        return layer

    recorder = Recorder()
    module: Any = recorder.build(factory)
    return recorder.initialisation(module.weight)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda w: None, ("uniform", 0.5)),
        (lambda w: init.normal_(w, std=0.3), ("normal", 0.3)),
        (lambda w: init.uniform_(w, -0.2, 0.2), ("uniform", 0.2)),
        (lambda w: init.constant_(w, 7.0), ("constant", 7.0)),
        (init.zeros_, ("constant", 0.0)),
        (init.kaiming_normal_, ("normal", math.sqrt(2 / 4))),
        (lambda w: init.kaiming_normal_(w, mode="fan_out"), ("normal", math.sqrt(2 / 6))),
        (init.xavier_uniform_, ("uniform", math.sqrt(6 / 10))),
        (lambda w: init.trunc_normal_(w, std=0.02), ("normal", 0.02)),
        (lambda w: init.trunc_normal_(w, std=0.02, a=-0.08, b=0.08), ("normal", 0.02)),
        (lambda w: init.normal_(w).mul_(0.1), ("normal", 0.1)),
        (lambda w: init.normal_(w).div_(-4.0), ("normal", 0.25)),
        (lambda w: init.uniform_(w).sub_(0.5).mul_(2), ("uniform", 1.0)),
        (lambda w: init.uniform_(w, -1, 1).clamp_(-2, 2), ("uniform", 1.0)),
        (lambda w: w.data.copy_(torch.randn(6, 4) * 0.02), ("normal", 0.02)),
        (lambda w: nn.Parameter(torch.randn(6, 4) * 0.5), ("normal", 0.5)),
        (lambda w: nn.Parameter(torch.zeros(6, 4)), ("constant", 0.0)),
        (lambda w: nn.Parameter(torch.full((6, 4), 1e-6)), ("constant", 1e-6)),
        (lambda w: w[2:].zero_(), None),
        (lambda w: init.trunc_normal_(w, std=1.0), None),
        (lambda w: init.normal_(w, mean=1.0), None),
        (init.uniform_, None),
        (lambda w: init.uniform_(w, -1, 1).clamp_(-0.5, 0.5), None),
        (lambda w: init.normal_(w).abs_(), None),
        (init.orthogonal_, None),
        (init.eye_, None),
        (lambda w: init.sparse_(w, 0.5), None),
        (lambda w: w.data.copy_(torch.arange(24.0).view(6, 4)), None),
        (lambda w: init.normal_(w).mul_(torch.arange(4.0)), None),
    ],
)
def test_what_is_drawn(make: Callable[..., Any], expected: tuple[str, float] | None) -> None:
    found = drawn(make)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.family == expected[0]
        assert found.scale == pytest.approx(expected[1], rel=1e-6)


def test_a_chain_through_the_inverse_error_function_is_a_normal() -> None:
    def make(weight: torch.Tensor) -> None:
        std = 0.05
        end = math.erf(2.0 / std / math.sqrt(2))
        weight.uniform_(-end, end).erfinv_().mul_(std * math.sqrt(2)).add_(0.0).clamp_(-2, 2)

    found = drawn(make)
    assert found.family == "normal"
    assert found.scale == pytest.approx(0.05, rel=1e-12)


def test_a_normal_cut_near_its_mean_is_not_called_normal() -> None:
    assert Draw("normal", 0.0, 1.0, 4.0).public() == Initialisation("normal", 1.0)
    assert Draw("normal", 0.0, 1.0, 3.9).public() is None
    two_sigma = math.erf(2 / math.sqrt(2))
    cut = Draw("uniform", -two_sigma, two_sigma).inverse_error_function()
    assert cut is not None
    assert cut.cut == pytest.approx(2.0)


def test_torch_is_left_as_it_was() -> None:
    before = init._no_grad_trunc_normal_
    with pytest.raises(ZeroDivisionError):
        Recorder().build(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert init._no_grad_trunc_normal_ is before
    assert torch.empty(1).device.type == "cpu"


def test_without_its_watch_over_truncated_normals_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A torch whose sampler has another name, and draws nothing on the meta device."""
    assert drawn(lambda w: None) is not None
    monkeypatch.delattr(init, "_no_grad_trunc_normal_")
    monkeypatch.setattr(init, "trunc_normal_", lambda tensor, **_: tensor)
    assert drawn(lambda w: None) is None


def test_large_networks_take_no_memory() -> None:
    module: Any = Recorder().build(lambda: nn.Linear(10**6, 10**6))
    assert module.weight.is_meta


def test_networks_that_compute_while_they_are_built() -> None:
    class Computes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            rates = [x.item() for x in torch.linspace(0, 0.1, 3)]
            self.layer = nn.Linear(2, len(rates))
            self.layer(torch.ones(1, 2))

    recorder = Recorder()
    module: Any = recorder.build(Computes)
    assert recorder.initialisation(module.layer.weight) == Initialisation(
        "uniform", pytest.approx(1 / math.sqrt(2))
    )


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v3_small",
        "squeezenet1_0",
        "swin_t",
        pytest.param("densenet121", marks=pytest.mark.long),
        pytest.param("googlenet", marks=pytest.mark.long),
        pytest.param("convnext_tiny", marks=pytest.mark.long),
        pytest.param("inception_v3", marks=pytest.mark.long),
        pytest.param("maxvit_t", marks=pytest.mark.long),
        pytest.param("mvit_v2_s", marks=pytest.mark.long),
        pytest.param("regnet_y_400mf", marks=pytest.mark.long),
        pytest.param("shufflenet_v2_x0_5", marks=pytest.mark.long),
        pytest.param("vgg11", marks=pytest.mark.long),
        pytest.param("vit_b_16", marks=pytest.mark.long),
        pytest.param("fasterrcnn_resnet50_fpn_v2", marks=pytest.mark.long),
        pytest.param("raft_small", marks=pytest.mark.long),
    ],
)
def test_the_table_against_numbers_really_drawn(name: str) -> None:
    """A really drawn network: its spread, and for a uniform its ends, tensor by tensor."""
    models = pytest.importorskip("torchvision.models")
    options: dict[str, Any] = {"weights": None}
    if name.startswith("fasterrcnn"):
        options["weights_backbone"] = None
    if name in {"googlenet", "inception_v3"}:
        options["init_weights"] = True
    torch.manual_seed(0)
    state = models.get_model(name, **options).state_dict()
    architecture = build(f"torchvision:{name}")
    compared = 0
    for tensor, facts in architecture.parameters.items():
        if tensor not in state or facts.kind == "other":
            continue
        values, claim = state[tensor].double().flatten(), facts.initialisation
        assert claim is not None, tensor
        compared += 1
        if claim.family == "constant":
            assert bool((values == torch.tensor(claim.scale).float().double()).all()), tensor
            continue
        # Relative standard error of a spread: sqrt((kurtosis − 1) / 4n), at most 1/sqrt(2n).
        variance = claim.scale**2 / (3 if claim.family == "uniform" else 1)
        error = abs(float(values.square().mean().sqrt()) / math.sqrt(variance) - 1)
        assert error < 5 / math.sqrt(2 * len(values)), tensor
        if claim.family == "uniform":
            assert float(values.abs().max()) <= claim.scale * (1 + 1e-6), tensor
        elif len(values) > 2000:
            assert float(values.abs().max()) > 2.5 * claim.scale, tensor
    assert compared > 10
