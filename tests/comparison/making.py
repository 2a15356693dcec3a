"""Small checkpoints of one architecture, changed in known ways."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from infoflow.comparing import compare
from infoflow.comparison.comparison import Comparison
from tests.cases import gaussian

Arrays = dict[str, np.ndarray[Any, Any]]


def network(seed: int = 0) -> Arrays:
    """Two convolutions, a normalisation and a dense layer of random weights."""
    return {
        "features.0.weight": gaussian(8, 3, 3, 3, seed=seed + 1, scale=0.1),
        "features.0.bias": np.zeros(8, np.float32),
        "norm.weight": np.ones(8, np.float32),
        "norm.bias": np.zeros(8, np.float32),
        "norm.running_mean": np.zeros(8, np.float32),
        "norm.running_var": np.ones(8, np.float32),
        "features.1.weight": gaussian(8, 8, 3, 3, seed=seed + 2, scale=0.1),
        "head.weight": gaussian(4, 8, seed=seed + 3),
    }


def with_change(arrays: Arrays, **changed: np.ndarray[Any, Any]) -> Arrays:
    """The network with other weights; underscores in names stand for dots."""
    names = {name.replace(".", "_"): name for name in arrays}
    return arrays | {names[key]: value for key, value in changed.items()}


def saved(folder: Path, **files: Mapping[str, np.ndarray[Any, Any]]) -> list[Path]:
    """A safetensors file for each name."""
    paths = []
    for name, arrays in files.items():
        path = folder / f"{name}.safetensors"
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, path)
        paths.append(path)
    return paths


def compared(
    folder: Path, before: Arrays, after: Arrays, *, measures: str = "paper", **options: Any
) -> Comparison:
    """The comparison of two networks through files."""
    return compare(*saved(folder, before=before, after=after), measures=measures, **options)


def trained(folder: Path, steps: tuple[int, ...] = (0, 2, 10)) -> list[Path]:
    """Snapshots of a few steps of gradient descent on random data, without torch: a quadratic."""
    arrays = network()
    target = network(seed=50)
    paths = []
    for step in range(max(steps) + 1):
        if step in steps:
            paths += saved(folder, **{f"step-{step}": arrays})
        arrays = {
            key: value + np.float32(0.1) * (target[key] - value) if value.ndim > 1 else value
            for key, value in arrays.items()
        }
    return paths
