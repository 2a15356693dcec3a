"""TorchScript archives against the live modules that were saved, and archives that lie."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.torchscript_code import classes, facts_of_class
from infoflow.errors import CheckpointError, UnsafeCheckpointError
from infoflow.facts import Geometry
from infoflow.network import open_network
from tests.checkpoints import making

torch = pytest.importorskip("torch")
nn = torch.nn


class Net(nn.Module):
    """One layer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8, eps=1e-3)
        self.depthwise = nn.Conv2d(8, 8, 3, groups=8, padding="same", dilation=2)
        self.up = nn.ConvTranspose2d(8, 4, (2, 3), stride=(2, 1))
        self.table = nn.Embedding(10, 4)
        self.fc = nn.Linear(4, 5)
        self.scale = nn.Parameter(torch.full((1,), 2.0))
        self.seen = torch.zeros(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.depthwise(self.norm(self.conv(x)).relu()))
        x = x.mean(2).transpose(1, 2) + self.table(torch.zeros(1, dtype=torch.long))
        return self.fc(x) * self.scale + self.seen.sum()


def made(path: Path, how: str) -> tuple[Path, Any]:
    torch.manual_seed(0)
    net = Net().eval()
    with warnings.catch_warnings(action="ignore"):
        script = torch.jit.trace(net, torch.randn(1, 3, 16, 16))
        script = script if how == "trace" else torch.jit.script(net)
        torch.jit.save(torch.jit.freeze(script) if how == "freeze" else script, path)
    return path, net


@pytest.mark.parametrize("how", ["script", "trace"])
def test_names_numbers_and_geometry_are_the_modules(tmp_path: Path, how: str) -> None:
    path, net = made(tmp_path / "net.pt", how)
    opened = open_checkpoint(path)
    expected = net.state_dict()
    assert opened.format == "TorchScript archive"
    # Tracing makes a constant of an attribute that is neither parameter nor buffer.
    assert [name for name in opened.tensors if name != "constants.0"] == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(opened.tensors[name].load(), values.numpy())
    facts = {name: tensor.facts for name, tensor in opened.tensors.items() if tensor.facts}
    assert facts["conv.weight"].geometry == Geometry((2, 2), (1, 1), (1, 1))
    assert facts["depthwise.weight"].geometry == Geometry((1, 1), (2, 2), (2, 2), groups=8)
    up = facts["up.weight"].geometry
    assert (up.stride, up.transposed) == ((2, 1), True)
    assert facts["norm.weight"].epsilon == 1e-3
    assert facts["table.weight"].kind == "embedding"
    assert any(("'seen'" if how == "script" else "constants.0") in n for n in opened.notes)


def test_frozen_weights_are_constants_with_the_geometry_of_the_code(tmp_path: Path) -> None:
    path, net = made(tmp_path / "net.pt", "freeze")
    opened = open_checkpoint(path)
    assert all(name.startswith("constants.") for name in opened.tensors)
    depthwise = opened.tensors["constants.2"]
    np.testing.assert_array_equal(depthwise.load(), net.depthwise.weight.detach().numpy())
    assert depthwise.facts is not None
    assert depthwise.facts.geometry == Geometry((1, 1), (2, 2), (2, 2), groups=8)
    kinds = [tensor.facts.kind for tensor in opened.tensors.values() if tensor.facts]
    assert kinds == ["convolution"] * 3 + ["embedding", "dense"]
    assert any("lost their names" in note for note in opened.notes)


def test_a_torchvision_network_is_recognised(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    net = models.resnet18(weights=None).eval()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(net), tmp_path / "resnet.pt")
    opened = open_network(tmp_path / "resnet.pt")
    assert opened.architecture is not None
    assert opened.architecture.title == "ResNet-18 (torchvision)"
    assert all(layer.summary.geometry in ("known", "none needed") for layer in opened.plan.layers)


def test_lists_of_parameters_and_shared_modules(tmp_path: Path) -> None:
    class Lists(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(4, 4)
            self.again = self.shared
            self.stack = nn.ModuleList([nn.Linear(4, 4), self.shared])
            self.rnn = nn.LSTM(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.stack:
                x = layer(x)
            return self.rnn(self.again(x))[0]

    net = Lists()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(net), tmp_path / "net.pt")
    opened = open_checkpoint(tmp_path / "net.pt")
    assert set(opened.tensors) == set(net.state_dict())
    assert not any("left out" in note for note in opened.notes)
    shared = [opened.tensors[f"{n}.weight"].memory for n in ("shared", "again", "stack.1")]
    assert len(set(shared)) == 1


def write(path: Path, body: bytes, code: bytes = b"", **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", making.program(body))
        file.writestr("net/constants.pkl", pickle.dumps((), 2))
        file.writestr("net/code/__torch__.py", code)
        for name, content in members.items():
            file.writestr(f"net/{name.replace('__', '/')}", content)
    return path


def record(kind: str, **attributes: bytes) -> bytes:
    return making.name(kind) + b")\x81" + making.state(**attributes) + b"b"


WEIGHT = making.tensor(making.storage("0", 4), (2, 2), (2, 1))


def test_code_that_cannot_be_parsed_says_nothing(tmp_path: Path) -> None:
    body = record("__torch__.Net", weight=WEIGHT)
    for code in (b"class Net(", b"\xff\xfe", b"(" * 10_000, b"class Net:\n  x = 1\n"):
        path = write(tmp_path / "net.pt", body, code, data__0=bytes(16))
        (tensor,) = open_checkpoint(path).tensors.values()
        assert tensor.facts is None


def test_classes_and_functions_of_the_file_are_never_called(tmp_path: Path) -> None:
    body = record("os.path", weight=WEIGHT)
    with pytest.raises(UnsafeCheckpointError, match=r"needs 'os\.path'"):
        open_checkpoint(write(tmp_path / "a.pt", body, data__0=bytes(16)))
    call = making.name("__torch__.Net") + making.tuple_of(making.text("touch x")) + b"R"
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(write(tmp_path / "b.pt", call))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"}", "no module"),
        (record("__torch__.Net", weight=WEIGHT), "storage '0' is not in the file"),
        (record("__torch__.Net"), "no tensors"),
        (
            making.name("__torch__.N") + b")\x81q\x00}(" + making.text("a") + b"h\x00ub",
            "without end",
        ),
        (making.name("__torch__.N") + b")\x81}(K\x01K\x01ub", "have no names"),
    ],
)
def test_archives_that_lie(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(write(tmp_path / "net.pt", body))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, keep: float) -> None:
    path, _ = made(tmp_path / "net.pt", "script")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        open_checkpoint(path)


def test_the_code_is_read_as_text() -> None:
    code = b"""
class Net(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  def forward(self: __torch__.Net, x: Tensor) -> Tensor:
    w = self.inner.weight
    stride = torch.size(x)
    y = torch.conv1d(x, w, None, [2], [1], [1], 2)
    return torch.conv1d(y, self.weight, None, stride)
"""
    found = classes("__torch__", code)["__torch__.Net"]
    assert found.names == {"weight"}
    shapes = {("inner", "weight"): (4, 1, 3), ("weight",): (4, 4, 3)}
    facts = facts_of_class("__torch__.Net", found, shapes.get)
    assert set(facts) == {("inner", "weight")}  # the other's stride is no literal
    assert facts["inner", "weight"].geometry == Geometry((2,), (1,), (1,), groups=2)
