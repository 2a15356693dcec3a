"""`infoflow prune` as a user meets it: the files are read back, the planted filters go first."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from infoflow import cli
from tests.cases import SAMPLES, gaussian
from tests.cli.test_analyze import mistake

VGG = SAMPLES / "vgg-cifar10.safetensors"
COPIES = {(2, 9): 1.0, (4, 11): 3.0, (6, 13): -1.0}
DEAD = 15


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The sample with a duplicate, a tripled and a negated copy and a dead filter in one layer."""
    tensors = {name: value.copy() for name, value in load_file(VGG).items()}
    weight = tensors["features.7.weight"]
    for (original, copy), factor in COPIES.items():
        weight[copy] = factor * weight[original]
    for name in ("7.weight", "8.weight", "8.bias"):
        tensors[f"features.{name}"][DEAD] = 0
    path = tmp_path_factory.mktemp("planted") / "planted.safetensors"
    with safe_open(VGG, "np") as file:
        save_file(tensors, path, file.metadata())
    return path


def test_planted_filters_go_first_and_the_file_is_read_like_the_other(run, planted, tmp_path):
    out, report = tmp_path / "pruned.safetensors", tmp_path / "report.json"
    result = run(
        "prune", planted, "--data", "shapes", "--samples", 48, "--share", 5 / 224,
        "--across-layers", "--out", out, "--json", report,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "5 of 224 filters of 6 convolutions dead, by redundancy" in " ".join(
        result.stdout.split()
    )
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr.splitlines()[-2:] == [f"wrote {out}", f"wrote {report}"]
    told = json.loads(report.read_text())
    removed = told["removed"]
    assert removed[0] == {
        "layer": "features.7", "filter": DEAD, "score": None, "reason": "dead", "like": None,
    }  # fmt: skip
    assert {one["reason"] for one in removed[1:4]} == {"copy"}
    assert {one["layer"] for one in removed[1:4]} == {"features.7"}
    pairs = {tuple(sorted((one["filter"], one["like"]))) for one in removed[1:4]}
    assert pairs == set(COPIES)
    assert removed[4]["reason"] == "similar"

    before, after = load_file(planted), load_file(out)
    assert {name: value.shape for name, value in after.items()} == {
        name: value.shape for name, value in before.items()
    }
    gone = {(one["layer"], one["filter"]) for one in removed}
    norms = {layer["name"]: layer["norms"] for layer in told["layers"]}
    for layer, index in gone:
        for part in (layer, *norms[layer]):
            for leaf in ("weight", "bias"):
                if f"{part}.{leaf}" in before:
                    before[f"{part}.{leaf}"][index] = 0
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)

    again = run("analyze", out, "--json", "-", "--measures", "zeros")
    assert again.returncode == 0, again.stderr
    with safe_open(out, "np") as file:
        metadata = file.metadata()
    assert metadata["mean"] == "0.4914,0.4822,0.4465"
    assert metadata["pruned"] == "5 of 224 filters made dead, by redundancy"
    assert "accuracy" not in metadata
    assert "VGG-style" in json.loads(again.stdout)["architecture"]


