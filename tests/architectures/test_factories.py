"""``--arch``: torchvision's, timm's and our networks, and the user's own file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from infoflow.architectures import build, recognise, resize  # noqa: E402
from infoflow.architectures.factories import blueprint  # noqa: E402
from infoflow.errors import ArchitectureError  # noqa: E402

MODEL = """
import torch
from dataclasses import dataclass

print("loud")

@dataclass
class Settings:
    width: "int" = 4

class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Conv2d(3, Settings().width, 3, stride=2), torch.nn.BatchNorm2d(4))

def network():
    print("louder")
    return Net()

def broken():
    raise ValueError("no\\nway")

def nothing():
    return 3

number = 5
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


@pytest.mark.parametrize("factory", ["network", "Net"])
def test_a_file_of_the_user(model: Path, factory: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(sys.path)
    found = build(f"{model}:{factory}", (9, 9))
    assert found.title == f"{factory} (model.py)"
    facts = found.parameters["0.weight"]
    assert facts.geometry is not None
    assert (facts.geometry.stride, facts.geometry.input_size) == ((2, 2), (9, 9))
    assert facts.normalisation == "1.weight"
    assert facts.initialisation is not None
    assert facts.initialisation.family == "uniform"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "loud" in captured.err
    assert sys.path == before
    assert not (model.parent / "__pycache__").exists()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("netwrk", r"has no 'netwrk'; nearest: 'network'"),
        ("broken", r"broken failed: ValueError: no$"),
        ("nothing", r"nothing returned an int, not a torch\.nn\.Module"),
        ("number", r"number is an int, not a function"),
    ],
)
def test_a_file_whose_factory_does_not_do(model: Path, factory: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        build(f"{model}:{factory}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import neighbour", "imports its neighbour 'neighbour', and the file is loaded alone"),
        ("from folder.deep import x", "imports its neighbour 'folder', and the file is loaded"),
        ("from . import neighbour", "uses a relative import, and the file is loaded alone"),
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("1 / 0", "could not be run: ZeroDivisionError: division by zero"),
        ("def (", "could not be run: SyntaxError"),
    ],
)
def test_a_file_that_does_not_run(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "neighbour.py").write_text("x = 1")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "model.py"
    path.write_text(text)
    before = set(sys.modules)
    with pytest.raises(ArchitectureError, match=message):
        build(f"{path}:network")
    assert not {name for name in set(sys.modules) - before if "infoflow_user" in name}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torchvision:resnet5", "torchvision has no network 'resnet5'; nearest: 'resnet50'"),
        ("timm:resnet5", "timm has no network 'resnet5'; nearest: 'resnet50'"),
        ("infoflow:lenet", "infoflow has no network 'lenet'; nearest: 'lenet5'"),
        ("infoflow:cifar-resnet21", "infoflow has no network"),
        ("resnet50", r"'resnet50' is no architecture \(did you mean torchvision:resnet50\?\)"),
        ("keras:vgg16", "'keras:vgg16' is no architecture: write torchvision:NAME"),
        ("torchvision:", "is no architecture"),
        ("", "'' is no architecture"),
        ("missing.py:network", "missing.py: there is no such file"),
        ("model.py", "does not say what to call: write model.py:FACTORY"),
    ],
)
def test_specifications_that_name_nothing(spec: str, message: str) -> None:
    if spec.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(ArchitectureError, match=message):
        build(spec)


def test_timm() -> None:
    pytest.importorskip("timm")
    found = build("timm:resnet18")
    assert found.input_size == (224, 224)
    ours = build("torchvision:resnet18")
    # The same network by another hand: the same geometry under the same names.
    assert {n: f.geometry for n, f in found.parameters.items()} == {
        n: f.geometry for n, f in ours.parameters.items()
    }
    assert found.parameters["conv1.weight"].normalisation == "bn1.weight"


def test_another_input_size() -> None:
    vgg = build("torchvision:vgg11", (64, 64))
    assert vgg.input_size == (64, 64)
    recognised = recognise({**vgg.shapes, "features.0.weight": (64, 1, 3, 3)})
    assert recognised is not None
    small = resize(recognised, (64, 64))
    assert small.note == recognised.note
    for name, facts in vgg.parameters.items():
        assert small.parameters[name].geometry == facts.geometry
    with pytest.raises(ArchitectureError, match="does not take an input of 64×64"):
        resize(build("torchvision:vit_b_16"), (64, 64))


def test_a_detector_at_a_size() -> None:
    found = build("torchvision:fasterrcnn_resnet50_fpn", (320, 320))
    assert found.parameters["backbone.body.conv1.weight"].geometry.input_size == (320, 320)  # type: ignore[union-attr]
    assert found.parameters["rpn.head.cls_logits.weight"].kind == "convolution"


def test_samples_know_their_own_input() -> None:
    found = build("infoflow:lenet5")
    assert found.input_size == (28, 28)
    assert blueprint("infoflow:lenet5").title == found.title
