"""Two real processes give what one gives, with uneven shards."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from safetensors.torch import load_file

pytest.importorskip("lightning_fabric", reason="needs the extra train")

from tests.training.conftest import ROOT
from tests.training.runs import assert_same_run

# 21 samples a step are 11 and 10; the last 10 of 94 are 5 and 5.
EXACT = (
    "dropout=0.0", "data.samples=94", "batch_size=21", "optimizer.name=sgd", "precision=64-true",
    "run.steps=10", "evaluate_every=0", "checkpoint_every=0",
)  # fmt: skip


def largest_difference(one, other):
    a, b = (load_file(run / "model.safetensors") for run in (one, other))
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.parametrize(
    "losses", [[], ["batch-entropy=0.2", "conv=0.01:first"]], ids=["plain", "entropy"]
)
def test_two_processes_are_one(stage, tmp_path, losses):
    given = (*EXACT, f"entropy={losses}")
    assert stage(tmp_path / "one", *given)[0] == 0
    assert stage(tmp_path / "two", *given, "processes=2", processes=2)[0] == 0
    assert largest_difference(tmp_path / "one", tmp_path / "two") < 1e-5
    started = tmp_path / "one" / "checkpoints" / "first.safetensors"
    moved = load_file(started)["blocks.0.0.weight"]
    ended = load_file(tmp_path / "one" / "model.safetensors")["blocks.0.0.weight"]
    assert float((moved - ended).abs().max()) > 1e-3  # something was learned at all


def test_two_processes_resume_as_one_run(stage, tmp_path):
    given = ("processes=2",)
    assert stage(tmp_path / "whole", *given, processes=2)[0] == 0
    out = tmp_path / "run"
    assert stage(out, *given, kill="write:4", processes=2)[0] != 0
    assert stage(out, *given, resume=True, processes=2)[0] == 0
    assert_same_run(tmp_path / "whole", out)
    assert stage(out, resume=True)[0] == 2  # one process cannot go on with a run of two


@pytest.mark.long
def test_torchrun_and_our_own_launcher(stage, tmp_path):
    words = [*EXACT, "processes=2"]
    from tests.training.runs import SMALL

    options = [word for pair in (*SMALL[1:], *words) for word in ("--set", pair)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launchers = {
        "own": [sys.executable, "-m", "infoflow"],
        "torchrun": [*torchrun, "-m", "infoflow"],
    }
    for name, launcher in launchers.items():
        result = subprocess.run(
            [*launcher, "train", "cnn", *options, "--no-report", "--out", tmp_path / name],
            cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert len(result.stdout.splitlines()) == 1
    assert largest_difference(tmp_path / "own", tmp_path / "torchrun") == 0
