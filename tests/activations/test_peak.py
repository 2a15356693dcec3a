"""The memory that a plan states against what a process takes at its peak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MEGABYTE = 10**6
MAPPED = 2 * 4 * 1500 * 16 * 28 * 28
"""Bytes of the largest site in the files of a spool: pages that the system takes back at need."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc"),
]

SCRIPT = """
import json, re, sys
from pathlib import Path
import scipy.linalg.blas, scipy.spatial, scipy.stats, torch
from torch import nn
import infoflow
from infoflow.activations.request import ActivationRequest

torch.manual_seed(0)
torch.set_num_threads(1)
network = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 5), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 84), nn.ReLU(), nn.Linear(84, 10),
)


def status(name):
    found = re.search(rf"^{name}:\\s+(\\d+)", Path("/proc/self/status").read_text(), re.M)
    return 1024 * int(found[1])


def run(samples, said):
    asked = ActivationRequest(
        f"npz:{sys.argv[1]}", samples=samples, memory=int(sys.argv[2]), batch_size=64
    )
    infoflow.analyze(network, measures="paper", data=asked, reference="none", telling=said.append)


run(32, [])  # loads every library
said, before = [], status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
run(0, said)
plan = next(words for words in said if "are gathered" in words)
print(json.dumps([plan, status("VmHWM") - before]))
"""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,500 pictures of 28 × 28 with 10 classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(1500) % 10
    images = generator.standard_normal((1500, 1, 28, 28)).astype(np.float32)
    path = tmp_path_factory.mktemp("arrays") / "set.npz"
    np.savez(path, images=images + labels[:, None, None, None] / 4, labels=labels)
    return path


@pytest.mark.parametrize(
    ("budget", "how"),
    [
        (2000 * MEGABYTE, "in one pass, "),
        (600 * MEGABYTE, " passes by "),
        (380 * MEGABYTE, "spool"),
    ],
)
def test_the_peak_is_what_the_plan_states(arrays: Path, budget: int, how: str) -> None:
    """At most; and at least half of it, or it would be no plan."""
    command = [sys.executable, "-c", SCRIPT, str(arrays), str(budget)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plan, growth = json.loads(done.stdout.splitlines()[-1])
    assert how in plan
    stated = float(plan.partition("with about ")[2].partition(" MB")[0]) * MEGABYTE
    assert stated <= budget
    assert growth <= stated + (MAPPED if how == "spool" else 0), plan
    assert growth >= stated / 2, plan
