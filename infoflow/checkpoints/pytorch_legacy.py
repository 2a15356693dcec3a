"""PyTorch's files before 1.6: five pickles in a row, then the storages one after another.

The pickles are a magic number, a protocol number, facts about the system, the object,
and the keys of the storages in file order. Each storage is its number of elements
(eight bytes, little-endian) and its elements, little-endian too.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.dtypes import STORED_ITEMSIZE
from infoflow.checkpoints.faults import ReadError, UnsafeReadError, quoted
from infoflow.checkpoints.layout import Layout
from infoflow.checkpoints.pickles import Machine
from infoflow.checkpoints.pytorch_pickle import is_tensor, stored
from infoflow.checkpoints.rebuilding import StorageReference
from infoflow.checkpoints.source import Source
from infoflow.words import counted

NAME = "PyTorch legacy file"
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file begins with a pickle of torch's magic number."""
    return head[:1] == b"\x80" and _MAGIC.to_bytes(10, "little") in head[:32]


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the pickles; the tensors stay in the file."""
    source = Source(path)
    try:
        root, extents = _index(source)
    except UnsafeReadError:
        if not trust_pickle:
            raise
        from infoflow.checkpoints import trusted

        return trusted.contents(source, NAME)
    describe = partial(stored, check=partial(_check, extents), read=partial(_read, source, extents))
    return Contents(
        NAME, root, source.digest, is_tensor=is_tensor, stored=describe, check=source.check
    )


def _index(source: Source) -> tuple[object, dict[str, tuple[int, int]]]:
    """The object, and where each storage's elements begin and end."""
    machine = Machine(source.mapped())
    if machine.run() != _MAGIC:
        raise ReadError("damaged: its magic number is wrong")
    if machine.run() != _PROTOCOL:
        raise ReadError("is of an unknown version of PyTorch's legacy format")
    machine.run()  # facts about the system: the data are little-endian whatever it says
    root = machine.run()
    keys = machine.run()
    if not isinstance(keys, list):
        raise ReadError("damaged: it has no list of storages")
    extents: dict[str, tuple[int, int]] = {}
    position = machine.position
    for number, key in enumerate(keys):
        storage = machine.references.get(key) if isinstance(key, str) else None
        if storage is None or storage.key in extents:
            raise ReadError("damaged: its list of storages is not the one of its tensors")
        count = int.from_bytes(machine.data[position : position + 8], "little", signed=True)
        begin = position + 8
        position = begin + storage.count * STORED_ITEMSIZE[storage.dtype]
        if position > source.size:
            raise ReadError(
                f"is truncated: storage {number + 1} of {len(keys)} ends at byte {position:,}, "
                f"the file at {source.size:,}"
            )
        if count != storage.count:
            raise ReadError(
                f"damaged: storage {quoted(storage.key)} has {counted(count, 'element')} "
                f"instead of {storage.count:,}"
            )
        extents[storage.key] = (begin, position)
    return root, extents


def _check(extents: dict[str, tuple[int, int]], storage: StorageReference) -> None:
    begin, end = extents.get(storage.key, (0, -1))
    if begin + (storage.start + storage.length) * STORED_ITEMSIZE[storage.dtype] > end:
        raise ReadError("damaged: its storage is not in the file")


def _read(
    source: Source,
    extents: dict[str, tuple[int, int]],
    storage: StorageReference,
    start: int,
    layout: Layout,
) -> np.ndarray[Any, Any]:
    skipped = layout.offset * layout.itemsize
    data = source.read(extents[storage.key][0] + start + skipped, layout.span * layout.itemsize)
    return layout.view(data, -skipped, swapped=sys.byteorder == "big")
