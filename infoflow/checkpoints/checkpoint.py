"""What a reader yields: named tensors that are read only when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.faults import ReadError
from infoflow.facts import ParameterFacts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file, not yet read.

    Args:
        name: As in the file, with nesting and wrappers' prefixes removed.
        shape: Its shape.
        dtype: ``float32``, ``float64``, ``float16``, ``bfloat16``, ``float8_e4m3fn``, ``int64``,
            ``bool``, ``complex64``, …: numpy's (or ml_dtypes') name.
        load: Reads it: a numpy array of that shape and type, memory-mapped where the format
            allows (read-only, perhaps unaligned).
        memory: Identity of the stored memory; two tensors with the same non-empty ``memory``
            and the same shape are tied.
        unread: Why ``load`` raises (a sparse or quantised tensor, a type without a numpy
            counterpart), or ``""``.
        facts: What the format itself says of it (an ONNX graph, a Keras configuration), None
            where it says nothing. An architecture that is recognised knows better.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray[Any, Any]]
    memory: str = ""
    unread: str = ""
    facts: ParameterFacts | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def unread(shape: tuple[int, ...], dtype: str, what: str) -> StoredTensor:
    """A tensor that is listed but cannot be read; ``what`` begins the sentence that says why."""
    reason = f"{what}, which is not read"

    def load() -> np.ndarray[Any, Any]:
        raise ReadError(reason)

    return StoredTensor("", shape, dtype, load, unread=reason)


def _nothing() -> None:
    """Of a checkpoint that lies in memory."""


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors, in file order, and what was done to find them.

    Args:
        path: As the user gave it.
        format: For people: ``PyTorch zip file``, ``PyTorch legacy file``, ``safetensors``, …
        tensors: By name, in file order.
        digest: Computes the SHA-256 of the file (of all shards, for a sharded one).
        metadata: What the file says of itself (strings), such as ``infoflow.architecture``.
        notes: Sentences about what was unwrapped, ignored, renamed or chosen.
        check: Raises ``CheckpointError`` where the file is no longer the one that was opened;
            to be called when what was loaded has been used.
    """

    path: str
    format: str
    tensors: Mapping[str, StoredTensor]
    digest: Callable[[], str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    check: Callable[[], None] = _nothing
