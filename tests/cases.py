"""Small checkpoints in memory: odd ones on purpose."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor

SHARED = Path(os.environ.get("INFOFLOW_SHARED", Path(__file__).parents[2] / "shared"))
SAMPLES = Path(__file__).parents[1] / "sample_models"


def in_memory(
    arrays: Mapping[str, np.ndarray[Any, Any]], tied: Mapping[str, str] | None = None
) -> Checkpoint:
    """A checkpoint of arrays; ``tied`` gives the name whose memory a tensor shares."""
    tied = tied or {}
    tensors = {
        name: StoredTensor(
            name, array.shape, str(array.dtype), lambda array=array: array, tied.get(name, name)
        )
        for name, array in arrays.items()
    }
    return Checkpoint("memory", "in memory", tensors, lambda: "0" * 64)


def gaussian(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray[Any, Any]:
    """Independent normal weights in float32, as checkpoints store them."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
