"""`infoflow prune` as a user runs it: planted filters, channels taken out, types of files."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

import infoflow
from infoflow.data import of_one_input
from infoflow.models import runnable
from infoflow.zoo import CifarResNet, LeNet5
from tests.cases import SAMPLES, SHARED

VGG = SAMPLES / "vgg-cifar10.safetensors"
RESNET = SHARED / "data" / "weights" / "resnet20-12fca82f.th"

U_NET = """
import torch
from torch import nn

class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.bottom = nn.Conv2d(16, 20, 3, padding=1)
        self.up = nn.ConvTranspose2d(20, 8, 2, stride=2)
        self.last = nn.Conv2d(24, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        fine = self.norm(self.down(x)).relu()
        coarse = self.up(self.bottom(nn.functional.max_pool2d(fine, 2)).relu())
        return self.head(self.last(torch.cat([fine, coarse], 1)).relu().mean((2, 3)))
"""


def u_net(tmp_path):
    (tmp_path / "unet.py").write_text(U_NET)
    names: dict = {}
    exec(U_NET, names)
    torch.manual_seed(0)
    module = names["UNet"]().eval()
    torch.nn.init.normal_(module.norm.running_mean)
    torch.nn.init.normal_(module.norm.bias)
    return module.state_dict(), ["--arch", tmp_path / "unet.py:UNet"], "bottom", None


def lenet(tmp_path):
    state = torch.load(SAMPLES / "lenet5-mnist.pt", weights_only=True)
    state = state.get("state_dict", state)
    return {name: state[name].clone() for name in LeNet5().state_dict()}, [], "conv2", None


def resnet(tmp_path):
    if not RESNET.is_file():
        pytest.skip(f"needs {RESNET}")
    state = torch.load(RESNET, "cpu", weights_only=True)["state_dict"]
    state = {name.removeprefix("module."): one.clone() for name, one in state.items()}
    return state, [], "layer3.1.conv1", "layer3.1.bn1"


COPIES = {(2, 9): 1.0, (4, 11): 3.0, (6, 13): -1.0}
DEAD = 15


def plant(state, layer, norm):
    for leaf in ("weight", "bias"):
        if f"{layer}.{leaf}" in state:
            for (original, copy), factor in COPIES.items():
                state[f"{layer}.{leaf}"][copy] = factor * state[f"{layer}.{leaf}"][original]
            state[f"{layer}.{leaf}"][DEAD] = 0
        if norm:
            state[f"{norm}.{leaf}"][DEAD] = 0


@pytest.mark.parametrize(
    "network",
    [
        lenet,
        pytest.param(u_net, marks=pytest.mark.long),
        pytest.param(resnet, marks=pytest.mark.long),
    ],
    ids=["lenet", "u_net", "resnet"],
)
def test_planted_filters_go_first_in_three_networks(run, tmp_path, network):
    state, options, layer, norm = network(tmp_path)
    plant(state, layer, norm)
    path, report = tmp_path / "planted.safetensors", tmp_path / "report.json"
    save_torch({name: one.contiguous() for name, one in state.items()}, path)
    filters = len(state[f"{layer}.weight"])
    convolutions = (one for name, one in state.items() if one.ndim == 4 and "up" not in name)
    total = sum(map(len, convolutions))
    common = ("prune", path, "--data", "shapes", "--samples", 40, *options, "--json", report)
    result = run(*common, "--layers", layer, "--share", 5 / filters)
    assert result.returncode == 0, result.stderr
    removed = json.loads(report.read_text())["removed"]
    assert (removed[0]["filter"], removed[0]["reason"]) == (DEAD, "dead")
    assert {one["reason"] for one in removed[1:4]} == {"copy"}
    pairs = {tuple(sorted((one["filter"], one["like"]))) for one in removed[1:4]}
    assert pairs == set(COPIES)
    assert removed[4]["reason"] == "similar"
    # Among the filters of all layers they are the first, too.
    told = json.loads(report.read_text())
    assert told["across_layers"] is False
    result = run(*common, "--across-layers", "--share", 4.2 / total)
    assert result.returncode == 0, result.stderr
    first = json.loads(report.read_text())["removed"][:4]
    assert {one["layer"] for one in first} == {layer}
    assert [one["reason"] for one in first] == ["dead", "copy", "copy", "copy"]


@pytest.mark.long
def test_channels_are_taken_out_and_the_file_runs_the_same(run, tmp_path):
    zeroed, out, report = (tmp_path / name for name in ("0.safetensors", "1.safetensors", "r.json"))
    common = ("prune", VGG, "--data", "shapes", "--samples", 24, "--by", "norm", "--quiet")
    assert run(*common, "--out", zeroed).returncode == 0
    result = run(*common, "--remove", "--out", out, "--json", report)
    assert (result.returncode, result.stderr) == (0, "")
    told = json.loads(report.read_text())
    before, after = load_file(zeroed), load_file(out)
    assert told["zeroed"] == {}
    assert sum(map(len, told["taken_out"].values())) == len(told["removed"])
    assert {name: list(value.shape) for name, value in after.items()} == {
        name: told["new_shapes"].get(name, list(value.shape)) for name, value in before.items()
    }
    assert out.stat().st_size < 0.75 * zeroed.stat().st_size
    x = of_one_input(torch.randn(4, 3, 32, 32))
    with torch.no_grad():
        expected = x.call(runnable(zeroed).module)
        torch.testing.assert_close(x.call(runnable(out).module), expected, rtol=0, atol=1e-4)
    again = run("analyze", out, "--data", "shapes", "--samples", 24, "--json", tmp_path / "a.json")
    assert again.returncode == 0, again.stderr


def test_the_module_is_returned_to_python():
    pruned = infoflow.prune(
        VGG,
        data=infoflow.ActivationRequest("shapes", samples=16),
        by="norm",
        share=0.25,
        remove=True,
    )
    assert pruned.module.features[0].weight.shape[0] == 12
    with torch.no_grad():
        assert pruned.module(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


@pytest.mark.parametrize(
    "kind",
    [
        "float8_e4m3fn",
        pytest.param("bfloat16", marks=pytest.mark.long),
        pytest.param("float64", marks=pytest.mark.long),
    ],
)
def test_tensors_keep_their_type_and_untouched_numbers_their_bytes(run, tmp_path, kind):
    dtype = np.dtype(getattr(ml_dtypes, kind, None) or kind)
    tensors = {name: torch.from_numpy(value) for name, value in load_file(VGG).items()}
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: (one.double() + 1e-12 * torch.randn(one.shape, generator=generator).double()).to(
            getattr(torch, kind)
        ) if one.is_floating_point() else one
        for name, one in tensors.items()
    }  # fmt: skip
    path, out, report = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "r.json"))
    save_torch(tensors, path)
    result = run(
        "prune", path, "--data", "shapes", "--samples", 16, "--by", "norm", "--out", out,
        "--json", report, "--quiet",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    told = json.loads(report.read_text())
    before, after = read(path), read(out)
    norms = {layer["name"]: layer["norms"] for layer in told["layers"]}
    for one in told["removed"]:
        for part in (one["layer"], *norms[one["layer"]]):
            for leaf in ("weight", "bias"):
                if f"{part}.{leaf}" in before:
                    before[f"{part}.{leaf}"][one["filter"]] = 0
    assert list(after) == list(before)
    assert after["features.0.weight"].dtype == dtype
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert after[name].tobytes() == value.tobytes()


def read(path):
    from infoflow.checkpoints import open_checkpoint

    return {name: one.load().copy() for name, one in open_checkpoint(path).tensors.items()}


@pytest.mark.long
@pytest.mark.parametrize("merge", [False, True])
def test_a_quantised_weight_is_zero_at_its_zero_point(run, tmp_path, merge):
    tensors = dict(load_file(VGG))
    weight = tensors["features.3.weight"]
    scale = np.abs(weight).reshape(len(weight), -1).max(1).astype(np.float32) / 100
    zero = np.full(len(weight), 7, np.int8)
    scales = scale[:, None, None, None]
    tensors["features.3.weight"] = np.round(weight / scales + 7).astype(np.int8)
    tensors["features.3.weight_scale"] = scale
    tensors["features.3.weight_zero_point"] = zero
    path, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(tensors, path, {"architecture": "infoflow:vgg-cifar10"})
    options = ["--merge"] if merge else []
    result = run(
        "prune", path, "--data", "shapes", "--samples", 16, "--by", "norm", "--out", out,
        *options, "--remove",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    after = load_file(out)
    if merge:
        assert after["features.3.weight"].dtype == np.float32
        assert "features.3.weight is written as one tensor of float32" in " ".join(
            result.stdout.split()
        )
        return
    assert after["features.3.weight"].dtype == np.int8
    assert len(after["features.3.weight_scale"]) == len(after["features.3.weight"])
    result = run("prune", path, "--data", "shapes", "--samples", 16, "--by", "norm", "--out", out)
    assert result.returncode == 0, result.stderr
    after = load_file(out)
    dead = (after["features.3.weight"] == 7).reshape(len(weight), -1).all(axis=1)
    assert int(dead.sum()) == round(0.2 * len(weight))
    np.testing.assert_array_equal(
        after["features.3.weight"][~dead], tensors["features.3.weight"][~dead]
    )


def test_a_file_that_is_there_is_replaced(run, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"old")
    result = run("prune", VGG, "--data", "shapes", "--samples", 16, "--out", out, "--quiet")
    assert result.returncode == 0, result.stderr
    assert load_file(out)


def test_a_network_of_nan_is_said_in_one_sentence(run, tmp_path):
    tensors = dict(load_file(VGG))
    tensors["features.0.weight"] = np.full_like(tensors["features.0.weight"], np.nan)
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path)
    result = run("prune", path, "--data", "shapes", "--samples", 16)
    assert result.returncode == 2
    assert "loss is not a number for 16 of 16 samples" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


@pytest.mark.long
def test_a_residual_network_without_channels_is_still_known(run, tmp_path):
    torch.manual_seed(0)
    path, zeroed, out = (tmp_path / f"{name}.safetensors" for name in ("whole", "zeroed", "out"))
    save_torch(CifarResNet(8).state_dict(), path)
    common = ("prune", path, "--data", "shapes", "--samples", 16, "--by", "norm", "--quiet")
    for options in (["--out", zeroed], ["--remove", "--out", out]):
        result = run(*common, *options)
        assert result.returncode == 0, result.stderr
    assert load_file(out)["layer1.0.conv1.weight"].shape == (13, 16, 3, 3)
    x = of_one_input(torch.randn(4, 3, 32, 32))
    with torch.no_grad():
        expected = x.call(runnable(zeroed).module)
        torch.testing.assert_close(x.call(runnable(out).module), expected, rtol=0, atol=1e-5)
    result = run("analyze", out, "--json", tmp_path / "a.json", "--data", "shapes", "--samples", 16)
    assert result.returncode == 0, result.stderr
