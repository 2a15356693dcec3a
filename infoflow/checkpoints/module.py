"""A live ``nn.Module`` read like a checkpoint."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


def from_module(module: nn.Module) -> Checkpoint:
    """The state of a module as a checkpoint; every tensor is copied to numpy when it is read.

    Args:
        module: Any module, on any device; it is not changed.
    """
    tensors = {
        name: StoredTensor(
            name=name,
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            load=partial(_numpy, tensor),
            memory=f"{tensor.device}:{tensor.data_ptr()}:{tensor.stride()}"
            if tensor.numel()
            else "",
        )
        for name, tensor in module.state_dict().items()
        if hasattr(tensor, "detach")
    }

    def digest() -> str:
        total = hashlib.sha256()
        for name, tensor in tensors.items():
            total.update(name.encode())
            total.update(tensor.load().tobytes())
        return total.hexdigest()

    return Checkpoint(type(module).__name__, "live module", tensors, digest)


def _numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A CPU copy; what numpy has no type for (bfloat16, float8) is widened, which is exact."""
    plain = tensor.detach().cpu()
    if str(plain.dtype) == "torch.bfloat16" or "float8" in str(plain.dtype):
        plain = plain.float()
    array: np.ndarray[Any, Any] = plain.contiguous().numpy().copy()
    return array
