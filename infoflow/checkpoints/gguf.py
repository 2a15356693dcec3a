"""GGUF files (llama.cpp): a header of metadata and of tensors, then the tensors, aligned.

The header is read here, every claim checked against the file; quantised tensors are multiplied
out by the package gguf. Dimensions stand in the file from the fastest to the slowest, so that a
weight's shape reversed is (out, in).
"""

from __future__ import annotations

import math
import re
import struct
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.dtypes import ITEMSIZE
from infoflow.checkpoints.extras import installed, needed
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.layout import Layout, contiguous
from infoflow.checkpoints.source import Source
from infoflow.facts import ParameterFacts

NAME = "GGUF"
EXTRA = "gguf"
_BLOCK = 2**20
_MOST_TENSORS = 1_000_000
_MOST_FIELDS = 100_000
_LONGEST_NAME = 2**16
_LONGEST_TEXT = 500
_MOST_DIMENSIONS = 8
_TEXT, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value of a metadata type that has a fixed size."""
_PLAIN = {
    0: "float32",
    1: "float16",
    24: "int8",
    25: "int16",
    26: "int32",
    27: "int64",
    28: "float64",
    30: "bfloat16",
}
_QUANTISED = {
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    29: ("IQ1_M", 256, 56),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}
"""Types that the package gguf multiplies out: name, numbers in a block, bytes of a block."""
_EXPERTS = re.compile(r"_exps\.weight$")
_OTHER = {
    "position_embd.weight": "position embedding: added to the input",
    "token_types.weight": "embedding of token types: added to the input",
    "rope_freqs.weight": "frequencies of the rotary position",
}


@dataclass(frozen=True)
class Entry:
    """A tensor as the header has it."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class Header:
    """The header, read in blocks; ``position`` is where the next part begins."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.position = 0
        self._begin, self._block = 0, b""

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        at = self.position - self._begin
        if at + count > len(self._block):
            length = min(max(count, _BLOCK), self.source.size - self.position)
            if count > length:
                raise ReadError("is truncated: it ends inside its header")
            self._begin, at = self.position, 0
            self._block = self.source.read(self.position, length)
        self.position += count
        return self._block[at : at + count]

    def skip(self, count: int) -> None:
        """Passes ``count`` bytes."""
        if self.position + count > self.source.size:
            raise ReadError("is truncated: it ends inside its header")
        self.position += count
        if self.position - self._begin > len(self._block):
            self._begin, self._block = self.position, b""

    def number(self, form: str) -> int:
        """The next number; ``I`` has four bytes, ``Q`` eight."""
        (value,) = struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))
        return int(value)

    def text(self) -> str:
        """A name."""
        length = self.number("Q")
        if length > _LONGEST_NAME:
            raise ReadError("damaged: a name in its header is too long")
        return self.take(length).decode("utf-8", "replace")

    def value(self, kind: int) -> str | None:
        """A value of the metadata: text or a number of eight bytes at most as text, else None."""
        if kind == _TEXT:
            length = self.number("Q")
            if length <= _LONGEST_TEXT:
                return self.take(length).decode("utf-8", "replace")
            self.skip(length)
        elif kind == _ARRAY:
            self._skip_array()
        elif kind in (4, 10):
            return str(self.number("I" if kind == 4 else "Q"))
        elif kind in _SIZES:
            self.skip(_SIZES[kind])
        else:
            raise ReadError(f"damaged: its metadata have the unknown type {kind}")
        return None

    def _skip_array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind in _SIZES:
            self.skip(_SIZES[kind] * count)
        elif kind == _TEXT:
            if 8 * count > self.source.size - self.position:
                raise ReadError("is truncated: it ends inside its header")
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            raise ReadError("damaged: a list in its metadata has an unknown type")


def sniff(head: bytes, path: Path) -> bool:
    """Whether it begins with the format's name."""
    return head.startswith(b"GGUF")


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads and checks the header; the tensors stay in the file."""
    source = Source(path)
    header = Header(source)
    header.skip(4)
    version = header.number("I")
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
        what = "a big-endian GGUF file" if swapped else f"a GGUF file of version {version}"
        raise ReadError(f"is {what}, which is not read")
    tensors, fields = header.number("Q"), header.number("Q")
    if tensors > _MOST_TENSORS or fields > _MOST_FIELDS:
        raise ReadError("damaged: its header claims an impossible number of tensors or fields")
    metadata = _metadata(header, fields)
    entries = [_entry(header) for _ in range(tensors)]
    alignment = _alignment(metadata.get("general.alignment", "32"))
    begin = -(-header.position // alignment) * alignment
    root: dict[str, StoredTensor] = {}
    for entry in entries:
        for name, tensor in _stored(source, begin, entry).items():
            if name in root:
                raise ReadError(f"damaged: two tensors have the name {quoted(name)}")
            root[name] = tensor
    kinds = sorted({_QUANTISED[e.kind][0] for e in entries if e.kind in _QUANTISED})
    notes = []
    if kinds and installed(EXTRA):
        notes.append(f"Weights of the types {', '.join(kinds)} were multiplied out to float32.")
    return Contents(
        NAME, root, source.digest, check=source.check, metadata=metadata, notes=tuple(notes)
    )


def _alignment(said: str) -> int:
    """The number of bytes, in text, to a multiple of which tensors are moved."""
    is_number = said.isascii() and said.isdecimal() and len(said) < 9
    alignment = int(said) if is_number else 0
    if alignment < 1 or alignment % 8 or alignment > _BLOCK:
        raise ReadError(f"damaged: its tensors are aligned to {quoted(said)} bytes")
    return alignment


def _metadata(header: Header, count: int) -> dict[str, str]:
    found = {}
    for _ in range(count):
        key = header.text()
        value = header.value(header.number("I"))
        if value is not None:
            found[key] = value
    return found


def _entry(header: Header) -> Entry:
    name = header.text()
    dimensions = header.number("I")
    if dimensions > _MOST_DIMENSIONS:
        raise ReadError(f"damaged: {quoted(name)} has {dimensions} dimensions")
    shape = tuple(header.number("Q") for _ in range(dimensions))[::-1]
    return Entry(name, shape, header.number("I"), header.number("Q"))


def _stored(source: Source, begin: int, entry: Entry) -> dict[str, StoredTensor]:
    """A tensor by its name; a stack of experts as one tensor each."""
    name, shape = entry.name, entry.shape
    if entry.kind not in _PLAIN and entry.kind not in _QUANTISED:
        return {name: unread(shape, "unknown", f"numbers of the GGUF type {entry.kind}")}
    block, size = 1, ITEMSIZE[_PLAIN[entry.kind]] if entry.kind in _PLAIN else 0
    if entry.kind in _QUANTISED:
        _, block, size = _QUANTISED[entry.kind]
    row = shape[-1] if shape else 1
    if row % block:
        raise ReadError(f"damaged: {quoted(name)} has rows of {row:,}, not whole blocks")
    length = math.prod(shape) // block * size
    if begin + entry.offset + length > source.size:
        raise ReadError(f"is truncated: it ends before {quoted(name)} does")
    if not _EXPERTS.search(name) or len(shape) != 3 or 0 in shape:
        return {name: _described(source, begin + entry.offset, entry, shape, length)}
    stem, each = name.removesuffix(".weight"), length // shape[0]
    return {
        f"{stem}.{i}.weight": _described(
            source, begin + entry.offset + i * each, entry, shape[1:], each
        )
        for i in range(shape[0])
    }


def _described(
    source: Source, offset: int, entry: Entry, shape: tuple[int, ...], length: int
) -> StoredTensor:
    facts = _facts(entry.name)
    if entry.kind in _PLAIN:
        dtype = _PLAIN[entry.kind]
        layout = Layout(dtype, shape, contiguous(shape))
        return StoredTensor("", shape, dtype, partial(_read, source, offset, layout), facts=facts)
    kind, block, size = _QUANTISED[entry.kind]
    if not installed(EXTRA):
        lacking = f"weight of the type {kind} without pip install 'infoflow[{EXTRA}]'"
        return unread(shape, kind, lacking)
    rows = (*shape[:-1], shape[-1] // block * size)
    load = partial(_multiplied_out, source, offset, length, rows, entry.kind)
    return StoredTensor("", shape, "float32", load, facts=facts)


def _facts(name: str) -> ParameterFacts | None:
    if name == "token_embd.weight":
        reason = "embedding: looked up by index, not multiplied"
        return ParameterFacts("embedding", reason=reason)
    return ParameterFacts("other", reason=_OTHER[name]) if name in _OTHER else None


def _read(source: Source, offset: int, layout: Layout) -> np.ndarray[Any, Any]:
    data = source.read(offset, layout.span * layout.itemsize)
    return layout.view(data, 0, swapped=sys.byteorder == "big")


def _multiplied_out(
    source: Source, offset: int, length: int, rows: tuple[int, ...], kind: int
) -> np.ndarray[Any, Any]:
    gguf = needed(EXTRA, f"{source.path}: a quantised GGUF file")
    quants = import_module("gguf.quants")
    data = np.frombuffer(source.read(offset, length), np.uint8).reshape(rows)
    found: np.ndarray[Any, Any] = quants.dequantize(data, gguf.GGMLQuantizationType(kind))
    return found
