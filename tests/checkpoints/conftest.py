"""Real weights, and files made for one test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_weights() -> list[Path]:
    """The real weight files, or nothing where they are not there."""
    given = os.environ.get("INFOFLOW_SHARED")
    root = Path(given) if given else Path(__file__).parents[2].parent / "shared"
    folder = root / "data" / "weights"
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="session")
def weight_files() -> list[Path]:
    files = shared_weights()
    if not files:
        pytest.skip("the shared weights are not there (set INFOFLOW_SHARED)")
    return files
