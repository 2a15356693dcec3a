"""`infoflow check` as a user meets it: a scratch folder, real checkpoints, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree as Tree

import numpy as np
import pytest
from safetensors.numpy import save_file

from infoflow.cli import main
from tests.cases import gaussian
from tests.cli.test_analyze import mistake

SETTINGS = """
checkpoints = ["*.safetensors"]
baseline = "baseline.json"
[[threshold]]
measure = "stable-rank"
layers = ["features.*"]
min = 0.1
[[threshold]]
measure = "weight-scale"
max-change-percent = 10
[[suppress]]
rule = "dead-filters"
layers = ["features.1"]
reason = "pruned on purpose, ticket 123"
"""


def weights(**changed):
    return {
        "features.0.weight": gaussian(8, 3, 3, 3, seed=1, scale=0.1),
        "features.1.weight": gaussian(8, 8, 3, 3, seed=2, scale=0.1),
        "head.weight": gaussian(4, 8, seed=3),
    } | changed


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run the command in this process: its exit code and what it wrote, as of a subprocess."""

    def command(*arguments, folder=tmp_path):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["infoflow", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as done:
            code = int(done.code or 0)
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return command


@pytest.fixture
def scratch(tmp_path, here):
    """A folder with a checkpoint, settings and the checkpoint's baseline."""
    save_file(weights(), tmp_path / "model.safetensors")
    (tmp_path / "infoflow.toml").write_text(SETTINGS)
    assert here("check", "--update-baseline").returncode == 0
    return tmp_path


def damage(scratch, filters=(0, 1, 2), scale=1.0):
    weight = gaussian(8, 8, 3, 3, seed=2, scale=0.1)
    weight[list(filters)] = 0
    head = scale * gaussian(4, 8, seed=3)
    changed = {"features.1.weight": weight, "head.weight": head.astype(np.float32)}
    save_file(weights(**changed), scratch / "model.safetensors")


def test_passing_then_failing_then_accepted(run, scratch):
    passed = run("check")
    assert passed.returncode == 0, passed.stdout
    assert "passed: " in passed.stdout
    assert "very file of the baseline" in passed.stdout
    damage(scratch)
    failed = run("check")
    assert failed.returncode == 1
    assert failed.stdout.startswith("FAIL weight-scale of features.1 went from ")
    assert "skip dead-filters" in failed.stdout
    assert "ticket 123" in failed.stdout
    assert failed.stderr == ""
    assert max(map(len, failed.stdout.splitlines())) <= 80
    assert run("check", "--update-baseline").returncode == 0
    assert run("check").returncode == 0


def test_an_update_changes_no_byte_without_a_reason(here, scratch):
    baseline = scratch / "baseline.json"
    before = baseline.read_bytes(), baseline.stat().st_mtime_ns
    result = here("check", "--update-baseline")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "baseline.json is up to date\n"
    assert (baseline.read_bytes(), baseline.stat().st_mtime_ns) == before
    damage(scratch)
    result = here("check", "--update-baseline")
    assert len(result.stderr.splitlines()) == 1
    assert "figures changed" in result.stderr
    old, new = before[0].decode().splitlines(), baseline.read_text("utf-8").splitlines()
    changed = [line for line in new if line not in old]
    assert any('"features.1"' in line for line in changed)
    assert not any('"features.0"' in line and '"measure"' in line for line in changed)
    settings = json.loads(baseline.read_text("utf-8"))
    assert (settings["created"], settings["series"]) == ("", [])
    assert settings["source"] == "model.safetensors"
    assert "command" not in settings["settings"]


def test_from_any_folder_of_the_repository(here, scratch):
    (scratch / ".git").mkdir()
    (scratch / "deep").mkdir()
    before = (scratch / "baseline.json").read_bytes()
    result = here("check", "--update-baseline", folder=scratch / "deep")
    assert result.returncode == 0, result.stderr
    assert "up to date" in result.stderr
    assert (scratch / "baseline.json").read_bytes() == before


def test_a_report_is_checked_without_the_checkpoint(here, scratch):
    assert here("analyze", "model.safetensors", "--json", "r.json", "--quiet").returncode == 0
    damage(scratch, scale=2.0)
    here("analyze", "model.safetensors", "--json", "worse.json", "--quiet")
    (scratch / "model.safetensors").unlink()
    assert here("check", "r.json").returncode == 0
    (scratch / "worse.json").rename(scratch / "worse")  # known by its content, not its name
    worse = here("check", "worse")
    assert worse.returncode == 1
    assert "weight-scale of head" in worse.stdout
    assert "(+100" in worse.stdout


def test_every_output(here, scratch):
    damage(scratch)
    result = here("check", "--out", "out", "--markdown", "m.md", "--annotations")
    assert result.returncode == 1
    assert result.stdout.startswith("::error file=model.safetensors,title=weight-scale of ")
    assert all(line.startswith("::") for line in result.stdout.splitlines())
    assert {path.name for path in (scratch / "out").iterdir()} == {
        "check.json",
        "check.md",
        "check.xml",
    }
    outcome = json.loads((scratch / "out" / "check.json").read_text("utf-8"))
    assert outcome["passed"] is False
    assert (scratch / "m.md").read_text("utf-8") == (scratch / "out" / "check.md").read_text(
        "utf-8"
    )
    root = Tree.fromstring((scratch / "out" / "check.xml").read_bytes())
    assert int(root.get("failures", "0")) == outcome["counts"]["failed"] > 0


@pytest.mark.parametrize("option", ["--json", "--markdown", "--junit"])
def test_standard_output_holds_what_was_asked_for(here, scratch, option):
    result = here("check", option, "-")
    assert result.returncode == 0
    if option == "--json":
        assert json.loads(result.stdout)["passed"] is True
    elif option == "--junit":
        assert Tree.fromstring(result.stdout.encode()).get("failures") == "0"
    else:
        assert result.stdout.startswith("## ✅ infoflow check: passed")
    assert result.stderr == ""


def test_quiet_says_nothing_but_by_its_exit_code(here, scratch):
    damage(scratch)
    result = here("check", "--quiet", "--junit", "x.xml")
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 1)


