"""The command line as a user runs it: a real subprocess, real files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cases import gaussian
from tests.data_sets import unpack_tests
from tests.processes import hear_interruptions

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``infoflow`` with arguments; ``columns`` is the width of the terminal it believes in."""

    def command(*arguments: object, columns: int = 80, **env: str):
        return subprocess.run(
            [sys.executable, "-m", "infoflow", *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            timeout=120,
            env=os.environ | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"} | env,
            check=False,
            preexec_fn=hear_interruptions,
        )

    return command


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    """Three layers of random weights as safetensors."""
    path = tmp_path / "small.safetensors"
    save_file(
        {
            "features.0.weight": gaussian(8, 3, 3, 3, seed=1, scale=0.1),
            "features.0.bias": np.zeros(8, np.float32),
            "features.1.weight": gaussian(8, 8, 3, 3, seed=2, scale=0.1),
            "head.weight": gaussian(4, 8, seed=3),
        },
        path,
    )
    return path


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real test data of MNIST and CIFAR-10."""
    return unpack_tests(("mnist", "cifar10"), tmp_path_factory.mktemp("data"))
