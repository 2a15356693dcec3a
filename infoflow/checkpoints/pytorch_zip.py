"""PyTorch's files since 1.6: a zip archive of one pickle and one member a storage.

``NAME/data.pkl`` is the object, ``NAME/data/KEY`` the bytes of a storage,
``NAME/byteorder`` their order. torch stores the members uncompressed, so that a tensor
can be mapped where it lies in the file; compressed ones are read.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.dtypes import STORED_ITEMSIZE
from infoflow.checkpoints.faults import ReadError, UnsafeReadError, quoted
from infoflow.checkpoints.layout import Layout
from infoflow.checkpoints.pickles import Machine
from infoflow.checkpoints.pytorch_pickle import is_tensor, stored
from infoflow.checkpoints.rebuilding import StorageReference
from infoflow.checkpoints.source import Source

if TYPE_CHECKING:
    from zipfile import ZipInfo

    from infoflow.checkpoints.checkpoint import StoredTensor

NAME = "PyTorch zip file"
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_STORED, _DEFLATED, _ENCRYPTED = 0, 8, 1
_MOST_EXPANDED = 1100  # deflate cannot do better than 1032 : 1
_LONGEST_PICKLE = 2**30


@dataclass(frozen=True)
class Archive:
    """The members of one archive, by their name without the archive's own."""

    source: Source
    members: dict[str, ZipInfo]

    def offset(self, member: ZipInfo) -> int:
        """Where the bytes of a member begin, checked against the size of the file."""
        header = self.source.read(member.header_offset, _LOCAL_HEADER.size)
        signature, name, extra = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04":
            raise ReadError("damaged: a member of the archive is not where it should be")
        begin: int = member.header_offset + _LOCAL_HEADER.size + name + extra
        if begin + member.compress_size > self.source.size:
            raise ReadError("is truncated: a member of the archive ends beyond the file")
        return begin

    def pickle(self, name: str) -> bytes:
        """The bytes of a pickle, or of another member that is read whole.

        Raises:
            ReadError: for one that is missing or too long.
        """
        member = self.members.get(name)
        if member is None:
            raise ReadError(f"damaged: its archive has no {quoted(name)}")
        if member.file_size > _LONGEST_PICKLE:
            raise ReadError(f"its {quoted(name)} is longer than {_LONGEST_PICKLE:,} bytes")
        return self.read(member)

    def read(self, member: ZipInfo) -> bytes:
        """The bytes of a member, expanded."""
        if member.flag_bits & _ENCRYPTED or member.compress_type not in (_STORED, _DEFLATED):
            raise ReadError("is encrypted or compressed in a way that is not read")
        if member.file_size > member.compress_size * _MOST_EXPANDED + 1000:
            raise ReadError("damaged: a member of the archive claims an impossible size")
        data = self.source.read(self.offset(member), member.compress_size)
        if member.compress_type == _DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, member.file_size + 1)
            except zlib.error:
                raise ReadError("damaged: a member of the archive does not expand") from None
        if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise ReadError(f"damaged: the check sum of {quoted(member.filename)} is wrong")
        return data


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file begins as zip archives do; ``open`` tells the others apart."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the directory and the pickle; the tensors stay in the file."""
    source = Source(path)
    archive = _archive(source)
    pickle = archive.pickle("data.pkl")
    try:
        root = Machine(pickle).run()
    except UnsafeReadError:
        if not trust_pickle:
            raise
        from infoflow.checkpoints import trusted

        return trusted.contents(source, NAME)
    return Contents(NAME, root, source.digest, is_tensor=is_tensor, stored=describing(archive))


def describing(archive: Archive) -> Callable[[object], StoredTensor]:
    """What describes a tensor of a pickle whose storages are the members ``data/KEY``."""
    swapped = _order(archive) != sys.byteorder
    return partial(stored, check=partial(_check, archive), read=partial(_read, archive, swapped))


def directory(file: Path | BinaryIO) -> list[ZipInfo]:
    """The members of an archive.

    Raises:
        ReadError: for a damaged archive.
    """
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(file) as archive:
            return archive.infolist()
    except (
        BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        struct.error,
        EOFError,
        IndexError,
    ):
        raise ReadError("is truncated or damaged: its zip directory cannot be read") from None


def within(source: Source, every: list[ZipInfo], prefix: str) -> Archive:
    """The archive of these members, named without their common folder.

    Raises:
        ReadError: where a name stands twice.
    """
    members = {m.filename.removeprefix(prefix): m for m in every}
    if len(members) != len(every):
        raise ReadError("damaged: its zip directory names a member twice")
    return Archive(source, members)


def _archive(source: Source) -> Archive:
    """The archive of a state dict.

    Raises:
        ReadError: for a damaged archive, and for one that is not a PyTorch state dict.
    """
    every = directory(source.path)
    names = [member.filename for member in every]
    prefix = next((n.removesuffix("data.pkl") for n in names if _is_pickle(n)), None)
    if prefix is None:
        raise ReadError(_other(names))
    return within(source, every, prefix)


def _is_pickle(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _other(names: list[str]) -> str:
    """The fact about an archive without a pickle."""
    if names and all(name.endswith(".npy") for name in names):
        return "is a NumPy .npz file, which is not read yet"
    return "is a zip archive, but not one that torch.save wrote (it has no data.pkl)"


def _order(archive: Archive) -> str:
    member = archive.members.get("byteorder")
    order = archive.read(member) if member and member.file_size < 100 else b"little"
    if order not in (b"little", b"big"):
        raise ReadError("damaged: its byte order is neither little nor big")
    return order.decode()


def _check(archive: Archive, storage: StorageReference) -> None:
    member = archive.members.get(f"data/{storage.key}")
    if member is None:
        raise ReadError(f"damaged: its storage {quoted(storage.key)} is not in the file")
    expected = storage.count * STORED_ITEMSIZE[storage.dtype]
    if member.file_size == 0 != expected:
        raise ReadError("has no data in the file (it was saved from the meta device)")
    if member.file_size != expected:
        raise ReadError(
            f"damaged: its storage {quoted(storage.key)} has {member.file_size:,} bytes "
            f"instead of {expected:,}"
        )
    if member.compress_type == _STORED:
        archive.offset(member)


def _read(
    archive: Archive, swapped: bool, storage: StorageReference, start: int, layout: Layout
) -> np.ndarray[Any, Any]:
    member = archive.members[f"data/{storage.key}"]
    if member.compress_type != _STORED:
        return layout.view(archive.read(member), start, swapped=swapped)
    begin = archive.offset(member)
    return layout.view(archive.source.mapped(), begin + start, swapped=swapped)
