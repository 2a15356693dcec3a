"""A pruned network as a file that is read like the one it comes from, and its report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.errors import OutputError
from infoflow.models import Runnable
from infoflow.models.building import SAFE

if TYPE_CHECKING:
    from infoflow.pruning.prune import Pruned

KEPT = ("mean", "std", "input_size", "architecture", "data")
"""Metadata that are as true of the pruned network; an accuracy is not."""


def told(network: Runnable, arch: str | None, done: str) -> dict[str, str]:
    """Metadata: how the network is run, and what was done to it."""
    kept = {name: network.metadata[name] for name in KEPT if name in network.metadata}
    # A network with channels taken out may not be recognised by its shapes any more.
    name = arch or (network.architecture.name if network.architecture is not None else "")
    if name.startswith(SAFE):
        kept.setdefault("architecture", name)
    return {"format": "pt", **kept, "pruned": done}


def safetensors(tensors: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str]) -> bytes:
    """The bytes of the file.

    Raises:
        OutputError: It holds a type that safetensors has not.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    kept = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    kept = {name: kept[name].reshape(array.shape) for name, array in tensors.items()}
    try:
        return save(kept, dict(metadata))
    except SafetensorError as error:
        raise OutputError(
            f"The pruned network cannot be written as safetensors: {error}."
        ) from None


def report_text(pruned: Pruned, command: str) -> str:
    """The report as JSON: what was asked for, which filters went and why, and every effect."""
    removed = [
        {**asdict(one), "score": one.score if math.isfinite(one.score) else None}
        for one in pruned.removed
    ]
    found = {
        "source": pruned.source,
        "command": command,
        "method": pruned.method,
        "share": pruned.share,
        "across_layers": pruned.across_layers,
        "filters": pruned.filters,
        "layers": [asdict(layer) for layer in pruned.layers],
        "removed": removed,
        "merged": list(pruned.merged),
        "taken_out": {name: list(places) for name, places in pruned.taken_out.items()},
        "zeroed": dict(pruned.zeroed),
        "new_shapes": {name: list(shape) for name, shape in pruned.new_shapes.items()},
        "effects": [asdict(effect) for effect in pruned.effects],
        "data": pruned.data,
        "preprocessing": pruned.preprocessing,
        "notes": list(pruned.notes),
    }
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
