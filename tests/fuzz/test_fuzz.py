"""Mutants of real files end in a report or in one sentence: a few hundred here, more when asked."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.errors import InfoflowError
from tests.fuzz import limits, worker
from tests.fuzz.limits import Counts, fuzz
from tests.fuzz.mutate import MUTATORS, mutant
from tests.fuzz.originals import ORIGINALS

FEW, MANY = 40, 3000


def check(name: str, counts: Counts, count: int) -> None:
    assert counts.failures == [], "\n".join(counts.failures)
    assert sum(counts.ends.values()) == count
    assert set(counts.ends) == set(limits.GOOD), f"{name} has no mutant of one kind"


def skip_unread(name: str) -> None:
    pytest.importorskip("torch")
    if name == "keras" and find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    if not ORIGINALS[name].is_read:
        pytest.skip(f"{name} is not read by infoflow")


@pytest.mark.parametrize("name", list(ORIGINALS))
def test_mutants(tmp_path: Path, name: str) -> None:
    skip_unread(name)
    check(name, fuzz(name, tmp_path, 0, FEW), FEW)


@pytest.mark.long
@pytest.mark.parametrize("name", list(ORIGINALS))
def test_thousands_of_mutants(tmp_path: Path, name: str) -> None:
    skip_unread(name)
    check(name, fuzz(name, tmp_path, 10_000, MANY), MANY)


def torchs_objection(path: Path) -> str:
    """Why torch's own restricted loader calls a file unsafe, or ``""``."""
    torch = pytest.importorskip("torch")
    try:
        torch.load(path, weights_only=True)
    except pickle.UnpicklingError as error:
        return str(error) if "Unsupported" in str(error) else ""
    except Exception:  # noqa: BLE001, RUF100  (damaged in torch's eyes, not unsafe)
        return ""
    return ""


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_nothing_is_read_that_torch_calls_unsafe(tmp_path: Path, name: str) -> None:
    """Mutants of pickles through torch's own restricted loader; some of them it does object to."""
    content = ORIGINALS[name].make(tmp_path).read_bytes()
    change = MUTATORS["pickle_in_zip" if name == "zip" else "pickles"]
    path, read, objections = tmp_path / "mutant", 0, 0
    for seed in range(120):
        path.write_bytes(change(content, np.random.default_rng(seed)))
        try:
            open_checkpoint(path)
        except InfoflowError:
            objections += bool(torchs_objection(path))
        else:
            read += 1
            assert torchs_objection(path) == "", f"seed {seed}"
    assert read > 5
    assert objections > 5


@pytest.mark.parametrize("name", [name for name, kind in ORIGINALS.items() if kind.is_read])
def test_every_mutator_changes_the_file_and_repeats_itself(tmp_path: Path, name: str) -> None:
    skip_unread(name)
    made = ORIGINALS[name].make(tmp_path)
    file = made if made.is_file() else min(made.iterdir())
    content = file.read_bytes()
    for mutator in ("bytes", *ORIGINALS[name].mutators):
        if mutator == "json" and not content.startswith(b"{"):
            continue
        changed = [MUTATORS[mutator](content, np.random.default_rng(seed)) for seed in range(20)]
        assert len(set(changed) - {content}) > 5, mutator
    again = [mutant(content, ORIGINALS[name].mutators, (seed, 1)) for seed in range(50)]
    assert again == [mutant(content, ORIGINALS[name].mutators, (seed, 1)) for seed in range(50)]


def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Counts:
    """The runner on a process that does what ``body`` says instead of running mutants."""
    script = tmp_path / "process.py"
    script.write_text(
        "import json, os, sys, time, signal\nseed = int(sys.argv[4])\n"
        "def say(**words): print(json.dumps(words), flush=True)\n" + body
    )
    popen = limits.subprocess.Popen

    def other(arguments: list[str], **options: object) -> object:
        return popen([arguments[0], str(script), *arguments[3:]], **options)

    monkeypatch.setattr(limits.subprocess, "Popen", other)
    counts = Counts()
    seed = 0
    while seed < 3:
        seed = limits._batch(counts, "zip", tmp_path, tmp_path, seed, 3)
    return counts


def test_the_runner_sees_a_crash_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "for now in range(seed, 3):\n"
        "    say(seed=now)\n"
        "    if now == 1: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    say(seed=now, ended='report', detail='')\n"
    )
    counts = batch(tmp_path, monkeypatch, body)
    assert counts.ends == {"report": 2, "crash": 1}
    assert "seed 1: crash: the process ended with -11" in counts.failures[0]
    assert "--seed 1 --count 1" in counts.failures[0]


def test_the_runner_ends_a_process_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 1)
    body = (
        "for now in range(seed, 3):\n"
        "    say(seed=now)\n"
        "    if now == 0: time.sleep(60)\n"
        "    say(seed=now, ended='report', detail='')\n"
    )
    counts = batch(tmp_path, monkeypatch, body)
    assert counts.ends == {"report": 2, "hang": 1}


@pytest.mark.parametrize(
    ("code", "out", "err", "ended"),
    [
        (2, "", "infoflow: x: damaged\n", "refused"),
        (2, "", "infoflow: x\nmore\n", "fault"),
        (2, "out", "infoflow: x\n", "fault"),
        (2, "", "", "fault"),
        (2, "", "infoflow: \x1b[31m\n", "fault"),
        (0, "{}", "", "report"),
        (0, "{}", "a warning", "fault"),
        (0, '{"a": NaN}', "", "fault"),
        (0, "", "", "fault"),
        (1, "", "infoflow: x\n", "fault"),
        (70, "", "infoflow: internal fault\n", "fault"),
    ],
)
def test_ends_are_told_apart(code: int, out: str, err: str, ended: str) -> None:
    assert worker.outcome(code, out, err, lambda report: None)[0] == ended


def test_the_canary_sees_what_code_would_do(tmp_path: Path) -> None:
    """In a process of its own: a hook of this kind cannot be taken away again."""
    import subprocess
    import sys

    script = (
        "import os, pickle, subprocess, sys\nfrom pathlib import Path\n"
        "from tests.fuzz.worker import Canary\n"
        "canary = Canary(Path('.'))\ncanary.watching = True\n"
        "os.system('true')\nsubprocess.run(['true'])\n"
        "pickle.loads(b'cos\\ngetpid\\n)R.')\nopen(sys.argv[1], 'w')\neval('1')\n"
        "canary.watching = False\nprint(len(canary.seen), canary.seen)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    for event in ("os.system", "subprocess.Popen", "pickle.find_class", "open"):
        assert event in run.stdout, run.stdout
