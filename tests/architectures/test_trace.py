"""Facts read off live modules: geometry, sizes, who follows whom, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from infoflow.architectures import Architecture, describe  # noqa: E402
from infoflow.errors import ArchitectureError  # noqa: E402


class Net(nn.Module):
    """A convolution and a norm, wired by a function."""

    def __init__(self, wiring: Any, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.wiring = wiring

    def forward(self, x: torch.Tensor) -> Any:
        return self.wiring(self, x)


def follower(wiring: Any, norm: nn.Module | None = None) -> str:
    parts = {
        "conv": nn.Conv2d(3, 8, 3),
        "norm": norm or nn.BatchNorm2d(8),
        "other": nn.Conv2d(8, 8, 1),
    }
    return describe(Net(wiring, **parts), (9, 9)).parameters["conv.weight"].normalisation


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (lambda net, x: net.norm(net.conv(x)), "norm.weight"),
        (lambda net, x: net.norm(net.conv(x)).relu(), "norm.weight"),
        (lambda net, x: net.norm(net.conv(x).relu()), ""),
        (lambda net, x: net.norm(torch.relu_(net.conv(x))), ""),
        (lambda net, x: net.norm(net.conv(x) * 2), ""),
        (lambda net, x: net.conv(net.norm(torch.cat([x, x, x[:, :2]], 1))[:, :3]), ""),
        (lambda net, x: [net.norm(y) + y for y in [net.conv(x)]], ""),
        (lambda net, x: [net.norm(y) + net.other(y) for y in [net.conv(x)]], ""),
        (lambda net, x: [net.norm(net.conv(x)) for _ in range(2)], "norm.weight"),
        (lambda net, x: [net.norm(net.conv(x)), net.conv(x)], ""),
        (lambda net, x: net.conv(x), ""),
    ],
)
def test_a_norm_follows_only_if_it_alone_takes_the_output(wiring: Any, expected: str) -> None:
    assert follower(wiring) == expected


@pytest.mark.parametrize(
    "norm",
    [
        nn.GroupNorm(2, 8),
        nn.InstanceNorm2d(8, affine=True),
        nn.LayerNorm([8, 7, 7]),
        nn.BatchNorm2d(8, track_running_stats=False),
    ],
)
def test_norms_whose_statistics_depend_on_the_data_are_not_folded(norm: nn.Module) -> None:
    assert follower(lambda net, x: net.norm(net.conv(x)), norm) == ""


def test_a_norm_without_a_scale_follows_by_the_name_that_its_scale_would_have() -> None:
    norm = nn.BatchNorm2d(8, affine=False, eps=1e-2)
    net = Net(lambda net, x: net.norm(net.conv(x)), conv=nn.Conv2d(3, 8, 3), norm=norm)
    found = describe(net, (9, 9))
    assert found.parameters["conv.weight"].normalisation == "norm.weight"
    assert found.parameters["norm.weight"].epsilon == 1e-2
    assert "norm.weight" not in found.shapes


def test_a_dense_layer_may_be_followed_by_a_norm() -> None:
    found = describe(nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8)))
    assert found.parameters["0.weight"].normalisation == "1.weight"
    assert found.parameters["1.weight"].kind == "normalisation"


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (nn.Conv1d(3, 4, 5, stride=2, padding=1, dilation=3), (40,), ((2,), (1,), (3,), 1)),
        (
            nn.Conv2d(4, 8, (3, 5), padding="same", dilation=(2, 1)),
            (9, 9),
            ((1, 1), (2, 2), (2, 1), 1),
        ),
        (nn.Conv2d(4, 8, 3, padding="valid", groups=4), (9, 9), ((1, 1), (0, 0), (1, 1), 4)),
        (nn.Conv3d(2, 2, 3, (1, 2, 2), 1), (4, 9, 9), ((1, 2, 2), (1, 1, 1), (1, 1, 1), 1)),
    ],
)
def test_geometry(layer: Any, size: tuple[int, ...], expected: tuple[Any, ...]) -> None:
    geometry = describe(nn.Sequential(layer), size).parameters["0.weight"].geometry
    assert geometry is not None
    assert (geometry.stride, geometry.padding, geometry.dilation, geometry.groups) == expected
    assert geometry.input_size == size
    assert not geometry.transposed


def test_transposed_geometry_and_padding_mode() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=(1, 0), groups=2),
        nn.Conv2d(6, 1, 1),
    )
    found = [f.geometry for f in describe(net, (8, 6)).parameters.values()]
    assert found[0] is not None
    assert found[0].padding_mode == "reflect"
    assert found[1] is not None
    assert (found[1].transposed, found[1].output_padding) == (True, (1, 0))
    assert [g.input_size for g in found if g] == [(8, 6), (8, 6), (18, 13)]


def test_the_size_may_come_with_its_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    found = describe(net, (3, 8, 6))
    assert found.input_size == (8, 6)
    assert found.parameters["0.weight"].geometry.input_size == (8, 6)  # type: ignore[union-attr]


def test_without_a_size_no_size_is_claimed_but_norms_are_known() -> None:
    found = describe(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    assert found.input_size is None
    assert found.parameters["0.weight"].geometry.input_size is None  # type: ignore[union-attr]
    assert found.parameters["0.weight"].normalisation == "1.weight"
    assert found.note == ""


def test_a_layer_called_at_two_sizes_has_none() -> None:
    net = Net(lambda net, x: [net.conv(x), net.conv(x[..., 1:])], conv=nn.Conv2d(3, 4, 3))
    assert describe(net, (9, 9)).parameters["conv.weight"].geometry.input_size is None  # type: ignore[union-attr]


def test_a_pass_that_stops_early_keeps_what_it_saw() -> None:
    def wiring(net: Any, x: torch.Tensor) -> Any:
        y = net.conv(x)
        raise RuntimeError("enough\nof this")
        return net.other(y)

    net = Net(wiring, conv=nn.Conv2d(3, 8, 3), other=nn.Conv2d(8, 8, 1))
    found = describe(net, (9, 9))
    assert found.parameters["conv.weight"].geometry.input_size == (9, 9)  # type: ignore[union-attr]
    assert found.parameters["other.weight"].geometry.input_size is None  # type: ignore[union-attr]
    assert "stopped early (RuntimeError: enough)" in found.note


def test_small_networks_that_need_real_numbers_are_run_with_zeros() -> None:
    def wiring(net: Any, x: torch.Tensor) -> Any:
        return net.other(net.conv(x)) if x.sum().item() == 0 else None

    net = Net(wiring, conv=nn.Conv2d(3, 8, 3), other=nn.Conv2d(8, 8, 1))
    found = describe(net, (9, 9))
    assert found.parameters["other.weight"].geometry.input_size == (7, 7)  # type: ignore[union-attr]
    assert found.note == ""


def test_parts_that_run_in_training_alone_have_their_sizes() -> None:
    def wiring(net: Any, x: torch.Tensor) -> Any:
        y = net.conv(x)
        return (y, net.other(y)) if net.training else y

    net = Net(wiring, conv=nn.Conv2d(3, 8, 3), other=nn.Conv2d(8, 8, 1))
    found = describe(net.eval(), (9, 9))
    assert found.parameters["other.weight"].geometry.input_size == (7, 7)  # type: ignore[union-attr]


def test_the_module_is_neither_changed_nor_run() -> None:
    calls: list[int] = []
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    net.register_forward_hook(lambda *_: calls.append(1))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    describe(net, (9, 9))
    assert not calls
    assert net.training
    assert all(part.training for part in net.modules())
    assert len(net._forward_hooks) == 1
    assert not net[0]._forward_hooks
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(not parameter.is_meta for parameter in net.parameters())


def test_a_module_that_cannot_be_copied_keeps_its_geometry() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2))
    net.lock = (x for x in ())
    found = describe(net, (9, 9))
    assert found.parameters["0.weight"].geometry.stride == (2, 2)  # type: ignore[union-attr]
    assert "cannot be copied" in found.note


def test_lazy_layers_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="layer '0' is lazy"):
        describe(nn.Sequential(nn.LazyLinear(3)))


class Odd(nn.Module):
    """One tensor of each kind that is no plain layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 8))
        self.layer_scale = nn.Parameter(torch.zeros(8, 1, 1))
        self.strange = nn.Parameter(torch.zeros(2, 2))
        self.register_buffer("attn_mask", torch.zeros(2, 2))
        self.register_buffer("hidden", torch.zeros(2, 2), persistent=False)
        self.attention = nn.MultiheadAttention(8, 2)
        self.cross = nn.MultiheadAttention(8, 2, kdim=4, vdim=4)
        self.qkv = nn.Linear(8, 24)
        self.embedding = nn.Embedding(7, 8)
        self.lstm = nn.LSTM(8, 8)
        self.slope = nn.PReLU(8)
        self.bilinear = nn.Bilinear(2, 2, 2)
        self.norm = nn.RMSNorm(8, eps=1e-4)
        self.tied = nn.Linear(8, 7, bias=False)
        self.tied.weight = self.embedding.weight
        self.weighted = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))


