"""``infoflow diff`` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import os

import jsonschema
import numpy as np
import pytest

from infoflow.render.comparison.to_json import from_json
from tests.cases import SHARED
from tests.cli.test_analyze import mistake
from tests.cli.test_commands import loaded
from tests.comparison.making import network, saved, trained, with_change


@pytest.fixture
def pair(tmp_path):
    before = network()
    weight = before["features.1.weight"].copy()
    weight[2] = 0
    after = with_change(
        before, features_1_weight=weight, head_weight=before["head.weight"] * np.float32(1.5)
    )
    return saved(tmp_path, before=before, after=after)


def test_two_files_before_and_after(run, pair):
    result = run("diff", *pair)
    assert result.returncode == 0
    assert result.stderr == ""
    flat = " ".join(result.stdout.split())
    assert "before.safetensors → after.safetensors" in flat
    assert "2 of 3 layers and 0 of 1 normalisation changed; most: head" in flat
    assert "rank lost: features.1 (8 → 7/8)" in flat
    assert "became −∞: log-volume.density of features.1" in flat
    lines = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    assert lines.index("head") < lines.index("features.1") < lines.index("features.0")


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_no_line_is_wider_than_the_window(run, pair, columns):
    text = run("diff", *pair, columns=columns).stdout
    assert all(len(line.rstrip()) <= columns for line in text.splitlines())
    assert "\x1b" not in text


def test_the_same_file_is_no_difference_and_no_failure(run, pair):
    result = run("diff", pair[0], pair[0])
    assert result.returncode == 0
    assert "no difference: the weights of 4 layers are the same" in " ".join(result.stdout.split())


def test_every_form_into_a_folder(run, pair, tmp_path):
    result = run("diff", *pair, "--out", tmp_path / "out", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"diff.json", "diff.csv", "diff.md", "diff.html", "plots"}
    assert [path.name for path in (tmp_path / "out" / "plots").iterdir()] == ["before-after.png"]
    comparison = from_json((tmp_path / "out" / "diff.json").read_text("utf-8"))
    assert comparison.settings["command"].startswith("infoflow diff ")
    assert len(comparison.snapshots[0].digest) == 64
    page = (tmp_path / "out" / "diff.html").read_text("utf-8")
    assert comparison.snapshots[0].digest in page


def test_json_on_standard_output_follows_its_schema(run, pair):
    data = json.loads(run("diff", *pair, "--json", "-", "--measures", "paper").stdout)
    schema = json.loads(run("schema", "diff").stdout)
    jsonschema.validate(data, schema, jsonschema.Draft202012Validator)
    assert json.loads(run("schema").stdout)["title"] == "infoflow report"
    assert json.loads(run("schema", "report").stdout)["title"] == "infoflow report"


def test_csv_on_standard_output_and_nothing_else(run, pair):
    result = run("diff", *pair, "--csv", "-", "--measures", "zeros")
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    relative = {
        row["layer"]: float(row["change"]) for row in rows if row["statistic"] == "relative"
    }
    assert relative["head"] == pytest.approx(0.5)
    assert relative["features.0"] == 0.0


def test_a_training_in_the_order_of_its_steps(run, tmp_path):
    step0, step2, step10 = trained(tmp_path)
    result = run(
        "diff", step0, step10, step2, "--plots", tmp_path / "plots", "--measures", "default"
    )
    assert result.returncode == 0
    assert "The files are in the order of the number in their names" in result.stdout
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "flow.png", "totals.png",
    ]  # fmt: skip
    assert "wrote 2 plots into" in result.stderr
    assert "not drawn: before-after: there are more than two files" in result.stderr


def test_reports_that_analyze_wrote(run, pair, tmp_path):
    for path in pair:
        run("analyze", path, "-q", "--json", path.with_suffix(".json"))
    files = [path.with_suffix(".json") for path in pair]
    result = run("diff", *files)
    assert result.returncode == 0
    assert "no weights in reports" in " ".join(result.stdout.split())
    both = tmp_path / "both.json"
    run("analyze", *pair, "-q", "--json", both)
    assert run("diff", both).returncode == 0


def test_layers_and_top_and_verbose(run, pair):
    text = run("diff", *pair, "--layers", "features.*", "--top", "1").stdout
    assert "the 1 layer that changed most, of 2" in text
    assert "head" not in text
    assert "norm " in run("diff", *pair, "--verbose").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["before.safetensors"], "name two or more to compare"),
        (["before.safetensors", "gone.pt"], "gone.pt: there is no such file or folder."),
        (["before.safetensors", "other.safetensors"], "no layer in common"),
        (["before.safetensors", "text.json"], "text.json"),
        (["before.safetensors", "after.safetensors", "--measures", "rnak"], "rank"),
        (["before.safetensors", "after.safetensors", "--layers", "heda"], "head"),
        (["before.safetensors", "after.safetensors", "--html", "no/x.html"], "does not exist"),
        (["before.safetensors", "after.safetensors", "--json", "-", "--csv", "-"], "Only one"),
    ],
)
def test_mistakes_are_one_sentence(run, pair, tmp_path, arguments, sentence):
    saved(tmp_path, other={"elsewhere.weight": np.ones((3, 3), np.float32)})
    (tmp_path / "text.json").write_text('{"source": 1, "format": 2, "digest": 3}')
    before = sorted(path.name for path in tmp_path.iterdir())
    result = run("diff", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("infoflow: ")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_it_loads_no_torch_and_help_nothing_heavy(pair):
    assert loaded("diff", "--help") == set()
    assert loaded("diff", *pair) & {"torch", "matplotlib", "torchvision"} == set()


def test_two_real_resnets(run):
    folder = SHARED / "data" / "weights"
    names = ("resnet20-12fca82f.th", "checkpoint_trained_ch_regularized_dense.pth.tar")
    if not all((folder / name).exists() for name in names):
        pytest.skip(f"needs {folder}, which is not here")
    result = run("diff", *(folder / name for name in names), "--measures", "paper", columns=100)
    flat = " ".join(result.stdout.split())
    assert "19 of 19 layers and 19 of 19 normalisations changed; most: layer3.2.conv2" in flat
    assert "exact zeros: 0 → 24,048" in flat


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(run, pair, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    mistake(run("diff", tmp_path / "pipe", pair[0]), "not a regular file")


def test_an_output_over_an_input_is_refused(run, pair):
    before = pair[1].read_bytes()
    mistake(run("diff", *pair, "--json", pair[1]), "belongs to the input")
    assert pair[1].read_bytes() == before
