"""Peak memory of whole processes: start-up and four times the largest tensor, whatever the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

MEBIBYTE = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux")

SCRIPT = """
import resource, sys
import numpy, scipy.linalg
import infoflow
infoflow.analyze(sys.argv[1], measures=sys.argv[2], complete=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path: Path, measures: str) -> float:
    """Peak memory in bytes of a process that analyses a file (Linux counts in KiB)."""
    command = [sys.executable, "-c", SCRIPT, str(path), measures]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return 1024.0 * int(done.stdout)


CASES = [
    ("default", "float32", (640, 80_000)),
    ("default", "bfloat16", (640, 80_000)),
    ("paper", "float32", (5_000, 5_000)),
]


@pytest.mark.parametrize(("measures", "dtype", "shape"), CASES)
def test_peak_memory_is_start_up_and_four_times_the_largest_tensor(
    measures: str, dtype: str, shape: tuple[int, int], tmp_path: Path
) -> None:
    """One float64 copy takes two such tensors of float32, and four of bfloat16."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    drawn = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    weight = drawn.astype(getattr(ml_dtypes, dtype, dtype))
    save_file({"a.weight": weight[:8, :8].copy()}, tmp_path / "tiny.safetensors")
    large = {"a.weight": weight, "b.weight": weight[:, : shape[1] // 10].copy()}
    save_file(large, tmp_path / "large.safetensors")
    start_up = peak(tmp_path / "tiny.safetensors", measures)
    assert weight.nbytes > 90 * MEBIBYTE
    assert peak(tmp_path / "large.safetensors", measures) < start_up + 4 * weight.nbytes