def test_a_dead_filter_costs_nothing_and_others_are_measured_beside(run, planted):
    result = run(
        "prune", planted, "--data", "shapes", "--samples", 32, "--share", 1 / 224, "--json", "-",
        "--across-layers", "--batch-size", 13,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "not written" in result.stderr
    effects = json.loads(result.stdout)["effects"]
    assert [one["method"] for one in effects] == [
        "unpruned", "redundancy", "norm", "random", "random-same-layers",
    ]  # fmt: skip
    whole, redundancy, norm, random, same = effects
    assert [one["filters"] for one in effects] == [0, 1, 1, 1, 1]
    assert same["change"]["value"] != random["change"]["value"]
    assert redundancy["loss"]["value"] == whole["loss"]["value"]
    assert redundancy["change"] == {
        "value": 0, "low": 0, "high": 0, "ends": "95 % interval",
    }  # fmt: skip
    assert norm["loss"]["value"] == whole["loss"]["value"]  # the dead one is the smallest, too
    assert [seed for seed, _, _ in random["seeds"]] == [0, 1, 2, 3, 4]
    losses = [loss for _, loss, _ in random["seeds"]]
    assert random["loss"]["value"] == pytest.approx(np.mean(losses))
    assert len(set(losses)) > 1


def test_half_precision_stays(run, tmp_path):
    half = {
        name: value.astype(np.float16) if value.dtype == np.float32 else value
        for name, value in load_file(VGG).items()
    }
    path, out = tmp_path / "half.safetensors", tmp_path / "pruned.safetensors"
    save_file(half, path)
    result = run(
        "prune", path, "--data", "shapes", "--samples", 16, "--by", "norm", 
        "--out", out, "--quiet",
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    found = load_file(out)
    assert {name: value.dtype for name, value in found.items()} == {
        name: value.dtype for name, value in half.items()
    }
    first = found["features.0.weight"].reshape(16, -1)
    norms = np.abs(half["features.0.weight"].astype(np.float64)).reshape(16, -1).sum(axis=1)
    assert set(np.flatnonzero((first == 0).all(axis=1))) == set(np.argsort(norms)[:3])


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run in this process what ends in a mistake; nothing may be left behind."""

    def command(*arguments):
        monkeypatch.chdir(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        monkeypatch.setattr("sys.argv", ["infoflow", "prune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        return type("Result", (), {
            "returncode": ended.value.code, "stdout": said.out, "stderr": said.err,
        })  # fmt: skip

    return command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "nonsense"), ["'nonsense'", "redundancy", "norm", "random"]),
        (("--share", 0), ["share of 0", "between 0 and 1"]),
        (("--share", 1), ["share of 1", "between 0 and 1"]),
        (("--share", "nan"), ["share of nan", "between 0 and 1"]),
        (
            ("--share", 0.001, "--across-layers"),
            ["0.001 of 224 filters is less than one", "0.0045"],
        ),
        (("--share", 0.005), ["64 filters, the most that a layer has, is less than one"]),
        (("--layers", "featurs.7"), ["'featurs.7'", "nearest: 'features.7'"]),
        (("--out", "pruned.pt"), ["pruned.pt", "safetensors"]),
        (("--out", "nowhere/pruned.safetensors"), ["folder does not exist"]),
        (("--out", "a.safetensors", "--json", "a.safetensors"), ["two outputs"]),
    ],
)
def test_mistakes(refused, arguments, words):
    mistake(refused(VGG, "--data", "shapes", "--samples", 16, *arguments), *words)


def test_the_input_is_never_written_over(refused, tmp_path):
    copy = tmp_path / "model.safetensors"
    copy.write_bytes(VGG.read_bytes())
    link = tmp_path / "link.safetensors"
    link.symlink_to(copy)
    for target in (copy, link):
        mistake(refused(copy, "--data", "shapes", "--out", target), "belongs to the input")
    mistake(refused(copy, "--data", "shapes", "--json", copy), "belongs to the input")


def test_without_data_or_a_file_or_convolutions_or_targets(refused, tmp_path):
    mistake(refused(VGG), "--data")  # the option is missing
    mistake(refused("missing.pt", "--data", "shapes"), "missing.pt", "no such file")
    dense = SAMPLES / "deep-fnn-he-init.pt"
    mistake(refused(dense, "--data", "shapes", "--samples", 16), "no convolution")
    images = gaussian(12, 3, 32, 32)
    np.savez(tmp_path / "bare.npz", images=images)
    mistake(refused(VGG, "--data", "npz:bare.npz"), "no labels", "loss")
    np.savez(tmp_path / "wrong.npz", images=images, labels=np.full(12, 77))
    mistake(refused(VGG, "--data", "npz:wrong.npz"), "77")
