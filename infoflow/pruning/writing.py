"""A pruned network as a file that is read like the one it comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from infoflow.models import Runnable
from infoflow.models.building import SAFE

if TYPE_CHECKING:
    from infoflow.pruning.prune import Pruned

WRITTEN = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""Types of weights that are written as the file has them; others become float32."""
KEPT = ("mean", "std", "input_size", "architecture", "data")
"""Metadata that are as true of the pruned network; an accuracy is not."""


def stored_as(module: nn.Module, types: Mapping[str, str]) -> dict[str, Tensor]:
    """The network's tensors in the file's types; counters that the file lacks are left out.

    A weight that the file holds as a product of others is written as one tensor.

    Args:
        module: The network.
        types: Names of types by those of the file's tensors, as the network spells them.
    """
    found = {}
    for name, tensor in module.state_dict().items():
        if name not in types and name.endswith("num_batches_tracked"):
            continue
        dtype = getattr(torch, types.get(name, ""), tensor.dtype)
        if tensor.is_floating_point() and dtype not in WRITTEN:
            dtype = tensor.dtype  # whole numbers and float8 have a scale beside them
        found[name] = tensor.detach().cpu().to(dtype).clone().contiguous()
    return found


def told(network: Runnable, arch: str | None, done: str) -> dict[str, str]:
    """Metadata: how the network is run, and what was done to it."""
    kept = {name: network.metadata[name] for name in KEPT if name in network.metadata}
    if arch is not None and arch.startswith(SAFE):
        kept["architecture"] = arch
    return {"format": "pt", **kept, "pruned": done}


def safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The bytes of the file."""
    from safetensors.torch import save

    return save(dict(tensors), dict(metadata))


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
        "per_layer": pruned.per_layer,
        "filters": pruned.filters,
        "layers": [asdict(layer) for layer in pruned.layers],
        "removed": removed,
        "effects": [asdict(effect) for effect in pruned.effects],
        "data": pruned.data,
        "preprocessing": pruned.preprocessing,
        "notes": list(pruned.notes),
    }
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
