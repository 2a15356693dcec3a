"""The composite action: its shell steps as GitHub runs them, on a scratch repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from tests.cases import SAMPLES, gaussian

ROOT = SAMPLES.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
SHELLS = {name: step["run"] for name, step in STEPS.items() if "run" in step}
BASH = shutil.which("bash")
GUIDE = (ROOT / "docs" / "check.md").read_text("utf-8")

pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

THRESHOLD = '[[threshold]]\nmeasure = "stable-rank"\nmin = {}\n'


@pytest.fixture
def scratch(tmp_path):
    """A repository with a checkpoint and settings that it passes."""
    repository = tmp_path / "repo with space"
    (repository / ".git").mkdir(parents=True)
    weights = {"a.weight": gaussian(8, 8, seed=1), "b.weight": gaussian(8, 8, seed=2)}
    save_file(weights, repository / "model.safetensors")
    (repository / "infoflow.toml").write_text(THRESHOLD.format(1.5))
    return repository


@pytest.fixture
def step(tmp_path, scratch):
    """Run the action's check with inputs; its files are read back after it."""
    command = tmp_path / "infoflow"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m infoflow "$@"\n')
    command.chmod(0o755)
    (tmp_path / "temp").mkdir()

    def run(path="model.safetensors", config="", baseline=""):
        summary, output = tmp_path / "summary.md", tmp_path / "output"
        summary.write_text("before\n")
        output.write_text("")
        script = tmp_path / "script.sh"
        script.write_text(SHELLS["Check"])
        given = {
            "CHECK_COMMAND": str(command),
            "CHECK_PATH": path,
            "CHECK_CONFIG": config,
            "CHECK_BASELINE": baseline,
        }
        assert given.keys() == STEPS["Check"]["env"].keys()
        result = subprocess.run(
            # As GitHub does for `shell: bash`.
            [BASH, "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=scratch,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "RUNNER_TEMP": str(tmp_path / "temp")}
            | {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
            | given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        return result, summary.read_text("utf-8"), outputs

    return run


def test_passing(step):
    result, summary, outputs = step()
    assert result.returncode == 0, result.stderr
    assert (result.stdout, result.stderr) == ("", "")
    assert summary.startswith("before\n## ✅ infoflow check: passed")
    assert outputs["passed"] == "true"
    with open(outputs["report"], encoding="utf-8") as file:  # noqa: PTH123
        assert json.load(file)["passed"] is True
    assert outputs["junit"].endswith("check.xml")


def test_failing(step, scratch):
    (scratch / "infoflow.toml").write_text(THRESHOLD.format(100))
    result, summary, outputs = step()
    assert result.returncode == 1
    assert result.stdout.startswith("::error file=model.safetensors,title=stable-rank of a::")
    assert "## ❌ infoflow check: failed: 2 of 3 checks" in summary
    assert "| a | stable-rank |" in summary
    assert outputs["passed"] == "false"
    with open(outputs["report"], encoding="utf-8") as file:  # noqa: PTH123
        assert json.load(file)["counts"]["failed"] == 2


def test_a_check_that_cannot_be_made(step, scratch):
    (scratch / "infoflow.toml").write_text(THRESHOLD.format("nan"))
    result, summary, outputs = step()
    assert result.returncode == 2
    assert "not a finite number" in result.stderr
    assert "could not be made" in summary
    assert outputs == {"passed": "false"}


def test_several_paths_a_config_and_a_baseline(step, scratch):
    save_file({"a.weight": np.eye(4, dtype=np.float32)}, scratch / "-other.safetensors")
    (scratch / "other settings.toml").write_text('fail-on = "warning"')
    result, summary, _ = step("model.safetensors\n-other.safetensors\n", "other settings.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "**&#45;other.safetensors**" in summary
    result, _, _ = step(baseline="no baseline.json")
    assert result.returncode == 2
    assert "no baseline.json" in result.stderr


def test_without_a_path_the_settings_name_the_checkpoints(step, scratch):
    (scratch / "infoflow.toml").write_text('checkpoints = ["*.safetensors"]')
    result, summary, _ = step("")
    assert result.returncode == 0, result.stderr
    assert "model.safetensors" in summary


@pytest.mark.parametrize(
    "hostile",
    ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "a b; touch pwned", "--trust-pickle"],
)
def test_inputs_are_never_code(step, scratch, hostile):
    result, _, outputs = step(hostile, hostile, hostile)
    assert result.returncode == 2
    assert outputs == {"passed": "false"}
    result, _, _ = step(hostile)
    assert result.returncode == 2
    assert not (scratch / "pwned").exists()


@pytest.mark.parametrize("name", SHELLS)
def test_no_expression_stands_in_a_script(name):
    assert "${{" not in SHELLS[name]
    assert STEPS[name]["shell"] == "bash"
    subprocess.run([BASH, "-n"], input=SHELLS[name], text=True, check=True)


def test_every_variable_of_a_script_is_set():
    for name, script in SHELLS.items():
        wanted = set(re.findall(r"\$\{?(CHECK_\w+)", script))
        assert wanted == STEPS[name]["env"].keys()


def test_inputs_and_outputs_exist_where_they_are_used():
    text = (ROOT / "action.yml").read_text("utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == ACTION["inputs"].keys()
    written = set(re.findall(r'echo "(\w+)=', SHELLS["Check"]))
    used = {re.fullmatch(r"\$\{\{ steps\.check\.outputs\.(\w+) \}\}", o["value"])[1]
            for o in ACTION["outputs"].values()}  # fmt: skip
    assert used == written == ACTION["outputs"].keys()
    assert all(i["description"] and "default" in i for i in ACTION["inputs"].values())


def test_the_installation_runs_what_is_there(tmp_path):
    """The install step with a stand-in for Python: which requirements it would install."""
    log = tmp_path / "log"
    stand_in = tmp_path / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text(
        '#!/bin/sh\necho "$@" >> "$LOG"\n'
        'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
    )
    stand_in.chmod(0o755)
    (tmp_path / "temp").mkdir()
    output = tmp_path / "output"
    for slim, packages, words in (
        (
            "true",
            "onnx>=1.16\n\nh5py",
            ["requirements-slim.txt", f"--no-deps {ROOT}", "-- onnx>=1.16 h5py"],
        ),
        ("false", "", [f"--quiet {ROOT}"]),
        ("maybe", "", []),
    ):
        log.write_text("")
        output.write_text("")
        result = subprocess.run(
            [BASH, "-eo", "pipefail", "-c", SHELLS["Install infoflow"]],
            env={
                "PATH": f"{stand_in.parent}:{os.environ['PATH']}",
                "LOG": str(log),
                "RUNNER_TEMP": str(tmp_path / "temp"),
                "GITHUB_OUTPUT": str(output),
                "CHECK_SOURCE": str(ROOT),
                "CHECK_SLIM": slim,
                "CHECK_PACKAGES": packages,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == (2 if slim == "maybe" else 0), result.stderr
        assert all(word in log.read_text() for word in words)
        assert ("command=" in output.read_text()) == (slim != "maybe")
    assert (ROOT / "requirements-slim.txt").is_file()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.S | re.M)


def test_the_workflows_of_the_guide_are_workflows():
    workflows = [yaml.safe_load(block) for block in blocks("yaml")]
    assert len(workflows) == 2
    for workflow in workflows:
        assert workflow[True]  # YAML 1.1 reads the key `on` as true
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            assert job["runs-on"]
            assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    (ours,) = (
        step for step in workflows[0]["jobs"]["check"]["steps"] if "infoflow" in step["uses"]
    )
    assert ours["with"].keys() <= ACTION["inputs"].keys()
    used = set(re.findall(r"steps\.infoflow\.outputs\.(\w+)", GUIDE))
    assert used <= ACTION["outputs"].keys()


def test_the_settings_of_the_guide_are_read(tmp_path):
    from infoflow.checking.files import read_settings
    from infoflow.checking.settings import Vocabulary
    from infoflow.findings import RULES
    from infoflow.measures import GROUPS, measures

    (block,) = blocks("toml")
    path = tmp_path / "infoflow.toml"
    path.write_text(block, "utf-8")
    known = Vocabulary(tuple(measures()), GROUPS, tuple(rule.name for rule in RULES))
    settings = read_settings(path, known)
    assert len(settings.thresholds) == 4
    assert settings.suppressions[0].reason == "pruned on purpose, ticket 123"


def test_the_python_of_the_guide_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (block,) = blocks("python")
    exec(compile(block, "docs/check.md", "exec"), {})
    summary, *rows = capsys.readouterr().out.splitlines()
    assert summary.startswith("passed: 6 checks")
    assert rows[0].startswith("passed stable-rank of conv1 is ")


def test_every_key_of_the_settings_is_in_the_guide():
    from infoflow.checking.settings import KEYS, SUPPRESSION_KEYS, THRESHOLD_KEYS

    for key in (*KEYS, *THRESHOLD_KEYS, *SUPPRESSION_KEYS):
        assert re.search(rf"(`|\[\[){key}(`|\]\])", GUIDE), key
