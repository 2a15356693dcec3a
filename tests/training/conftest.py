"""A process in which torch is loaded once for many runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stage():
    """``stage(out, *assignments, resume=False, kill=None, processes=1)``: exit code and seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.stage"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip

    def order(out, *assignments, resume=False, kill=None, processes=1):
        told = {
            "out": str(out), "set": assignments, "resume": resume, "kill": kill,
            "processes": processes,
        }  # fmt: skip
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield order
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()
