"""``infoflow reference`` and ``analyze --reference`` as a user runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from infoflow.reference.places import shipped
from infoflow.render.to_json import from_json
from tests.cases import SAMPLES, gaussian


@pytest.fixture
def healthy_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    tensors = {f"fc{i}.weight": gaussian(24, 32, seed=i, scale=0.2) for i in range(25)}
    save_file(tensors, path)
    return path


def test_show_prints_kinds_counts_and_networks(run):
    done = run("reference", "show", "shipped", columns=120)
    assert done.returncode == 0, done.stderr
    assert "dense layers: 148 layers of 15 networks" in done.stdout
    assert "too few to say" in done.stdout
    assert "ResNet-20 (CIFAR-10)" in done.stdout
    data = json.loads(run("reference", "show", "shipped", "--json").stdout)
    assert data["digest"] == shipped().digest
    assert data["kinds"]["dense layers"]["speaks"] is True
    quantiles = data["kinds"]["dense layers"]["quantiles"]["gain"]
    assert list(quantiles.values()) == sorted(quantiles.values())


def test_two_copies_at_once_are_one_network(run, healthy_file, tmp_path):
    copy = healthy_file.with_name("best.safetensors")
    copy.write_bytes(healthy_file.read_bytes())
    env = {"INFOFLOW_REFERENCE": str(tmp_path / "reference.json")}
    done = run("reference", "add", healthy_file, copy, **env)
    assert done.returncode == 0, done.stderr
    assert "holds the same as mine.safetensors" in done.stderr
    assert "19 networks" in run("reference", "show", **env).stdout
    assert run("analyze", healthy_file, **env).returncode == 0


def test_add_is_used_said_idempotent_and_taken_back(run, healthy_file, tmp_path):
    mine = tmp_path / "reference.json"
    env = {"INFOFLOW_REFERENCE": str(mine)}
    assert run("reference", "path", **env).stdout.strip() == str(mine)
    done = run("reference", "add", healthy_file, "--name", "my net", **env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "added my net: 25 dense layers" in done.stderr
    once = mine.read_bytes()
    assert run("reference", "add", healthy_file, "--name", "my net", **env).returncode == 0
    assert mine.read_bytes() == once
    assert "dense layers: 173 layers of 16 networks" in run("reference", "show", **env).stdout

    def reference(*options):
        done = run("analyze", SAMPLES / "lenet5-mnist.pt", "-q", "--json", "-", *options, **env)
        assert done.returncode == 0, done.stderr
        return from_json(done.stdout)

    default, alone = reference(), reference("--reference", "shipped")
    assert default.settings["reference"].startswith("shipped and own: 310 layers of 19 networks")
    assert shipped().digest in alone.settings["reference"]
    row = default.row("fc1", "signal-gain", "healthy-percentile")
    assert "among 173 dense layers of 16 trained networks" in row.method
    none = reference("--reference", "none")
    assert not [r for r in none.measurements if r.statistic.startswith("healthy")]
    own = reference("--reference", mine)
    assert not [r for r in own.measurements if r.statistic.startswith("healthy")]
    assert "too few healthy dense layers to say (25 of 1 network" in own.settings["reference"]

    assert run("reference", "remove", "my net", **env).returncode == 0
    assert json.loads(mine.read_text("utf-8"))["networks"] == []


def test_what_ships_is_not_added_again(run, tmp_path):
    mine = tmp_path / "reference.json"
    env = {"INFOFLOW_REFERENCE": str(mine)}
    done = run("reference", "add", SAMPLES / "lenet5-mnist.pt", **env)
    assert done.returncode == 0
    assert "in the shipped table already" in done.stderr
    assert not mine.exists()


def test_one_bad_path_adds_nothing(run, healthy_file, tmp_path):
    mine = tmp_path / "reference.json"
    env = {"INFOFLOW_REFERENCE": str(mine)}
    small = tmp_path / "small.safetensors"
    save_file({"fc.weight": np.ones((3, 4), np.float32)}, small)
    for path, words in (
        (tmp_path / "absent.pt", "no such file"),
        (small, "holds no layer that is compared"),
    ):
        done = run("reference", "add", healthy_file, path, **env)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert not mine.exists()
    assert run("reference", "add", healthy_file, small, "--name", "x", **env).returncode == 2


def test_a_damaged_own_table_stops_with_a_sentence_and_is_kept(run, healthy_file, tmp_path):
    mine = tmp_path / "reference.json"
    mine.write_text('{"reference_version": 1')
    env = {"INFOFLOW_REFERENCE": str(mine)}
    for command in (
        ("reference", "add", healthy_file),
        ("reference", "remove", "x"),
        ("reference", "show"),
        ("analyze", healthy_file),
    ):
        done = run(*command, **env)
        assert done.returncode == 2, command
        assert done.stderr.count("\n") == 1
        assert "damaged" in done.stderr
    assert mine.read_text() == '{"reference_version": 1'
    assert run("analyze", healthy_file, "--reference", "shipped", **env).returncode == 0


def test_unknown_names_and_files_are_a_sentence(run, small_file, tmp_path):
    env = {"INFOFLOW_REFERENCE": str(tmp_path / "none.json")}
    done = run("reference", "remove", "nobody", **env)
    assert (done.returncode, "no network called 'nobody'" in done.stderr) == (2, True)
    done = run("analyze", small_file, "--reference", "absent.json")
    assert (done.returncode, "no such table" in done.stderr) == (2, True)


def test_the_terminal_says_where_layers_lie(run):
    done = run("analyze", SAMPLES / "lenet5-mnist.pt", "--reference", "shipped")
    assert "3 layers placed among healthy trained ones" in " ".join(done.stdout.split())
    assert "--verbose says where" in " ".join(done.stdout.split())
    for columns in (60, 80, 140):
        done = run(
            "analyze", SAMPLES / "lenet5-mnist.pt", "--reference", "shipped", "-v", columns=columns
        )
        assert done.returncode == 0
        assert "no verdict on quality" in " ".join(done.stdout.split())
        assert all(len(line) <= columns for line in done.stdout.splitlines())


def test_files_of_one_name_are_told_apart_and_can_be_removed(run, tmp_path):
    env = {"INFOFLOW_REFERENCE": str(tmp_path / "reference.json")}
    for seed, folder in enumerate(("ra", "rb", "rc")):
        (tmp_path / folder).mkdir()
        tensors = {"fc.weight": gaussian(24, 32, seed=seed, scale=0.2)}
        save_file(tensors, tmp_path / folder / "model.safetensors")
    both = run("reference", "add", "ra/model.safetensors", "rb/model.safetensors", **env)
    assert both.returncode == 0, both.stderr
    assert "added ra/model.safetensors" in both.stderr
    assert "added rb/model.safetensors" in both.stderr
    assert (
        "added model.safetensors" in run("reference", "add", "rc/model.safetensors", **env).stderr
    )
    taken = run("reference", "add", "ra/model.safetensors", "--name", "model.safetensors", **env)
    assert (taken.returncode, "another network has that name" in taken.stderr) == (2, True)
    unknown = run("reference", "remove", "ra/model", **env)
    assert "nearest: 'ra/model.safetensors'" in unknown.stderr
    names = ("ra/model.safetensors", "rb/model.safetensors", "model.safetensors")
    assert run("reference", "remove", *names, **env).returncode == 0
    assert json.loads((tmp_path / "reference.json").read_text("utf-8"))["networks"] == []


def test_networks_of_one_name_in_an_older_table_go_by_their_digests(run, healthy_file, tmp_path):
    mine = tmp_path / "reference.json"
    env = {"INFOFLOW_REFERENCE": str(mine)}
    assert run("reference", "add", healthy_file, **env).returncode == 0
    table = json.loads(mine.read_text("utf-8"))
    table["networks"].append({**table["networks"][0], "digest": "ab" * 32})
    mine.write_text(json.dumps(table), "utf-8")
    done = run("reference", "remove", healthy_file.name, **env)
    assert done.returncode == 2
    assert "2 networks called" in done.stderr
    assert "abababababab" in done.stderr
    assert run("reference", "remove", "abababababab", **env).returncode == 0
    assert run("reference", "remove", healthy_file.name, **env).returncode == 0


def test_only_the_default_place_is_made(run, healthy_file, tmp_path):
    nowhere = tmp_path / "deep/er/reference.json"
    done = run("reference", "add", healthy_file, INFOFLOW_REFERENCE=str(nowhere))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "its folder does not exist" in done.stderr
    assert not nowhere.parent.parent.exists()
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), "INFOFLOW_REFERENCE": ""}
    assert run("reference", "add", healthy_file, **env).returncode == 0
    assert (tmp_path / "data/infoflow/reference.json").is_file()
