"""`infoflow analyze --data` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cases import SAMPLES
from tests.cli.test_analyze import mistake

LENET = SAMPLES / "lenet5-mnist.pt"


def test_shapes_need_no_file(run, tmp_path):
    result = run("analyze", LENET, "--data", "shapes", "--samples", 64, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    for word in ("shapes", "accuracy", "conv1.relu", "falls", "I(X;T)"):
        assert word in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["data"]["samples"] == 64
    assert [site["name"] for site in report["sites"]][:3] == ["conv1", "conv1.relu", "pool"]
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "activations" in page


def test_the_real_accuracy_and_the_published_profile(run, data_root):
    """methods: I(X;T) of a trained LeNet-5 falls along the depth, I(T;Y) rises."""
    result = run(
        "analyze", LENET, "--data", "mnist", "--data-root", data_root, "--samples", 500,
        "--measures", "paper", "--json", "-",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    rows = {(r["layer"], r["measure"], r["statistic"]): r for r in report["measurements"]}
    assert rows["", "accuracy", "value"]["value"] > 0.97
    names = [site["name"] for site in report["sites"]]
    about_x = [rows[name, "mutual-information.input", "value"]["value"] for name in names]
    about_y = [rows[name, "mutual-information.label", "value"]["value"] for name in names]
    assert about_x[-1] < about_x[0] - 0.2
    assert about_y[-1] > about_y[0] + 0.5
    assert rows["fc1", "data-processing.input", "value"]["note"].startswith("falls")
    for name in names:
        null = rows[name, "mutual-information.input.null", "value"]
        assert abs(null["value"]) < 0.05


def test_the_untrainable_network_is_named_at_its_first_collapsed_layer(run, data_root):
    result = run(
        "analyze", SAMPLES / "deep-fnn-torch-init.pt", "--data", "mnist", "--data-root", data_root,
        "--samples", 128, "--measures", "paper", "--json", "-",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    found = [one for one in report["findings"] if one["rule"] == "untrainable"]
    assert len(found) == 1
    entropies = [
        (row["layer"], row["value"])
        for row in report["measurements"]
        if (row["measure"], row["statistic"]) == ("batch-entropy", "value")
    ]
    first = next(layer for layer, value in entropies if value < 1e-3)
    assert found[0]["layers"][0] == first


def test_data_that_do_not_fit_are_one_sentence(run, tmp_path):
    generator = np.random.default_rng(0)
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, images=generator.random((16, 5, 9, 9)).astype(np.float32), labels=np.arange(16))
    mistake(run("analyze", LENET, "--data", f"npz:{wrong}"), "5×9×9")
    labels = tmp_path / "labels.npz"
    images = (generator.random((16, 28, 28)) * 255).astype(np.uint8)
    np.savez(labels, images=images, labels=np.arange(16) + 90)
    mistake(
        run("analyze", LENET, "--data", f"npz:{labels}"),
        "label 90 (sample 1 of those drawn)",
        "10 outputs",
    )
    one = tmp_path / "one.npz"
    np.savez(one, images=images[:1], labels=np.zeros(1, int))
    mistake(run("analyze", LENET, "--data", f"npz:{one}"), "sample")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "mnits", "--data-root", "."), ["mnits"]),
        (("--data", "folder:nowhere"), ["nowhere"]),
        (("--data", "shapes", "--sigma", "medium"), ["medium", "half-median"]),
        (("--data", "shapes", "--mem-budget", "much"), ["--mem-budget", "much", "2GB"]),
        (("--data", "shapes", "--mean", "grey"), ["--mean", "grey"]),
        (("--data", "shapes", "--samples", "3"), ["3 samples", "8"]),
        (("--samples", "10"), ["--samples", "--data"]),
        (("--data", "folder:"), ["folder:PATH"]),
    ],
)
def test_bad_words_are_one_sentence(run, options, words):
    mistake(run("analyze", LENET, *options), *words)


def test_a_users_function_that_raises_shows_their_traceback(run, tmp_path):
    (tmp_path / "mine.py").write_text("def batches():\n    raise RuntimeError('no disk')\n")
    result = run("analyze", LENET, "--data", f"{tmp_path / 'mine.py'}:batches")
    assert result.returncode == 2
    assert "no disk" in result.stderr
    assert result.stdout == ""


def test_weights_without_a_network_ask_for_it(run, small_file):
    mistake(run("analyze", small_file, "--data", "shapes"), "--arch")


def test_the_papers_functional_is_chosen_and_layers_restrict_the_sites(run, tmp_path):
    file = tmp_path / "report.json"
    result = run(
        "analyze", LENET, "--data", "shapes", "--samples", 32, "--measures", "paper",
        "--preset", "ren", "--alpha", "2", "--standardise", "--layers", "conv1", "--json", file,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads(file.read_text("utf-8"))
    assert [site["name"] for site in report["sites"]] == ["conv1", "conv1.relu"]
    assert "α = 2, preset ren" in report["settings"]["papers' functional"]
    assert report["settings"]["features"] == "standardised"
    mistake(run("analyze", LENET, "--data", "shapes", "--preset", "x"), "No preset", "ren")
    mistake(run("analyze", LENET, "--data", "shapes", "--alpha", "0"), "--alpha '0'")
    mistake(run("analyze", LENET, "--preset", "ren"), "--preset says nothing without data")
