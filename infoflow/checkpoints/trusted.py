"""Lets torch load a file with the file's own code, for users who say that they trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.torch_tensors import stored
from infoflow.errors import MissingDependencyError

_DEEPEST = 4


def contents(source: Source, name: str) -> Contents:
    """Loads a file by ``torch.load(weights_only=False)``; objects give their state dicts.

    Raises:
        MissingDependencyError: where torch is not installed.
        ReadError: where the file's code fails.
    """
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            f"{source.path}: --trust-pickle needs torch, which is not installed or does not work"
        ) from None
    try:
        root = torch.load(source.path, map_location="cpu", weights_only=False)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ReadError(f"torch cannot load it: {reason:.200}") from None
    return Contents(
        f"{name}, loaded by torch",
        _plain(root, 0),
        source.digest,
        is_tensor=lambda leaf: isinstance(leaf, torch.Tensor),
        stored=stored,
        notes=("The code in the file was allowed to run (--trust-pickle).",),
    )


def _plain(value: Any, depth: int) -> Any:
    """Objects with a state dict (modules, optimizers) replaced by it, in mappings too."""
    if isinstance(value, Mapping):
        if depth >= _DEEPEST:
            return value
        return {key: _plain(part, depth + 1) for key, part in value.items()}
    state = getattr(value, "state_dict", None)
    if callable(state) and not isinstance(value, type):
        try:
            return dict(state())
        except Exception as error:
            raise ReadError(
                f"the state dict of its {type(value).__name__} fails: {error}"
            ) from None
    return value
