"""The same figures from every engine; what goes wrong in a worker is one sentence here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import infoflow
from infoflow.engines import ENGINES
from infoflow.errors import InfoflowError, MissingDependencyError, SelectionError
from tests.cases import SAMPLES, gaussian
from tests.processes import hear_interruptions

SAMPLE = SAMPLES / "lenet5-mnist.pt"


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    """Layers of some tenths of a second each: time to interrupt and to kill."""
    path = tmp_path / "slow.safetensors"
    save_file({f"layers.{i}.weight": gaussian(700, 700, seed=i) for i in range(6)}, path)
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    """Run ``infoflow analyze`` in a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "infoflow", "analyze", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interruptions,  # noqa: PLW1509
    )


def finish(*arguments: object) -> None:
    """Run ``infoflow analyze`` to its end, which is a good one."""
    process = start(*arguments)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said


def wait_for(path: Path, lines: int) -> None:
    """Until a journal has that many lines."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.exists() and path.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.01)
    raise AssertionError("the journal did not grow")


def figures(path: Path) -> list[object]:
    return list(json.loads(path.read_text("utf-8"))["measurements"])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_finds_what_one_process_finds(engine):
    if engine == "ray":
        pytest.importorskip("ray", reason="Ray is not installed")
    alone = infoflow.analyze(SAMPLE, measures="all")
    shared = infoflow.analyze(SAMPLE, measures="all", workers=2, engine=engine)
    assert shared.measurements == alone.measurements
    assert shared.series == alone.series
    assert shared.findings == alone.findings


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failure_in_a_worker_is_the_caller_s(engine, run, small_file):
    if engine == "ray":
        pytest.importorskip("ray", reason="Ray is not installed")
    result = run(
        "analyze", small_file, "--workers", 2, "--engine", engine, "--device", "nonsense:7"
    )
    assert result.returncode == 2
    assert "nonsense:7" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_progress_counts_every_layer(small_file):
    steps = []
    infoflow.analyze(small_file, workers=2, progress=steps.append)
    assert [step.done for step in steps] == [0, 1, 2, 3]
    assert steps[-1].share == pytest.approx(1.0)
    assert steps[-1].layer == ""
    assert steps[0].layer == "features.0"


def test_two_workers_need_the_memory_of_two(small_file):
    seen = {}
    for workers in (1, 2):
        steps = []
        infoflow.analyze(small_file, workers=workers, progress=steps.append)
        seen[workers] = steps[0].cost
    assert seen[2].memory == 2 * seen[1].memory
    assert seen[2].total == pytest.approx(seen[1].total / 2)


def test_requests_that_cannot_be_served():
    with pytest.raises(SelectionError, match="0 workers cannot work"):
        infoflow.analyze(SAMPLE, workers=0)
    with pytest.raises(SelectionError, match=r"No engine is called 'rai'.*ray"):
        infoflow.analyze(SAMPLE, engine="rai")
    torch = pytest.importorskip("torch")
    with pytest.raises(SelectionError, match="live module"):
        infoflow.analyze(torch.nn.Linear(3, 2), workers=2)
    with pytest.raises(SelectionError, match="live module"):
        infoflow.analyze(torch.nn.Linear(3, 2), resume="x.jsonl")


def test_ray_that_is_not_installed_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'infoflow\[ray\]'"):
        infoflow.analyze(SAMPLE, engine="ray")


def test_a_cluster_that_is_not_there_is_one_sentence(run, small_file):
    pytest.importorskip("ray", reason="Ray is not installed")
    result = run("analyze", small_file, "--engine", "ray", RAY_ADDRESS="127.0.0.1:1")
    assert result.returncode == 2, result.stderr
    assert "Ray cannot be reached" in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_worker_that_is_killed_is_one_sentence(slow_file):
    journal = slow_file.with_name("done.jsonl")
    process = start(slow_file, "--workers", 2, "--resume", journal)
    wait_for(journal, 2)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "worker process was ended" in said
    assert len(said.strip().splitlines()) == 1


def children(pid: int) -> list[int]:
    """Processes that measure: every child but Python's resource tracker."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text():
            found.append(int(child))
    return found


@pytest.mark.parametrize(
    ("workers", "way"), [(1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGKILL)]
)
def test_an_interrupted_run_goes_on_from_the_layers_done(slow_file, workers, way):
    journal, out = slow_file.with_name("done.jsonl"), slow_file.with_name("resumed.json")
    arguments = [slow_file, "--json", out, "--workers", workers, "--resume", journal]
    process = start(*arguments)
    wait_for(journal, 2)
    os.killpg(process.pid, way)
    _, said = process.communicate(timeout=60)
    if way == signal.SIGINT:
        assert process.returncode == 130, said
        assert "goes on from there" in said
        assert "Traceback" not in said
    assert not out.exists()
    kept = journal.read_bytes()
    # A line that was cut off is left out.
    journal.write_bytes(kept[: kept.rfind(b"\n") + 1] + b'{"layer": "layers.5", "rows": [{')
    finish(*arguments)
    assert not journal.exists()
    straight = slow_file.with_name("straight.json")
    finish(slow_file, "--json", straight)
    resumed, whole = figures(out), figures(straight)
    assert [(r["layer"], r["measure"]) for r in resumed] == [
        (r["layer"], r["measure"]) for r in whole
    ]
    np.testing.assert_allclose(
        [r["value"] for r in resumed if r["value"] is not None],
        [r["value"] for r in whole if r["value"] is not None],
        rtol=1e-6,  # the last digits of ill-conditioned figures depend on the number of threads
    )


def test_layers_that_are_done_are_not_measured_again(small_file, monkeypatch):
    journal = small_file.with_name("done.jsonl")
    first = infoflow.analyze(small_file, resume=journal)
    from infoflow import measuring

    def fail(*arguments):
        raise AssertionError("measured again")

    monkeypatch.setattr(measuring, "measure_layer", fail)
    again = infoflow.analyze(small_file, resume=journal)
    assert again.measurements == first.measurements
    assert again.series == first.series


def test_a_run_goes_on_with_other_outputs(small_file):
    journal = small_file.with_name("done.jsonl")
    plain = infoflow.analyze(small_file, resume=journal, complete=False)
    assert plain.series == ()
    again = infoflow.analyze(small_file, resume=journal)
    assert again.measurements == plain.measurements
    assert again.series == infoflow.analyze(small_file).series != ()


def test_several_inputs_have_no_common_journal(run, small_file):
    result = run("analyze", small_file, small_file, "--resume", "x.jsonl")
    assert result.returncode == 2
    assert "one input" in result.stderr


def test_an_infoflow_error_of_a_worker_is_still_one(small_file):
    with pytest.raises(InfoflowError, match="nonsense"):
        infoflow.analyze(small_file, workers=2, device="nonsense:7")


ITS_OWN_CHILD = """
import multiprocessing, sys, time
import infoflow
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    child.start()
    try:
        infoflow.analyze(sys.argv[1], workers=2, device="nonsense:7")
    except infoflow.InfoflowError:
        time.sleep(0.5)
        print(child.is_alive())
    child.kill()
"""


def test_a_failure_ends_no_process_of_the_caller_s(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ITS_OWN_CHILD)
    done = subprocess.run(
        [sys.executable, script, SAMPLE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr
