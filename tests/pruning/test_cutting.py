"""Channels taken out of tensors: followed through real operations, refused where they are not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infoflow.data import of_one_input
from infoflow.data.batch import Batch
from infoflow.pruning.convolutions import Convolution, convolutions, silence
from infoflow.pruning.cutting import Cut, cut
from infoflow.pruning.layouts import Layout, Segment, joined, reduced, reshaped
from tests.networks import FunctionalResNet, UNet


def settled(module: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics and shifts that are not 0."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return module.eval()


def run_cut(module: nn.Module, channels: int, side: int = 8) -> tuple[nn.Module, Batch, Cut]:
    """Filters 0 and 2 of each layer dead, and taken out."""
    torch.manual_seed(1)
    batch = of_one_input(torch.randn(6, channels, side, side))
    layers = convolutions(module, batch.part(0, 2), ())
    filters = {layer.name: [0, 2] for layer in layers if layer.filters > 2}
    silence(module, layers, filters)
    found = cut(module, layers, filters, batch.part(0, 3), lambda: iter([batch]))
    with torch.no_grad():
        torch.testing.assert_close(batch.call(found.module), batch.call(module), rtol=0, atol=1e-5)
    return module, batch, found


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(one.shape) for name, one in module.state_dict().items() if one.ndim}


class Plain(nn.Module):
    """Norms, pools, a flattening and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.slope = nn.PReLU(5)
        self.two = nn.Conv2d(5, 6, 3, padding=1, padding_mode="reflect", bias=False)
        self.bare = nn.BatchNorm2d(6, affine=False)
        self.dense = nn.Linear(6 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.max_pool2d(self.slope(self.norm(self.one(x))), 2)
        out = functional.gelu(self.bare(self.two(out)))
        return self.dense(functional.adaptive_avg_pool2d(out, 2).flatten(1))


def test_channels_go_with_their_norm_and_what_reads_them() -> None:
    _, _, found = run_cut(settled(Plain()), 3)
    assert shapes(found.module) == {
        "one.weight": (3, 3, 3, 3), "one.bias": (3,),
        "norm.weight": (3,), "norm.bias": (3,), "norm.running_mean": (3,),
        "norm.running_var": (3,), "slope.weight": (3,),
        "two.weight": (4, 3, 3, 3), "bare.running_mean": (4,), "bare.running_var": (4,),
        "dense.weight": (3, 16), "dense.bias": (3,),
    }  # fmt: skip
    assert found.stayed == {}
    assert found.removed == {"one": [0, 2], "two": [0, 2]}
    assert (found.module.one.out_channels, found.module.two.in_channels) == (3, 3)
    assert (found.module.norm.num_features, found.module.dense.in_features) == (3, 16)
    # Entries of the dense layer of one channel lie beside each other.
    assert found.gone["dense.weight"] == {1: [0, 1, 2, 3, 8, 9, 10, 11]}


def test_concatenations_are_followed_and_outputs_stay() -> None:
    _, _, found = run_cut(settled(UNet()), 1)
    assert set(found.removed) == {"down.0", "bottom.0", "last"}
    assert found.stayed == {"head": "they are an output of the network"}
    assert found.module.last.weight.shape == (2, 4, 3, 3)
    assert found.gone["last.weight"][1] == [0, 2]
    assert found.module.up.weight.shape == (2, 3, 2, 2)  # transposed: what comes in is first


def test_channels_that_meet_an_addition_stay() -> None:
    module, _, found = run_cut(settled(FunctionalResNet()), 1)
    blocks = [f"layer1.{i}.conv1" for i in (0, 1)] + ["layer2.0.conv1"]
    assert set(found.removed) == set(blocks)
    second = {name.replace("conv1", "conv2") for name in blocks}
    assert set(found.stayed) == {"conv1"} | second
    assert {found.stayed[name] for name in second} == {"they meet an addition"}
    assert found.module.conv1.weight.shape == module.conv1.weight.shape
    assert found.module.layer2[0].conv2.weight.shape == (8, 6, 3, 3)


class Awkward(nn.Module):
    """One way not to be cut, by name."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 4)
        self.depthwise = nn.Conv2d(4, 4, 3, groups=4)
        self.last = nn.Conv2d(4, 2, 1)
        self.free = nn.Conv2d(2, 4, 1)
        self.dense = nn.Linear(256, 2)
        self.matrix = nn.Parameter(torch.randn(4, 6))

    def forward(self, x: Tensor) -> Tensor:
        out = getattr(self, self.way)(self.conv(x))
        return out if out.ndim == 2 else self.last(out)

    def sigmoid(self, out: Tensor) -> Tensor:
        return out.sigmoid()

    def late_norm(self, out: Tensor) -> Tensor:
        return self.norm(out.relu())

    def groups(self, out: Tensor) -> Tensor:
        return self.depthwise(out)

    def group_norm(self, out: Tensor) -> Tensor:
        return self.group(out)

    def gate(self, out: Tensor) -> Tensor:
        return out * out.mean((2, 3), keepdim=True)

    def constant(self, out: Tensor) -> Tensor:
        return out + 1

    def reshape(self, out: Tensor) -> Tensor:
        return out.reshape(len(out), 2, 2, 8, 8).mean(1).repeat(1, 2, 1, 1)

    def hard_coded(self, out: Tensor) -> Tensor:
        return self.dense(out.view(-1, 256))

    def inputs_first(self, out: Tensor) -> Tensor:
        return out.mean((2, 3)) @ self.matrix

    def shuffled(self, out: Tensor) -> Tensor:
        return out.permute(0, 1, 3, 2)

    def computed(self, out: Tensor) -> Tensor:
        return functional.conv2d(out, 2 * self.last.weight.repeat(2, 1, 1, 1))

    def twice(self, out: Tensor) -> Tensor:
        return self.free(self.last(self.free(self.last(out))))

    def reads_a_number(self, out: Tensor) -> Tensor:
        return out * float(out.abs().max())

    def half_of_them(self, out: Tensor) -> Tensor:
        return torch.cat([out[:, :2], out[:, 2:]], 1)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("sigmoid", "they meet the operation sigmoid"),
        ("late_norm", "normalisation that does not directly follow"),
        ("groups", "grouped convolution"),
        ("group_norm", "group normalisation"),
        ("gate", "multiplication"),
        ("constant", "addition"),
        ("reshape", "reshape"),
        ("hard_coded", "the network does not run"),
        ("inputs_first", "not (outputs, inputs)"),
        ("shuffled", "permutation"),
        ("computed", "computed"),
        ("twice", "used more than once"),
        ("reads_a_number", "the operation"),
        ("half_of_them", "the operation slice"),
    ],
)
def test_what_cannot_be_followed_stays_with_a_reason(way: str, reason: str) -> None:
    module, _, found = run_cut(settled(Awkward(way)), 3)
    assert reason in found.stayed["conv"]
    assert found.module.conv.weight.shape == module.conv.weight.shape


def test_a_network_that_counts_its_channels_stays_whole() -> None:
    """What the operations do not show is seen in the outputs."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            out = self.conv(x)
            return self.last(out).mean((2, 3)) * out.shape[1]

    _, _, found = run_cut(settled(Counting()), 3)
    assert found.stayed["conv"] == "without them the network's outputs are others"
    assert found.removed == {}


def test_what_differs_on_later_samples_only_stays_whole() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            out = self.conv(x)
            return self.last(out) * (out.shape[1] if len(x) == 6 else 1)

    _, _, found = run_cut(settled(Late()), 3)
    assert found.removed == {}
    assert found.stayed["conv"] == "without them the network's outputs are others"


def test_layouts() -> None:
    maps = Layout(1, (Segment("a", 4),))
    assert reshaped(maps, (2, 4, 3, 5), (2, 4, 15)) == maps
    assert reshaped(maps, (2, 4, 3, 5), (2, 2, 30)) is None
    assert reshaped(maps, (2, 4, 3), (8, 3)) is None
    assert reduced(maps, (-1, -2), 4, keep=False) == maps
    assert reduced(maps, (0,), 4, keep=False) == Layout(0, maps.segments)
    assert reduced(maps, (), 4, keep=False) is None
    assert joined([maps, 3], 1) == Layout(1, (Segment("a", 4), Segment(None, 3)))
    assert joined([maps, maps], 0) is None


def test_a_layer_that_is_not_chosen_stays() -> None:
    module = settled(Plain())
    batch = of_one_input(torch.randn(4, 3, 8, 8))
    layers = (Convolution("two", 6, ("bare",)),)
    silence(module, layers, {"two": [1]})
    found = cut(module, layers, {"two": [1]}, batch, lambda: iter([batch]))
    assert set(found.gone) == {
        "two.weight",
        "bare.running_mean",
        "bare.running_var",
        "dense.weight",
    }
