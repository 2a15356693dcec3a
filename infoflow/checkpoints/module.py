"""A live ``nn.Module`` read like a checkpoint."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor
from infoflow.checkpoints.faults import naming, quoted, reading
from infoflow.checkpoints.torch_tensors import stored
from infoflow.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn


def from_module(module: nn.Module) -> Checkpoint:
    """The state of a module as a checkpoint; a tensor leaves its device when it is read.

    Args:
        module: Any module, on any device; it is not changed.

    Raises:
        CheckpointError: for what is not a module, and for a lazy module that has not seen an
            input: its tensors have no shape.
    """
    kind = type(module).__name__
    torch = sys.modules.get("torch")  # who has a module has imported torch
    if torch is None or not isinstance(module, torch.nn.Module):
        raise CheckpointError(
            f"a network is the path of a checkpoint or a torch.nn.Module, not an object of the "
            f"type {kind}"
        )
    tensors = {
        name: _described(kind, name, leaf)
        for name, leaf in module.state_dict().items()
        if isinstance(leaf, torch.Tensor)
    }
    return Checkpoint(kind, "live module", tensors, lambda: _digest(tensors))


def _described(path: str, name: str, leaf: object) -> StoredTensor:
    where = f"{path}, tensor {quoted(name)}"
    with reading(where):
        tensor = stored(leaf)
    return replace(tensor, name=name, load=naming(where, tensor.load))


def _digest(tensors: dict[str, StoredTensor]) -> str:
    """SHA-256 of each tensor's name, type, shape and, where it can be read, numbers."""
    total = hashlib.sha256()
    for name, tensor in tensors.items():
        total.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode("utf-8", "surrogatepass"))
        if not tensor.unread:
            total.update(tensor.load().tobytes())
    return total.hexdigest()
