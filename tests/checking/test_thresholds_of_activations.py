"""Thresholds on what a run on data measured: the whole network, and sites that are no layer."""

from __future__ import annotations

import json

import pytest

from tests.cases import SAMPLES


@pytest.fixture
def report(run, tmp_path):
    result = run(
        "analyze", SAMPLES / "lenet5-mnist.pt", "--data", "shapes", "--samples", 32,
        "--measures", "paper", "--json", tmp_path / "r.json", "-q",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "r.json").read_text("utf-8"))


@pytest.mark.parametrize(("least", "code"), [(0.0, 0), (1.01, 1)])
def test_accuracy_and_a_sites_batch_entropy_are_gated(run, tmp_path, report, least, code):
    (tmp_path / "infoflow.toml").write_text(
        f"""fail-on = "never"
[[threshold]]
measure = "accuracy"
min = {least}
[[threshold]]
measure = "batch-entropy"
layers = ["conv1.relu"]
min = {100 * least}
"""
    )
    result = run("check", "r.json")
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout.count("FAIL") == 2 * code
    assert "accuracy" in result.stdout or code == 0
