"""Killed with SIGKILL at any moment and resumed, a run ends in the same bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("lightning_fabric", reason="needs the extra train")

from tests.training.runs import assert_same_run

KILLED = -9


def survive(stage, out, assignments, kills):
    """Kills and resumes until all kills are done, then to the end; how often it was killed."""
    killed = 0
    for kill in kills:
        code, _ = stage(out, *assignments, resume=(out / "run.toml").exists(), kill=kill)
        assert code in (0, KILLED)
        killed += code == KILLED
        if code == 0:
            break
    code, _ = stage(out, *assignments, resume=(out / "run.toml").exists())
    assert code == 0
    return killed


def told(out):
    """What the runs in a folder told."""
    return Path(f"{out}.told").read_text()


@pytest.fixture(scope="module")
def whole(stage, tmp_path_factory):
    """A run that was not interrupted, with two workers, and its seconds."""
    out = tmp_path_factory.mktemp("whole") / "run"
    code, seconds = stage(out, "workers=2")
    assert code == 0
    return out, seconds


@pytest.mark.parametrize(("kill", "step"), [("write:4", 9), ("rename:6", 15), ("evaluate:3", 15)])
def test_a_run_that_was_killed_at_a_certain_moment(stage, whole, tmp_path, kill, step):
    out = tmp_path / "run"
    assert survive(stage, out, ["workers=2"], [kill]) == 1
    assert f"Going on after step {step} of 24." in told(out)
    assert_same_run(whole[0], out)
    assert not list(out.rglob("*.tmp"))


def test_a_run_that_was_killed_at_three_random_moments(stage, whole, tmp_path):
    out, draw = tmp_path / "run", random.Random(9)
    kills = [draw.uniform(0.3, 0.7) * whole[1] for _ in range(3)]
    assert survive(stage, out, ["workers=2"], kills) >= 1
    assert_same_run(whole[0], out)


def test_a_run_that_was_asked_to_stop_writes_a_checkpoint_first(stage, tmp_path):
    seldom = ("checkpoint_every=100",)
    assert stage(tmp_path / "whole", *seldom)[0] == 0
    out = tmp_path / "run"
    assert stage(out, *seldom, kill="asked:2")[0] == 130
    assert [file.name[:13] for file in (out / "checkpoints").glob("step*")] == ["step-00000012"]
    assert stage(out, *seldom, resume=True)[0] == 0
    assert_same_run(tmp_path / "whole", out)


@pytest.mark.long
def test_runs_that_were_killed_at_twenty_random_moments(stage, tmp_path):
    draw, killed = random.Random(20), 0
    longer = ("workers=2", "run.steps=120", "data.samples=300")
    reference = tmp_path / "whole"
    _, seconds = stage(reference, *longer)
    for number in range(10):
        out = tmp_path / f"run-{number}"
        kills = [draw.uniform(0.05, 0.9) * seconds for _ in range(4)]
        killed += survive(stage, out, longer, kills)
        assert_same_run(reference, out)
    assert killed >= 20


def test_another_number_of_workers_is_refused(stage, tmp_path):
    out = tmp_path / "run"
    assert stage(out, "workers=0", kill="write:3")[0] == KILLED
    assert stage(out, "workers=1", resume=True)[0] == 2
    assert stage(out, "workers=0", "threads=2", resume=True)[0] == 2
    assert stage(out, "workers=0", resume=True)[0] == 0


@pytest.mark.parametrize("newest", [True, False])
def test_a_damaged_last_checkpoint_is_passed_over(stage, whole, tmp_path, newest):
    out = tmp_path / "run"
    assert stage(out, "workers=2", kill="write:6")[0] == KILLED
    files = sorted((out / "checkpoints").glob("step-*.pt"))
    assert len(files) == 2
    for file in files[1:] if newest else files:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    code, _ = stage(out, "workers=2", resume=True)
    assert code == (0 if newest else 2)
    if newest:
        assert "damaged (its checksum is another)" in told(out)
        assert "Going on after step 12 of 24." in told(out)
        assert_same_run(whole[0], out)
