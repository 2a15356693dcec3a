"""Tensors of an ONNX file, in the file itself or in files of data beside it."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.dtypes import ITEMSIZE, numpy_dtype
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.layout import MOST_DIMENSIONS, Layout, contiguous
from infoflow.checkpoints.source import Source

TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    24: "float8_e8m0fnu",
}
"""The numbers that ONNX gives to types, of those that are read."""
_UNREAD = {8: "text", 21: "uint4", 22: "int4", 23: "float4_e2m1", 25: "uint2", 26: "int2"}
_FIELDS = {
    "float32": "float_data",
    "complex64": "float_data",
    "float64": "double_data",
    "complex128": "double_data",
    "int64": "int64_data",
    "uint32": "uint64_data",
    "uint64": "uint64_data",
}
"""Where numbers lie that are not stored as bytes; all others lie in int32_data."""
_EXTERNAL = 1


class Data:
    """The files beside a model that hold its tensors."""

    def __init__(self, model: Path) -> None:
        self.folder = model.parent
        self.sources: dict[str, Source] = {}
        """By their name in the model."""

    def source(self, location: str) -> Source:
        """The file of that name.

        Raises:
            ReadError: for one that does not lie in the model's own folder, or is not there.
        """
        if location not in self.sources:
            parts = location.replace("\\", "/").split("/")
            if not location or "\0" in location or ":" in location or "" in parts or ".." in parts:
                raise ReadError(f"has data in {quoted(location)}, which is outside its folder")
            path = self.folder / location
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ReadError(f"has data in {quoted(location)}, which leads out of its folder")
            try:
                self.sources[location] = Source(path)
            except FileNotFoundError:
                raise ReadError(f"has data in {quoted(location)}, which is not there") from None
        return self.sources[location]


def stored(proto: Any, data: Data) -> StoredTensor:
    """Describes a TensorProto, its claims checked against what there is.

    Raises:
        ReadError: where size, type or place do not fit.
    """
    shape = tuple(proto.dims)
    if len(shape) > MOST_DIMENSIONS or any(part < 0 for part in shape):
        raise ReadError(f"damaged: the tensor {quoted(proto.name)} has the shape {shape!r:.80}")
    dtype = TYPES.get(proto.data_type)
    if dtype is None:
        kind = _UNREAD.get(proto.data_type, f"number {proto.data_type}")
        return unread(shape, kind, f"numbers of the type {kind}")
    if proto.HasField("segment"):
        return unread(shape, dtype, "tensor in segments")
    if proto.data_location == _EXTERNAL:
        return _external(proto, shape, dtype, data)
    pairs = 2 if dtype.startswith("complex") else 1
    if proto.HasField("raw_data"):
        have, want = len(proto.raw_data), math.prod(shape) * ITEMSIZE[dtype]
    else:
        have, want = len(getattr(proto, _field(dtype))), math.prod(shape) * pairs
    if have != want:
        raise ReadError(
            f"damaged: the tensor {quoted(proto.name)} of shape {shape!r:.80} holds {have:,} "
            f"instead of {want:,} {'bytes' if proto.HasField('raw_data') else 'numbers'}"
        )
    return StoredTensor("", shape, dtype, partial(_within, proto, shape, dtype))


def _field(dtype: str) -> str:
    return _FIELDS.get(dtype, "int32_data")


def _within(proto: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    if proto.HasField("raw_data"):
        layout = Layout(dtype, shape, contiguous(shape))
        return layout.view(proto.raw_data, 0, swapped=sys.byteorder == "big")
    kind = numpy_dtype(dtype)
    field = getattr(proto, _field(dtype))
    if dtype.startswith("complex"):
        return np.array(field, np.dtype(f"f{kind.itemsize // 2}")).view(kind).reshape(shape)
    if _field(dtype) == "int32_data" and kind.kind not in "iub":
        # Halves and the like: their bits as whole numbers.
        return np.array(field, np.dtype(f"u{kind.itemsize}")).view(kind).reshape(shape)
    return np.array(field, np.int64 if kind.kind in "ib" else None).astype(kind).reshape(shape)


def _external(proto: Any, shape: tuple[int, ...], dtype: str, data: Data) -> StoredTensor:
    entries = {entry.key: entry.value for entry in proto.external_data}
    source = data.source(entries.get("location", ""))
    layout = Layout(dtype, shape, contiguous(shape))
    count = layout.span * layout.itemsize
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(count)))
    except ValueError:
        raise ReadError(f"damaged: the place of {quoted(proto.name)} is no number") from None
    if offset < 0 or length != count:
        raise ReadError(
            f"damaged: the tensor {quoted(proto.name)} of shape {shape!r:.80} has {length:,} "
            f"bytes instead of {count:,}"
        )
    if offset + count > source.size:
        raise ReadError(
            f"has data in {quoted(source.path.name)}, which ends before {quoted(proto.name)} does"
        )
    memory = f"{source.path.name} {offset} {shape} {dtype}" if count else ""
    return StoredTensor("", shape, dtype, partial(_beside, source, offset, layout), memory)


def _beside(source: Source, offset: int, layout: Layout) -> np.ndarray[Any, Any]:
    data = source.read(offset, layout.span * layout.itemsize)
    return layout.view(data, 0, swapped=sys.byteorder == "big")
