"""safetensors: eight bytes of header length, a JSON header, the tensors without gaps."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.dtypes import ITEMSIZE, SAFETENSORS, SAFETENSORS_UNREAD
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.json_objects import parse_json
from infoflow.checkpoints.layout import MOST_DIMENSIONS, Layout, contiguous
from infoflow.checkpoints.natural import natural
from infoflow.checkpoints.source import Source

NAME = "safetensors"
_LONGEST_HEADER = 100_000_000  # the reference implementation's limit


def sniff(head: bytes, path: Path) -> bool:
    """Whether a plausible header length is followed by the beginning of a JSON object."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _LONGEST_HEADER


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads and checks the header; the tensors stay in the file."""
    source = Source(path)
    length = int.from_bytes(source.read(0, 8), "little")
    if 8 + length > source.size:
        raise ReadError(
            f"is truncated: its header ends at byte {8 + length:,}, the file at {source.size:,}"
        )
    header = parse_json(source.read(8, length), "its header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ReadError("damaged: its __metadata__ is not a mapping of text to text")
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    _check_extents([(begin, end) for _, begin, end in entries.values()], source.size - 8 - length)
    # Written by type and name, so the order says nothing of the depth: numbers in the
    # names at least are compared as numbers.
    root = {
        name: _stored(source, 8 + length, *entries[name][:2])
        for name in sorted(entries, key=natural)
    }
    return Contents(NAME, root, source.digest, metadata=metadata, check=source.check)


def _entry(name: str, entry: object) -> tuple[Layout, int, int]:
    wrong = ReadError(f"damaged: the header's entry of {quoted(name)} is wrong")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    shape, offsets, kind = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        raise wrong
    if any(type(number) is not int or not 0 <= number < 2**63 for number in (*shape, *offsets)):
        raise wrong
    if not isinstance(kind, str) or kind not in SAFETENSORS | SAFETENSORS_UNREAD:
        raise ReadError(f"damaged: {quoted(name)} has the unknown type {quoted(str(kind))}")
    if len(shape) > MOST_DIMENSIONS:
        raise ReadError(f"damaged: {quoted(name)} has {len(shape)} dimensions")
    dtype = SAFETENSORS.get(kind, kind)
    bits = SAFETENSORS_UNREAD.get(kind) or 8 * ITEMSIZE[dtype]
    if math.prod(shape) * bits != 8 * (offsets[1] - offsets[0]):
        raise ReadError(f"damaged: {quoted(name)} does not have the size of its shape and type")
    return Layout(dtype, tuple(shape), contiguous(tuple(shape))), offsets[0], offsets[1]


def _check_extents(extents: list[tuple[int, int]], size: int) -> None:
    position = 0
    for begin, end in sorted(extents):
        if begin != position:
            raise ReadError("damaged: its tensors overlap or leave gaps")
        position = end
    if position > size:
        raise ReadError(f"is truncated: {position:,} bytes of tensors are {size:,} bytes long")
    if position < size:
        raise ReadError(f"damaged: {size - position:,} bytes after the last tensor")


def _stored(source: Source, start: int, layout: Layout, begin: int) -> StoredTensor:
    if layout.dtype in SAFETENSORS_UNREAD:
        return unread(layout.shape, layout.dtype, f"numbers of the type {layout.dtype}")
    read = partial(_read, source, start + begin, layout)
    return StoredTensor("", layout.shape, layout.dtype, read)


def _read(source: Source, begin: int, layout: Layout) -> np.ndarray[Any, Any]:
    return layout.view(source.mapped(), begin, swapped=sys.byteorder == "big")
