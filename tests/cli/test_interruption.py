"""Interruption while activations are measured, and budgets, as a user meets them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch

MODEL = """
import os, signal
import torch
from torch import nn
from infoflow.activations.sites import SiteMeasures

after = int(os.environ.get("AFTER", "-1"))
measure = SiteMeasures.of_errors
seen = []

def interrupted(self, site, values):
    if len(seen) == after:
        os.kill(os.getpid(), getattr(signal, os.environ["SIGNAL"]))
    seen.append(site.name)
    measure(self, site, values)

SiteMeasures.of_errors = interrupted

def make():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4096, 8)
    )
"""

DATA = """
import torch

def batches():
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        images = torch.randn(64, 3, 32, 32, generator=generator)
        yield images, torch.randint(0, 8, (64,), generator=generator)
"""


@pytest.fixture
def command(run, tmp_path: Path):
    """`infoflow analyze` of a small network on 256 samples, with further words."""
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "data.py").write_text(DATA)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(4096, 8),
    )  # fmt: skip
    torch.save(network.state_dict(), tmp_path / "net.pt")

    def analyze(*words: object, **env: str):
        return run(
            "analyze", "net.pt", "--arch", "model.py:make", "--data", "data.py:batches",
            "--samples", 0, "--measures", "paper", "--reference", "none", *words, **env,
        )  # fmt: skip

    return analyze


@pytest.mark.parametrize("signal", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.long)])
def test_an_interrupted_run_writes_whole_sites_marked_as_partial(
    command, run, tmp_path: Path, signal: str
) -> None:
    result = command(
        "--json", "a.json", "--html", "a.html", "--markdown", "a.md", AFTER="2", SIGNAL=signal
    )
    assert result.returncode == 130
    words = "interrupted after 2 sites of activations; what comes after 1 is missing"
    assert result.stderr.splitlines()[-1] == f"infoflow: {words}"
    assert "Traceback" not in result.stderr
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert report["settings"]["partial"] == words
    assert [site["name"] for site in report["sites"]] == ["0", "1"]
    steps = {row["layer"] for row in report["measurements"] if "data-proc" in row["measure"]}
    assert steps == {"", "0", "1"}  # "": the order of sites; the error chain runs backwards
    assert not [row for row in report["measurements"] if row["measure"] == "gradient-norm"
                and row["layer"] == "3"]  # fmt: skip
    for text in (
        result.stdout,
        *((tmp_path / name).read_text("utf-8") for name in ("a.html", "a.md")),
    ):
        assert "Partial report" in " ".join(text.split())
    refused = run("check", "a.json")
    assert refused.returncode == 2
    assert "--partial checks what is there" in refused.stderr
    assert run("check", "a.json", "--partial").returncode in (0, 1)


def test_interrupted_before_anything_was_measured_writes_nothing(command, tmp_path: Path) -> None:
    result = command("--json", "a.json", AFTER="0", SIGNAL="SIGINT")
    assert result.returncode == 130
    assert "Interrupted before any site was measured: nothing is written." in result.stderr
    assert not (tmp_path / "a.json").exists()


def figures(path: Path) -> list[tuple[object, ...]]:
    rows = json.loads(path.read_text("utf-8"))["measurements"]
    return [(row["layer"], row["measure"], row["statistic"], row["value"]) for row in rows]


def test_a_spool_gives_the_figures_of_one_pass_to_the_last_digit(command, tmp_path: Path) -> None:
    # The budget may change the batch, and with it the rounding of the network's own run.
    one = partial(command, "-q", "--batch-size", 1)
    whole, refused = one("--json", "whole.json"), one("--mem-budget", "1MB")
    assert whole.returncode == 0, whole.stderr
    assert refused.returncode == 2
    smallest = refused.stderr.split("which need ")[1].split(":")[0].replace(" ", "")
    spooled = one("--json", "spooled.json", "--mem-budget", smallest)
    assert spooled.returncode == 0, spooled.stderr
    gathered = json.loads((tmp_path / "spooled.json").read_text("utf-8"))["settings"]["gathered"]
    assert "spool" in gathered
    assert figures(tmp_path / "spooled.json") == figures(tmp_path / "whole.json")


def test_no_figure_depends_on_the_batch_size(command, tmp_path: Path) -> None:
    for size in (7, 64):
        assert command("--json", f"{size}.json", "-q", "--batch-size", size).returncode == 0
    for one, other in zip(figures(tmp_path / "7.json"), figures(tmp_path / "64.json"), strict=True):
        assert one[:3] == other[:3]
        assert (one[3] is None) == (other[3] is None)
        assert one[3] is None or one[3] == pytest.approx(other[3], rel=1e-4, abs=1e-5)
