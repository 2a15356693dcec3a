"""`infoflow train` and `infoflow recipes` as a user meets them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

pytest.importorskip("lightning_fabric", reason="needs the extra train")

from tests.cases import SAMPLES
from tests.cli.test_analyze import mistake
from tests.training.runs import assert_same_run

SHORT = (
    "--set", "data.samples=64", "--set", "validation_samples=32", "--set", "batch_size=16",
    "--set", "log_every=2", "--set", "threads=1", "--device", "cpu",
)  # fmt: skip


def test_a_checkpoint_is_trained_on(run, tmp_path):
    """The main case: architecture and head kept, the result needs no flags, and it is reported."""
    source, out = SAMPLES / "vgg-cifar10.safetensors", tmp_path / "run"
    result = run(
        "train", source, "--data", "shapes", "--entropy-loss", "conv=0.01:first", "--steps", 6,
        *SHORT, "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{out} · classification · 6 steps · test: loss ")
    assert len(result.stdout.splitlines()) == 1
    assert "step 6/6" in result.stderr
    before, after = load_file(source), load_file(out / "model.safetensors")
    assert {name: value.shape for name, value in before.items()} == {
        name: value.shape for name, value in after.items()
    }
    assert any((before[name] != after[name]).any() for name in before)
    started = load_file(out / "checkpoints" / "first.safetensors")
    assert all((started[name] == before[name]).all() for name in before)
    with safe_open(out / "model.safetensors", "np") as file:
        told = file.metadata()
    assert told["mean"] == "0.4914,0.4822,0.4465"
    assert told["input_size"] == "3x32x32"
    assert told["entropy"] == "conv=0.01:first"
    assert "VGG-style" in json.loads((out / "report.json").read_text())["architecture"]
    change = json.loads((out / "diff.json").read_text())
    assert len(change["layers"]) > 5
    assert "<html" in (out / "report.html").read_text()
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "4", "6", "6"]
    assert float(rows[0]["conv=0.01:first"]) > 0
    assert list((out / "tensorboard").glob("events.*"))

    again = run("train", source, "--data", "shapes", "--steps", 6, *SHORT, "--out", out)
    mistake(again, "already holds a run")


@pytest.mark.long
def test_a_network_of_a_family_needs_no_flags_afterwards(run, tmp_path):
    out = tmp_path / "run"
    result = run(
        "train", "unet", "--data", "shapes:masks", "--set", "depth=2", "--set", "width=4",
        "--steps", 3, *SHORT, "--out", out, "--no-report", "--quiet",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "segmentation · 3 steps" in result.stdout
    assert "mean_iou" in result.stdout
    assert not result.stderr
    assert not (out / "report.html").exists()
    analysed = run("analyze", out / "model.safetensors", "--json", "-", "--measures", "paper")
    assert analysed.returncode == 0, analysed.stderr
    report = json.loads(analysed.stdout)
    assert report["architecture"].startswith("unet(depth=2,width=4,norm=true,inputs=3x32x32,")
    assert report["settings"]["input-size"] == "32×32"


@pytest.mark.long
def test_an_interrupted_run_says_how_to_go_on_and_does(tmp_path, run):
    arguments = [
        "train", "fnn", "--data", "shapes", "--set", "depth=2", "--set", "width=16", "--steps",
        "3000", *SHORT, "--set", "evaluate_every=1000", "--set", "checkpoint_every=1000",
        "--no-report",
    ]  # fmt: skip
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert run(*arguments, "--out", whole).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "infoflow", *arguments, "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ,
    )  # fmt: skip
    metrics = out / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size > 200):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert f"The run goes on with: infoflow train {out} --resume" in stderr
    assert not (out / "model.safetensors").exists()
    resumed = run("train", out, "--resume", "--no-report")
    assert resumed.returncode == 0, resumed.stderr
    assert "Going on after step" in resumed.stderr
    assert_same_run(whole, out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lbe-fnn-mnits"], "nearest: 'lbe-fnn-mnist'"),
        (["lenet5", "--data", "shapes", "--entropy-loss", "covn=1"], "nearest: 'conv'"),
        (["lenet5", "--data", "shapes", "--set", "learning_rte=1"], "'learning_rate'"),
        (["lenet5", "--data", "shapes", "--steps", "1", "--epochs", "1"], "give one"),
        (["lenet5"], "data.name is empty"),
    ],
)
def test_mistakes_are_one_sentence(run, tmp_path, arguments, said):
    result = run("train", *arguments)
    mistake(result, said)
    assert not (tmp_path / "runs").exists()


def test_recipes_are_listed_and_printed(run):
    rows = json.loads(run("recipes", "--json").stdout)
    assert {row["name"] for row in rows} >= {"lbe-fnn-mnist", "fine-tune", "unet-shapes"}
    printed = run("recipes", "unet-shapes").stdout
    assert 'name = "shapes:masks"' in printed
    unknown = run("recipes", "unet-shape")
    mistake(unknown, "nearest: 'unet-shapes'")
