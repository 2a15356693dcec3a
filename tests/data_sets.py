"""Real test data for tests, unpacked from the shared folder where it is there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cases import SHARED

DATA = SHARED / "data"


def unpack_tests(names: tuple[str, ...], destination: Path) -> Path:
    """``destination/NAME/test.npz`` of each set, checked; skips the test where there are none."""
    script = DATA / "unpack.py"
    if not script.is_file():
        pytest.skip(f"needs the shared data of {DATA}")
    pytest.importorskip("PIL")
    spec = importlib.util.spec_from_file_location("shared_unpack", script)
    unpack = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(unpack)
    finally:
        sys.dont_write_bytecode = before
    sets = unpack.read_manifest()["data_sets"]
    for name in names:
        split = sets[name]["splits"]["test"]
        images, labels = unpack.read_images(split), unpack.read_labels(split)
        unpack.check(name, images, labels, split)
        (destination / name).mkdir()
        np.savez(destination / name / "test.npz", images=images, labels=labels)
    return destination
