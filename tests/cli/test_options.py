"""Every option of the command reaches the function behind it; every way out has its code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import infoflow.analysis
import infoflow.network
import infoflow.selftest
from infoflow.cli.app import app
from tests.cases import SAMPLES
from tests.render.reports import example_report

SAMPLE = str(SAMPLES / "lenet5-mnist.pt")


@pytest.fixture
def asked(monkeypatch):
    """The options with which `analyze` was called, its work replaced by a ready report."""
    calls = []

    def spy(source, **options):
        calls.append(options)
        return example_report(layers=3)

    monkeypatch.setattr(infoflow.analysis, "analyze", spy)
    return calls


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--measures", "paper"], "measures", "paper"),
        (["--layers", "a*", "--layers", "!b"], "layers", ["a*", "!b"]),
        (["--arch", "timm:x"], "arch", "timm:x"),
        (["--input-size", "32x16"], "input_size", (32, 16)),
        (["--weights", "ema"], "weights", "ema"),
        (["--trust-pickle"], "trust_pickle", True),
        (["--device", "cuda:1"], "device", "cuda:1"),
        (["--fast"], "fast", True),
        (["--seed", "7"], "seed", 7),
        (["--workers", "3"], "workers", 3),
        (["--engine", "ray"], "engine", "ray"),
        (["--resume", "done.jsonl"], "resume", Path("done.jsonl")),
        ([], "complete", False),
        (["--csv", "-"], "complete", True),
    ],
)
def test_every_option_arrives(asked, arguments, name, value):
    result = CliRunner().invoke(app, ["analyze", SAMPLE, *arguments])
    assert result.exit_code == 0, result.output
    assert asked[0][name] == value


def test_verbose_and_widths_arrive(asked):
    plain = CliRunner().invoke(app, ["analyze", SAMPLE]).stdout
    verbose = CliRunner().invoke(app, ["analyze", SAMPLE, "--verbose"]).stdout
    assert len(verbose.splitlines()) > len(plain.splitlines())


def test_layers_passes_weights_on(monkeypatch):
    seen = {}

    def spy(source, **options):
        seen.update(options)
        raise infoflow.InfoflowError("enough")

    monkeypatch.setattr(infoflow.network, "open_network", spy)
    CliRunner().invoke(app, ["layers", SAMPLE, "--weights", "raw", "--trust-pickle"])
    assert (seen["weights"], seen["trust_pickle"]) == ("raw", True)


def test_plots_take_their_format(run, small_file, tmp_path):
    result = run("analyze", small_file, "--plots", "p", "--format", "svg", "--quiet")
    assert result.returncode == 0, result.stderr
    assert {path.suffix for path in (tmp_path / "p").iterdir()} == {".svg"}
    assert result.stdout == ""


def test_a_list_of_reports_names_each_source(run, small_file, tmp_path):
    other = small_file.with_name("other.safetensors")
    other.write_bytes(small_file.read_bytes())
    both = json.loads(run("analyze", small_file, other, "--json", "-").stdout)
    assert [Path(report["source"]).name for report in both] == [
        "small.safetensors",
        "other.safetensors",
    ]


def test_an_internal_fault_says_that_it_is_one(tmp_path):
    code = (
        "import infoflow.analysis, infoflow.cli, sys\n"
        "def fail(*a, **k): raise RuntimeError('boom\\x1b[31m')\n"
        "infoflow.analysis.analyze = fail\n"
        f"sys.argv = ['infoflow', 'analyze', {SAMPLE!r}]\n"
        "infoflow.cli.main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 70
    assert len(result.stderr.strip().splitlines()) == 1
    assert "internal fault" in result.stderr
    assert "\x1b" not in result.stderr
    kept = result.stderr.rpartition("traceback is in ")[2].strip().rstrip(".")
    assert "RuntimeError" in Path(kept).read_text("utf-8")
    Path(kept).unlink()


def test_a_failed_self_test_is_exit_code_1(monkeypatch):
    failed = replace(infoflow.selftest.run()[0], passed=False)
    monkeypatch.setattr(infoflow.selftest, "run", lambda: [failed])
    assert CliRunner().invoke(app, ["selftest"]).exit_code == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(small_file):
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "infoflow", "analyze", small_file],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr == (
        "infoflow: standard output: cannot be written: no space left on device.\n"
    )


def test_progress_is_shown_on_a_terminal_and_on_standard_error(small_file):
    """A pseudo-terminal as standard error, and no patience, so that a small file shows it."""
    code = (
        "import sys, infoflow.cli.progress as p\n"
        "p._PATIENCE = 0.0\n"
        f"sys.argv = ['infoflow', 'analyze', {str(small_file)!r}, '--json', '-']\n"
        "from infoflow.cli import main\nmain()"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs)
    output, _ = process.communicate(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    json.loads(output)
    assert "1/3 features.1" in shown
    assert "left" in shown


def test_a_name_with_escape_codes_reaches_no_terminal(run):
    result = run("analyze", "\x1b[31mmissing.pt")
    assert result.returncode == 2
    assert "\x1b" not in result.stderr


def test_the_slim_requirements_are_the_dependencies_without_torch():
    root = SAMPLES.parent
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (root / "requirements-slim.txt").read_text("utf-8").splitlines()
    slim = {line for line in lines if line and not line.startswith("#")}
    needed = {line for line in project["dependencies"] if not line.startswith("torch")}
    assert slim == needed


def test_measures_asked_for_by_name_have_columns(run, small_file):
    result = run("analyze", small_file, "--measures", "weight-scale,effective-rank", columns=100)
    assert "weight-scale" in result.stdout
    assert "effective-rank" in result.stdout
    assert "0.10" in result.stdout


def test_what_was_done_to_the_file_is_said(run):
    result = run("analyze", SAMPLES / "deep-fnn-he-init.pt", "--measures", "paper")
    assert "The weights are those under 'state_dict'." in result.stdout
