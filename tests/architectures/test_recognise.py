"""Recognition by names and shapes alone: what is allowed to differ, and what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.architectures import ARCHITECTURES, build, cifar_resnet, fit, recognise, resize, table
from infoflow.architectures.fingerprint import key
from infoflow.errors import ArchitectureError

SHARED = Path(os.environ.get("INFOFLOW_SHARED", Path(__file__).parents[3] / "shared"))
FILES = {
    "resnet20-12fca82f.th": ("infoflow:cifar-resnet20", 19),
    "resnet32-d509ac18.th": ("infoflow:cifar-resnet32", 31),
    "resnet56-4bfd9763.th": ("infoflow:cifar-resnet56", 55),
    "checkpoint_trained_4D_regularized_5Lremoved.pth.tar": ("infoflow:cifar-resnet20", 21),
    "checkpoint_trained_ch_regularized_dense.pth.tar": ("infoflow:cifar-resnet20", 21),
    "squeezenet1_0_deep_compression.pth": ("torchvision:squeezenet1_0", 26),
}

RESNET18 = dict(table.read("torchvision:resnet18").architecture.shapes)


def fingerprints_of_table() -> list[str]:
    return list(table.names())


@pytest.mark.parametrize("file", FILES)
def test_the_shared_weights_are_recognised(file: str) -> None:
    torch = pytest.importorskip("torch")
    path = SHARED / "data" / "weights" / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    state = stored.get("state_dict", stored)
    shapes = {name.removeprefix("module."): tuple(t.shape) for name, t in state.items()}
    found = recognise(shapes)
    assert found is not None
    convolutions = [f for n, f in found.parameters.items() if f.geometry is not None]
    assert (found.name, len(convolutions)) == FILES[file]
    assert all(f.geometry and f.geometry.input_size for f in convolutions)
    assert set(found.parameters) <= set(shapes)
    if "resnet" in found.name:
        strided = {
            n for n, f in found.parameters.items() if f.geometry and f.geometry.stride != (1, 1)
        }
        expected = {"layer2.0.conv1.weight", "layer3.0.conv1.weight"}
        if "checkpoint" in file:
            expected |= {"layer2.0.downsample.0.weight", "layer3.0.downsample.0.weight"}
        assert strided == expected
        assert found.parameters["layer1.0.conv2.weight"].normalisation == "layer1.0.bn2.weight"


@pytest.mark.parametrize("name", fingerprints_of_table())
def test_every_row_of_the_table_recognises_itself(name: str) -> None:
    architecture = table.read(name).architecture
    found = recognise(architecture.shapes)
    assert found is not None
    assert architecture.title in found.title.split(" or ")
    without_counters = {n: s for n, s in architecture.shapes.items() if "num_batches" not in n}
    again = recognise(dict(reversed(without_counters.items())))
    assert again is not None
    assert again.parameters == found.parameters


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_other_difference_is_not_recognised(data: st.DataObject) -> None:
    body = sorted(n for n, s in RESNET18.items() if s and not n.startswith("fc."))
    name = data.draw(st.sampled_from(body))
    shape = RESNET18[name]
    dimension = data.draw(st.integers(0, len(shape) - 1))
    if name == "conv1.weight" and dimension == 1:
        return
    step = data.draw(st.sampled_from((-1, 1, shape[dimension])))
    other = (*shape[:dimension], shape[dimension] + step, *shape[dimension + 1 :])
    assert recognise({**RESNET18, name: other}) is None
    assert recognise({n: s for n, s in RESNET18.items() if n != name}) is None
    assert recognise({**RESNET18, name + ".more": shape}) is None
    assert recognise({**RESNET18, name: (*shape, 1)}) is None


def test_a_head_that_contradicts_itself_is_not_recognised() -> None:
    assert recognise({**RESNET18, "fc.weight": (10, 512)}) is None
    assert recognise({**RESNET18, "fc.weight": (10, 512), "fc.bias": (11,)}) is None
    assert recognise({**RESNET18, "fc.weight": (1000, 511)}) is None
    found = recognise({**RESNET18, "fc.weight": (1, 512), "fc.bias": (1,)})
    assert found is not None
    assert "a head of 1 output instead of 1000" in found.note


def test_heads_of_another_make_and_no_heads_are_noted() -> None:
    body = {n: s for n, s in RESNET18.items() if not n.startswith("fc.")}
    found = recognise(body)
    assert found is not None
    assert "without its head" in found.note
    assert "fc.weight" not in found.parameters
    found = recognise({**body, "fc.0.weight": (64, 512), "fc.2.weight": (5, 64)})
    assert found is not None
    assert "a head of another make" in found.note
    assert "fc.0.weight" not in found.parameters
    assert recognise({**body, "fcx.weight": (64, 512)}) is None


def test_other_input_channels_are_noted_and_their_draw_forgotten() -> None:
    found = recognise({**RESNET18, "conv1.weight": (64, 1, 7, 7)})
    assert found is not None
    assert "a first convolution of 1 input channels instead of 3" in found.note
    facts = found.parameters["conv1.weight"]
    assert facts.initialisation is None
    assert facts.geometry is not None
    assert facts.geometry.stride == (2, 2)


def test_networks_of_nobody_are_not_recognised() -> None:
    assert recognise({}) is None
    assert recognise({"weight": (3, 3)}) is None
    assert recognise({"conv1.weight": (16, 3, 3, 3)}) is None


def test_the_deep_samples_differ_in_their_draw_alone() -> None:
    one, other = build("infoflow:deep-fnn-torch"), build("infoflow:deep-fnn-he")
    assert one.shapes == other.shapes
    found = recognise(one.shapes)
    assert found is not None
    assert found.title == f"{other.title} or {one.title}"
    dense = [n for n, f in found.parameters.items() if f.kind == "dense"]
    assert dense
    hidden = dense[1]
    assert one.parameters[hidden].initialisation.family == "uniform"  # type: ignore[union-attr]
    assert other.parameters[hidden].initialisation.family == "normal"  # type: ignore[union-attr]
    assert found.parameters[hidden].initialisation is None


@pytest.mark.parametrize("depth", [8, 20, 110, 1202])
@pytest.mark.parametrize("shortcut", ["", "downsample", "shortcut"])
@pytest.mark.parametrize("head", ["linear", "fc"])
def test_cifar_resnets_of_any_depth(depth: int, shortcut: str, head: str) -> None:
    variant = cifar_resnet.Variant(depth, shortcut, head)
    shapes = dict(cifar_resnet.fingerprint(variant).architecture.shapes)
    found = recognise(shapes)
    assert found is not None
    assert found.title == f"ResNet-{depth} (CIFAR)"
    convolutions = [f for f in found.parameters.values() if f.geometry]
    assert len(convolutions) == depth - 1 + (2 if shortcut else 0)
    hundred = recognise({**shapes, f"{head}.weight": (100, 64), f"{head}.bias": (100,)})
    assert hundred is not None
    assert "a head of 100 outputs instead of 10" in hundred.note
    assert recognise({**shapes, "layer2.0.conv1.weight": (32, 15, 3, 3)}) is None
    assert recognise({**shapes, "layer4.0.conv1.weight": (32, 16, 3, 3)}) is None


def test_cifar_resnet_against_a_module() -> None:
    torch = pytest.importorskip("torch")
    from infoflow.architectures import describe

    nn = torch.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.stride = stride

        def forward(self, x):  # type: ignore[no-untyped-def]
            short = x
            if self.stride == 2:
                extra = x.shape[1] // 2
                short = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra))
            return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + short).relu()

    class Net(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
            for stage, (before, width, stride) in enumerate(widths, start=1):
                blocks = [Block(before, width, stride), Block(width, width, 1)]
                setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            self.linear = nn.Linear(64, 10)

        def forward(self, x):  # type: ignore[no-untyped-def]
            x = self.bn1(self.conv1(x)).relu()
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.linear(x.mean((2, 3)))

    module = Net()
    found = recognise({n: tuple(t.shape) for n, t in module.state_dict().items()})
    for size in ((32, 32), (33, 47)):
        traced = describe(module, size)
        assert found is not None
        ours = resize(found, size)
        assert ours.parameters.keys() == traced.parameters.keys()
        for name, facts in traced.parameters.items():
            assert ours.parameters[name].kind == facts.kind
            assert ours.parameters[name].geometry == facts.geometry
            assert ours.parameters[name].normalisation == facts.normalisation
            assert ours.parameters[name].epsilon == facts.epsilon


def test_cifar_resnet_at_a_size_that_is_none() -> None:
    with pytest.raises(ArchitectureError, match="takes images"):
        resize(build("infoflow:cifar-resnet20"), (32,))


def test_recognition_decodes_few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of over a hundred architectures, only those with the same names are decoded."""
    decode, decoded = table.decode, []
    monkeypatch.setattr(
        table, "decode", lambda name, data: decoded.append(name) or decode(name, data)
    )
    for name in ("torchvision:efficientnet_v2_l", "torchvision:resnet101"):
        shapes = dict(table.read(name).architecture.shapes)
        decoded.clear()
        assert recognise(shapes) is not None
        assert name in decoded
        assert len(decoded) <= 8