def odd() -> Architecture:
    return describe(Odd())


def test_kinds_of_tensors() -> None:
    kinds = {name: facts.kind for name, facts in odd().parameters.items()}
    assert kinds["attention.in_proj_weight"] == kinds["qkv.weight"] == "attention"
    assert kinds["attention.out_proj.weight"] == kinds["tied.weight"] == "dense"
    assert {kinds[f"cross.{x}_proj_weight"] for x in "qkv"} == {"dense"}
    assert kinds["embedding.weight"] == "embedding"
    assert kinds["norm.weight"] == "normalisation"
    assert odd().parameters["norm.weight"].epsilon == 1e-4
    assert "hidden" not in kinds
    assert not any(name.startswith("lstm.bias") for name in kinds)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cls_token", "class token"),
        ("pos_embed", "position embedding"),
        ("layer_scale", "layer scale"),
        ("attn_mask", "attention mask"),
        ("strange", "parameter 'strange' of Odd"),
        ("lstm.weight_ih_l0", "parameter 'weight_ih_l0' of LSTM"),
        ("slope.weight", "slope of a PReLU"),
        ("bilinear.weight", "bilinear form"),
        (
            "weighted.parametrizations.weight.original1",
            "parameter 'original1' of ParametrizationList",
        ),
    ],
)
def test_other_tensors_have_a_reason(name: str, reason: str) -> None:
    facts = odd().parameters[name]
    assert (facts.kind, facts.reason) == ("other", reason)


def test_every_tensor_of_two_dimensions_has_a_word() -> None:
    found = odd()
    assert {n for n, s in found.shapes.items() if len(s) > 1} <= set(found.parameters)


def test_a_weight_that_is_computed_has_the_facts_of_its_layer() -> None:
    convolution = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 8, 3, stride=2, groups=2))
    facts = describe(nn.Sequential(convolution, nn.BatchNorm2d(8)), (9, 9)).parameters["0.weight"]
    assert (facts.kind, facts.normalisation) == ("convolution", "1.weight")
    assert facts.geometry is not None
    assert (facts.geometry.stride, facts.geometry.groups) == ((2, 2), 2)
