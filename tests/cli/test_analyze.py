"""`infoflow analyze` as a user meets it."""

from __future__ import annotations

import json
import os
import re
import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cases import gaussian


def mistake(result, *words):
    """Exit code 2, one sentence on standard error with these words; before it the plan at most."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    *before, sentence = result.stderr.strip().splitlines()
    assert not before or (len(before) == 1 and "activations and error signals" in before[0])
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in sentence


def test_the_table_fits_80_columns(run, small_file):
    result = run("analyze", small_file)
    assert result.returncode == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for word in ("features.0", "features.1", "head", "log|c₁₁|", "volume"):
        assert word in result.stdout
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_other_widths_lose_no_layer(run, small_file, columns):
    result = run("analyze", small_file, columns=columns)
    assert result.returncode == 0
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert "head" in result.stdout


def test_figures_equal_ten_lines_of_numpy(run, small_file):
    result = run("analyze", small_file, "--json", "-", "--measures", "paper")
    rows = json.loads(result.stdout)["measurements"]
    found = {(r["layer"], r["measure"], r["statistic"]): r["value"] for r in rows}
    corner = gaussian(8, 3, 3, 3, seed=1, scale=0.1)[:, :, 0, 0].astype(float)
    head = gaussian(4, 8, seed=3)[:, :4].astype(float)
    np.testing.assert_allclose(
        found["features.0", "entropy-change.c11", "mean"], np.log(abs(corner)).mean(), rtol=1e-12
    )
    np.testing.assert_allclose(
        found["head", "entropy-change.logdet", "value"], np.linalg.slogdet(head)[1], rtol=1e-9
    )


def test_all_outputs_are_written_whole(run, small_file, tmp_path):
    result = run("analyze", small_file, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    names = {path.name for path in out.iterdir()}
    assert names == {"report.json", "report.csv", "report.md", "report.html", "plots"}
    assert list((out / "plots").glob("*.png"))
    digest = json.loads((out / "report.json").read_text("utf-8"))["digest"]
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_several_inputs_get_a_folder_each_and_a_list(run, small_file, tmp_path):
    other = tmp_path / "sub" / "small.safetensors"
    other.parent.mkdir()
    other.write_bytes(small_file.read_bytes())
    result = run("analyze", small_file, other, "--out", "all", "--json", "both.json")
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "all").glob("*/report.html"))) == 2
    assert len(json.loads((tmp_path / "both.json").read_text("utf-8"))) == 2


def test_only_what_was_asked_for_is_on_standard_output(run, small_file):
    for option in ("--json", "--csv", "--markdown", "--html"):
        result = run("analyze", small_file, option, "-")
        assert result.returncode == 0
        assert "log-\n" not in result.stdout
        if option == "--json":
            json.loads(result.stdout)


def test_layers_are_chosen(run, small_file):
    rows = json.loads(run("analyze", small_file, "--layers", "head", "--json", "-").stdout)
    assert [layer["name"] for layer in rows["layers"]] == ["head"]


def test_quiet_prints_nothing(run, small_file):
    result = run("analyze", small_file, "--quiet", "--json", "x.json")
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_same_seed_same_numbers(run, small_file):
    first, second = (run("analyze", small_file, "--csv", "-").stdout for _ in range(2))
    assert first == second


def test_mistakes_end_in_one_sentence(run, small_file, tmp_path):
    mistake(run("analyze", "missing.pt"), "missing.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    mistake(run("analyze", "empty.pt"), "empty.pt", "empty")
    (tmp_path / "text.pt").write_text("hello, I am no checkpoint")
    mistake(run("analyze", "text.pt"), "text.pt")
    (tmp_path / "cut.safetensors").write_bytes(small_file.read_bytes()[:-20])
    mistake(run("analyze", "cut.safetensors"), "cut.safetensors")
    (tmp_path / "folder").mkdir()
    mistake(run("analyze", "folder"), "folder")
    mistake(run("analyze", small_file, "--layers", "features.9"), "features.9", "features.0")
    mistake(run("analyze", small_file, "--measures", "stable-rnk"), "stable-rank")
    mistake(run("analyze", small_file, "--input-size", "big"), "--input-size")
    mistake(run("analyze", small_file, "--html", tmp_path / "no" / "x.html"), "does not exist")
    mistake(run("analyze", small_file, "--html", tmp_path), "folder")
    mistake(run("analyze", small_file, "--json", "-", "--csv", "-"), "standard output")
    mistake(run("analyze", small_file, "--json", "x", "--csv", "./x"), "one file")
    mistake(run("analyze", small_file, "--arch", "torchvison:vgg16"), "torchvison")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written(run, small_file, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    mistake(run("analyze", small_file, "--html", locked / "x.html", "--quiet"), "x.html")


def test_a_file_without_anything_to_analyse(run, tmp_path):
    save_file({"steps": np.arange(3), "bias": np.ones(3, np.float32)}, tmp_path / "n.safetensors")
    mistake(run("analyze", "n.safetensors"), "nothing in it can be analysed")


def test_nan_weights_are_named_and_give_no_number(run, tmp_path):
    weight = gaussian(4, 4)
    weight[1, 2] = np.nan
    save_file({"a.weight": weight, "b.weight": gaussian(4, 4, seed=1)}, tmp_path / "n.safetensors")
    result = run("analyze", "n.safetensors", "--json", "-")
    report = json.loads(result.stdout)
    assert "NaN" not in re.sub(r'"[^"]*"', "", result.stdout)
    assert any(f["severity"] == "serious" and f["layers"] == ["a"] for f in report["findings"])
    values = [r["value"] for r in report["measurements"] if r["measure"] == "log-volume"]
    assert values[0] is None
    assert values[1] is not None


def test_hostile_names_are_escaped_everywhere(run, tmp_path):
    name = 'evil\x1b[2J<script>alert(1)</script>"\u202e.weight'
    save_file({name: gaussian(4, 4)}, tmp_path / "evil.safetensors")
    result = run("analyze", "evil.safetensors", "--out", "out")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<script>alert" not in html
    assert all("evil" not in path.name for path in (tmp_path / "out").rglob("*"))


def test_wide_and_unicode_less_terminals(run, small_file):
    result = run("analyze", small_file, PYTHONIOENCODING="ascii")
    assert result.returncode == 0


@pytest.mark.parametrize("option", ["--json", "--csv", "--markdown", "--html", "--resume"])
def test_an_output_over_the_input_is_refused(run, small_file, option):
    before = small_file.read_bytes()
    mistake(run("analyze", small_file, option, small_file), "belongs to the input")
    assert small_file.read_bytes() == before
