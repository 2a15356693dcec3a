"""What PyTorch's two file formats share: from a pickled description to a stored tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.dtypes import STORED_ITEMSIZE
from infoflow.checkpoints.layout import Layout
from infoflow.checkpoints.rebuilding import PickledTensor, StorageReference, UnreadTensor

Reader = Callable[[StorageReference, int, Layout], np.ndarray[Any, Any]]
"""Reads a tensor: storage, the byte in it from which the layout counts, layout."""


def is_tensor(leaf: object) -> bool:
    """Whether a leaf of an unpickled object is a tensor."""
    return isinstance(leaf, PickledTensor | UnreadTensor)


def stored(leaf: object, check: Callable[[StorageReference], None], read: Reader) -> StoredTensor:
    """Describes a tensor of a pickle, and binds how it is read.

    Raises:
        ReadError: for a tensor that leaves its storage, or a storage that is not in the file.
    """
    if isinstance(leaf, UnreadTensor):
        return unread(leaf.shape, leaf.dtype, leaf.kind)
    assert isinstance(leaf, PickledTensor)
    storage, layout = leaf.storage, leaf.layout
    if layout.dtype not in STORED_ITEMSIZE or storage.dtype not in STORED_ITEMSIZE:
        return unread(layout.shape, layout.dtype, f"numbers of the type {layout.dtype}")
    check(storage)
    itemsize = STORED_ITEMSIZE[storage.dtype]
    layout.check(storage.length * itemsize)
    start = storage.start * itemsize
    place = f"{start}+{layout.offset} {layout.shape} {layout.strides}"
    bits = f"{layout.conjugate:d}{layout.negative:d}"
    return StoredTensor(
        name="",
        shape=layout.shape,
        dtype=layout.dtype,
        load=lambda: read(storage, start, layout),
        memory=f"{storage.key} {place} {layout.dtype} {bits}" if 0 not in layout.shape else "",
    )