def test_without_settings_serious_findings_fail(here, tmp_path):
    save_file(weights(), tmp_path / "good.safetensors")
    good = here("check", "good.safetensors")
    assert good.returncode == 0
    assert "default gate" in good.stdout
    broken = gaussian(4, 8)
    broken[1, 2] = np.nan
    save_file(weights(**{"head.weight": broken}), tmp_path / "bad.safetensors")
    bad = here("check", "bad.safetensors", "good.safetensors")
    assert bad.returncode == 1
    assert bad.stdout.startswith("FAIL bad.safetensors: non-finite-weights: ")


def test_a_diverged_network_fails_every_threshold_of_the_layer(here, scratch):
    broken = gaussian(8, 8, 3, 3)
    broken[0, 0, 0, 0] = np.inf
    save_file(weights(**{"features.1.weight": broken}), scratch / "model.safetensors")
    result = here("check", "--json", "-")
    assert result.returncode == 1
    failed = [row for row in json.loads(result.stdout)["rows"] if row["verdict"] == "failed"]
    subjects = {row["subject"] for row in failed if row["layers"] == ["features.1"]}
    assert {"stable-rank", "weight-scale", "non-finite-weights"} <= subjects


def test_a_layer_that_lost_a_direction_falls_without_end(here, scratch):
    (scratch / "infoflow.toml").write_text(
        SETTINGS + '[[threshold]]\nmeasure = "log-volume.density"\nmax-decrease = 1000\n'
    )
    weight = gaussian(8, 3, 3, 3, seed=1, scale=0.1)
    weight[:, 0] = 0
    save_file(weights(**{"features.0.weight": weight}), scratch / "model.safetensors")
    result = here("check")
    assert result.returncode == 1
    assert "FAIL log-volume.density of features.0 went from " in result.stdout
    assert " to −∞ " in result.stdout.replace("\n     ", " ")


def test_nothing_but_nan_has_no_figures_to_keep(here, tmp_path):
    (tmp_path / "infoflow.toml").write_text('measures = "stable-rank"\nbaseline = "b.json"')
    save_file({"a.weight": np.full((4, 4), np.nan, np.float32)}, tmp_path / "m.safetensors")
    mistake(here("check", "m.safetensors", "--update-baseline"), "m.safetensors", "needs figures")
    assert not (tmp_path / "b.json").exists()
    (tmp_path / "infoflow.toml").write_text('measures = "stable-rank"')
    result = here("check", "m.safetensors")
    assert result.returncode == 1
    assert "no figure at all" in result.stdout


def test_several_checkpoints_in_one_baseline(here, scratch):
    (scratch / "sub").mkdir()
    save_file(weights(), scratch / "sub" / "model.safetensors")
    settings = SETTINGS.replace('["*.safetensors"]', '["**/*.safetensors"]')
    (scratch / "infoflow.toml").write_text(settings)
    assert here("check", "--update-baseline").returncode == 0
    names = [report["source"] for report in json.loads((scratch / "baseline.json").read_text())]
    assert names == ["model.safetensors", "sub/model.safetensors"]
    assert here("check").returncode == 0
    damage(scratch)
    failed = here("check")
    assert failed.returncode == 1
    assert "FAIL model.safetensors: weight-scale" in failed.stdout
    assert "FAIL sub/" not in failed.stdout
    # One of them alone leaves the other in the baseline.
    assert here("check", "model.safetensors", "--update-baseline").returncode == 0
    assert len(json.loads((scratch / "baseline.json").read_text())) == 2
    assert here("check").returncode == 0
    save_file(weights(), scratch / "third.safetensors")
    assert "baseline does not hold it" in " ".join(here("check").stdout.split())


