"""Exported programs of every layout against the live modules, and archives that lie."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError
from infoflow.facts import Geometry
from infoflow.network import open_network

torch = pytest.importorskip("torch")
nn = torch.nn


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8, eps=1e-3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8, padding="same", dilation=2),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Flatten(),
        nn.LayerNorm(1024),
        nn.Linear(1024, 5),
    ).eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    path, net = tmp_path_factory.mktemp("exported") / "net.pt2", network()
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(torch.export.export(net, (torch.randn(1, 3, 16, 16),)), path)
    return path, net


def check(path: Path, net: Any, input_size: tuple[int, ...] = (16, 16)) -> None:
    opened = open_checkpoint(path)
    expected = net.state_dict()
    assert opened.format == "exported program"
    assert set(opened.tensors) == set(expected)
    for name, tensor in opened.tensors.items():
        np.testing.assert_array_equal(tensor.load(), expected[name].numpy())
    facts = {name: tensor.facts for name, tensor in opened.tensors.items() if tensor.facts}
    first = facts["0.weight"]
    assert first.geometry == Geometry((2, 2), (1, 1), (1, 1), input_size=input_size)
    assert (first.normalisation, first.epsilon) == ("1.weight", 1e-3)
    assert facts["3.weight"].geometry.groups == 8
    assert facts["3.weight"].geometry.padding == (2, 2)
    assert facts["4.weight"].geometry.transposed
    assert facts["6.weight"].kind == "normalisation"
    assert facts["7.weight"].kind == "dense"


def test_the_layout_of_this_torch(exported: tuple[Path, Any]) -> None:
    check(*exported)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def pickled(net: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    return buffer.getvalue()


def test_the_layout_before_torch_2_8(tmp_path: Path, exported: tuple[Path, Any]) -> None:
    path, net = exported
    (graph,) = (data for name, data in members(path).items() if name.endswith("models/model.json"))
    old = {
        "serialized_exported_program.json": graph,
        "serialized_state_dict.pt": pickled(net),
        "serialized_constants.pt": pickled(nn.Identity()),
        "version": b"8.2",
    }
    check(write(tmp_path / "old.pt2", old), net)


def test_the_layout_of_torch_2_8(tmp_path: Path, exported: tuple[Path, Any]) -> None:
    path, net = exported
    content = {k: v for k, v in members(path).items() if "/data/weights/" not in k}
    folder = next(iter(content)).partition("/")[0]
    content[f"{folder}/data/weights/model.pt"] = pickled(net)
    check(write(tmp_path / "net.pt2", content), net)


def test_a_torchvision_network_is_recognised(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    net = models.resnet18(weights=None).eval()
    with warnings.catch_warnings(action="ignore"):
        program = torch.export.export(net, (torch.randn(1, 3, 64, 64),))
        torch.export.save(program, tmp_path / "net.pt2")
    opened = open_network(tmp_path / "net.pt2")
    assert opened.architecture is not None
    assert opened.architecture.title == "ResNet-18 (torchvision)"


def test_sizes_that_vary_are_not_known(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.BatchNorm2d(2, eps=1e-3)).eval()
    size = torch.export.Dim("size", min=8, max=64)
    with warnings.catch_warnings(action="ignore"):
        program = torch.export.export(
            net, (torch.randn(1, 1, 16, 16),), dynamic_shapes=({2: size, 3: size},)
        )
        torch.export.save(program, tmp_path / "net.pt2")
    facts = open_checkpoint(tmp_path / "net.pt2").tensors["0.weight"].facts
    assert facts is not None
    assert facts.geometry == Geometry((2, 2), (0, 0), (1, 1))


def changed(path: Path, target: Path, ending: str, change: Any) -> Path:
    content = members(path)
    (name,) = (name for name in content if name.endswith(ending))
    data = change(content.pop(name))
    return write(target, content | ({name: data} if data is not None else {}))


def test_a_graph_that_cannot_be_read_leaves_the_weights(
    tmp_path: Path, exported: tuple[Path, Any]
) -> None:
    for change in (lambda data: None, lambda data: b"{", lambda data: b'{"graph_module": []}'):
        path = changed(exported[0], tmp_path / "net.pt2", "models/model.json", change)
        opened = open_checkpoint(path)
        assert set(opened.tensors) == set(exported[1].state_dict())
        assert any("graph was not read" in note for note in opened.notes)


def entry(**changes: Any) -> Any:
    def change(data: bytes) -> bytes:
        config = json.loads(data)
        first = config["config"]["0.weight"]
        for key, value in changes.items():
            (first if key in first else first["tensor_meta"])[key] = value
        return json.dumps(config).encode()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (entry(path_name="weight_999"), "is not in the file"),
        (entry(path_name="../../etc/passwd"), "is not in the file"),
        (entry(sizes=[{"as_int": 10**12}]), "damaged"),
        (entry(sizes=[{"as_int": -1}] * 4), "damaged"),
        (entry(strides=[{"as_int": 10**12}] * 4), "ends at element"),
        (entry(sizes=7), "entry in the list of weights is wrong"),
        (lambda data: b"[]", "not a JSON object"),
        (lambda data: b"{}", "lists no weights"),
        (lambda data: None, "without weights"),
    ],
)
def test_lists_of_weights_that_lie(
    tmp_path: Path, exported: tuple[Path, Any], change: Any, message: str
) -> None:
    path = changed(exported[0], tmp_path / "net.pt2", "model_weights_config.json", change)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(path)


def test_types_and_layouts_that_are_not_read(tmp_path: Path, exported: tuple[Path, Any]) -> None:
    for change in (entry(dtype=99), entry(layout=1), entry(use_pickle=True)):
        path = changed(exported[0], tmp_path / "net.pt2", "model_weights_config.json", change)
        assert open_checkpoint(path).tensors["0.weight"].unread


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, exported: tuple[Path, Any], keep: float) -> None:
    content = exported[0].read_bytes()
    (tmp_path / "net.pt2").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        open_checkpoint(tmp_path / "net.pt2")
