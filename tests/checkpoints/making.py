"""Pickles and PyTorch files written by hand, for what torch itself does not write."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
VERSION = pickle.dumps(1001, 2)
SYSTEM = pickle.dumps({"little_endian": True}, 2)


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def whole(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def name(full: str) -> bytes:
    module, _, attribute = full.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(
    key: str, count: int, kind: str = "torch.FloatStorage", view: bytes | None = None
) -> bytes:
    """A persistent storage; with ``view`` (``b"N"`` for none) as in legacy files."""
    parts = [text("storage"), name(kind), text(key), text("cpu"), whole(count)]
    return tuple_of(*parts, *([view] if view is not None else [])) + b"Q"


def tensor(
    stored: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
) -> bytes:
    sizes, steps = (tuple_of(*map(whole, numbers)) for numbers in (shape, strides))
    arguments = tuple_of(stored, whole(offset), sizes, steps, b"\x89", b"N")
    return name("torch._utils._rebuild_tensor_v2") + arguments + b"R"


def state(**entries: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def write_zip(
    path: Path,
    body: bytes,
    storages: dict[str, bytes] | None = None,
    *,
    order: bytes = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", program(body))
        file.writestr("archive/byteorder", order)
        file.writestr("archive/version", b"3\n")
        for key, data in (storages or {}).items():
            file.writestr(f"archive/data/{key}", data)
    return path


def write_legacy(path: Path, body: bytes, storages: dict[str, tuple[int, bytes]]) -> Path:
    """A legacy file; each storage is its number of elements and its bytes."""
    data = b"".join(struct.pack("<q", count) + part for count, part in storages.values())
    keys = pickle.dumps(list(storages), 2)
    path.write_bytes(MAGIC + VERSION + SYSTEM + program(body) + keys + data)
    return path