def test_nothing_here_imports_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['torchvision'] = None\n"
        "from infoflow.architectures import build, recognise, resize\n"
        "from infoflow.errors import MissingDependencyError\n"
        "vgg = build('torchvision:vgg16'); assert recognise(vgg.shapes) is not None\n"
        "resnet = build('infoflow:cifar-resnet20'); resize(resnet, (64, 64))\n"
        "for call in (lambda: resize(vgg, (32, 32)), lambda: build('torchvision:nothing')):\n"
        "    try: call()\n"
        "    except MissingDependencyError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    first, second = done.stdout.splitlines()
    assert "torchvision:vgg16 at another input than its usual one" in first
    assert "torchvision:nothing needs torchvision, which is not installed" in second


def test_fit_says_what_differs() -> None:
    resnet = build("torchvision:resnet18")
    assert fit(resnet, RESNET18) == resnet
    other = {**RESNET18, "conv1.weight": (64, 4, 7, 7), "extra.weight": (3, 3)}
    del other["fc.weight"]
    fitted = fit(resnet, other)
    assert "1 tensor with another shape than in torchvision:resnet18 (first: conv1" in fitted.note
    assert "1 tensor not in torchvision:resnet18 (first: extra.weight)" in fitted.note
    assert "1 tensor missing, but in torchvision:resnet18 (first: fc.weight)" in fitted.note
    facts = fitted.parameters["conv1.weight"]
    assert facts.geometry is not None
    assert facts.initialisation is None
    kernel = fit(resnet, {**RESNET18, "conv1.weight": (64, 3, 3, 3)})
    assert kernel.parameters["conv1.weight"].geometry is None
    with pytest.raises(ArchitectureError, match="does not fit torchvision:resnet18: none of its 1"):
        fit(resnet, {"a.weight": (3, 3)})


def test_the_table_of_rules_names_what_it_knows() -> None:
    for rule in ARCHITECTURES:
        assert rule.names()
        assert rule.summary
    assert "torchvision:vgg16" in ARCHITECTURES[1].names()


def test_keys_do_not_depend_on_order_heads_or_counters() -> None:
    assert key(["a.weight", "b.weight"]) == key(["b.weight", "a.weight", "b.num_batches_tracked"])
    assert key(["a.weight", "fc.weight"]) == key(["a.weight"])
    assert key(["a.weight"]) != key(["b.weight"])