def test_pyproject_serves_too(here, tmp_path):
    save_file(weights(), tmp_path / "model.safetensors")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.infoflow]\nmeasures = "stable-rank"\n'
        '[[tool.infoflow.threshold]]\nmeasure = "stable-rank"\nmax = 0.5\n'
    )
    result = here("check", "model.safetensors")
    assert result.returncode == 1
    assert "pyproject.toml" in result.stdout


def test_mistakes_end_in_one_sentence(here, scratch):
    def settings(text):
        (scratch / "infoflow.toml").write_text(text)

    threshold = '[[threshold]]\nmeasure = "stable-rank"\n'
    settings(threshold + "min = nan")
    mistake(here("check", "model.safetensors"), "infoflow.toml", "number 1", "finite")
    settings(threshold + "min = inf")
    mistake(here("check", "model.safetensors"), "not a finite number")
    settings(threshold + "max-change = 1")
    mistake(here("check", "model.safetensors"), "needs a baseline")
    settings(threshold + 'min = 1\nstatistic = "meen"')
    mistake(here("check", "model.safetensors"), "no statistic 'meen'")
    settings('fail-on = "never"')
    mistake(here("check", "model.safetensors"), "nothing is checked")
    settings('measure = "paper"')
    mistake(here("check", "model.safetensors"), "nearest: 'measures'")
    settings("= 3")
    mistake(here("check", "model.safetensors"), "not TOML")
    settings("")
    mistake(here("check"), "What shall be checked?")
    settings('checkpoints = ["*.pth"]')
    mistake(here("check"), "'*.pth'", "matches no file")
    mistake(here("check", "missing.pt"), "missing.pt")
    mistake(here("check", "model.safetensors", "--baseline", "none.json"), "--update-baseline")
    mistake(here("check", "model.safetensors", "--config", "none.toml"), "none.toml")
    mistake(here("check", "model.safetensors", "--update-baseline"), "Which baseline?")
    mistake(here("check", "model.safetensors", "--json", "-", "--annotations"), "standard output")
    mistake(here("check", "model.safetensors", "--junit", "no/x.xml"), "does not exist")
    mistake(here("check", "model.safetensors", "--out", "infoflow.toml"), "not a folder")
    mistake(
        here("check", "model.safetensors", "--baseline", "b", "--update-baseline", "--junit", "-"),
        "checks nothing",
    )
    (scratch / "text.json").write_text("{}")
    mistake(here("check", "text.json"), "text.json", "not a report")
    mistake(here("check", "model.safetensors", "--baseline", "text.json"), "text.json")
    mistake(
        here("check", "model.safetensors", "--baseline", "text.json", "--update-baseline"),
        "not overwritten",
    )
    assert (scratch / "text.json").read_text() == "{}"
    (scratch / "pyproject.toml").write_text("[tool.infoflow]")
    mistake(here("check", "model.safetensors"), "keep one")


def test_another_kind_of_analysis_is_refused(here, scratch):
    (scratch / "infoflow.toml").write_text("fast = true\n" + SETTINGS)
    mistake(here("check"), "baseline.json", "fast")


def test_names_from_the_file_reach_no_terminal_and_no_xml(here, tmp_path):
    name = "evil\x1b[2J\x00::error::x\n|<b>\u202e"
    dead = gaussian(4, 4)
    dead[0] = 0
    save_file({f"{name}.weight": dead}, tmp_path / "evil.safetensors")
    (tmp_path / "infoflow.toml").write_text('fail-on = "note"')
    result = here("check", "evil.safetensors", "--out", "out")
    assert result.returncode == 1
    assert "\x1b" not in result.stdout + result.stderr
    assert "evil\\x1b[2J\\x00" in "".join(result.stdout.split())
    Tree.fromstring((tmp_path / "out" / "check.xml").read_bytes())
    assert "<b>" not in (tmp_path / "out" / "check.md").read_text("utf-8")
    commands = here("check", "evil.safetensors", "--annotations").stdout.splitlines()
    assert all(line.startswith(("::error file=", "::warning file=")) for line in commands)


def test_no_colour_in_a_pipe(run, scratch):
    assert "\x1b" not in run("check", FORCE_COLOR="1").stdout
    assert "\x1b" not in run("check", "--no-color").stdout


def test_torch_is_not_loaded(here, scratch):
    code = (
        "import sys\nsys.argv = ['infoflow', 'check', '--quiet']\n"
        "from infoflow.cli import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n"
        "    print(done.code, 'torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=scratch, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["0", "False", "False"]


@pytest.mark.parametrize(
    "options",
    [["--json", "m.safetensors"], ["--baseline", "m.safetensors", "--update-baseline"],
     ["--markdown", "infoflow.toml"]],
)  # fmt: skip
def test_an_output_over_an_input_is_refused(here, tmp_path, options):
    save_file(weights(), tmp_path / "m.safetensors")
    (tmp_path / "infoflow.toml").write_text("")
    before = [(tmp_path / name).read_bytes() for name in ("m.safetensors", "infoflow.toml")]
    mistake(here("check", "m.safetensors", *options), "belongs to the input")
    assert before == [(tmp_path / n).read_bytes() for n in ("m.safetensors", "infoflow.toml")]
