"""Zip archives that nobody vouches for: a directory that is checked, members read within bounds.

Nothing is ever extracted, so that a member's name can lead nowhere. The directory at the
archive's end says what there is; what the members' own headers say must not contradict it.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.source import Source, Window

if TYPE_CHECKING:
    from zipfile import ZipInfo

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_STORED, _DEFLATED, _ENCRYPTED, _UTF8 = 0, 8, 1, 0x800
_LONGEST_DIRECTORY = 2**26  # about a million members
_LONGEST_PICKLE = 2**30
_EXPANDED_AT_EASE = 2**26
_MOST_EXPANDED = 100
"""Times the file's size, for all members together. Weights hardly compress; a bomb does 1000:1."""


@dataclass(frozen=True)
class Archive:
    """The members of one archive by their names, and where each must have ended."""

    source: Source
    members: dict[str, ZipInfo]
    limits: dict[int, int]

    def is_stored(self, member: ZipInfo) -> bool:
        """Whether the bytes of a member lie in the file as they are."""
        return member.compress_type == _STORED

    def refuse_unread(self, member: ZipInfo) -> None:
        """Refuses a member that is encrypted, or compressed by another method than deflate.

        Raises:
            ReadError: for such a member.
        """
        if member.flag_bits & _ENCRYPTED or member.compress_type not in (_STORED, _DEFLATED):
            raise ReadError("is encrypted or compressed in a way that is not read")
        if self.is_stored(member) and member.file_size != member.compress_size:
            raise ReadError(f"damaged: {quoted(member.filename)} has two sizes")

    def offset(self, member: ZipInfo) -> int:
        """Where the bytes of a member begin.

        Raises:
            ReadError: where its own header is missing or is another's, or its bytes reach into
                the next member.
        """
        expected = _raw_name(member)
        header = self.source.read(member.header_offset, _LOCAL_HEADER.size + len(expected))
        signature, name, extra = _LOCAL_HEADER.unpack_from(header)
        if signature != b"PK\x03\x04":
            raise ReadError("damaged: a member of the archive is not where it should be")
        if name != len(expected) or header[_LOCAL_HEADER.size :] != expected:
            raise ReadError(f"damaged: {quoted(member.filename)} has another name in its header")
        begin: int = member.header_offset + _LOCAL_HEADER.size + name + extra
        if begin + member.compress_size > self.source.size:
            raise ReadError("is truncated: a member of the archive ends beyond the file")
        if begin + member.compress_size > self.limits[member.header_offset]:
            raise _overlapping()
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
        self.refuse_unread(member)
        data = self.source.read(self.offset(member), member.compress_size)
        if member.compress_type == _DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, member.file_size + 1)
            except zlib.error:
                raise ReadError("damaged: a member of the archive does not expand") from None
        if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise ReadError(f"damaged: the check sum of {quoted(member.filename)} is wrong")
        return data


class _Reader(io.BufferedReader):
    """A file for ``zipfile``, which reads a whole directory at once, whatever size it claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LONGEST_DIRECTORY:
            raise ReadError(f"damaged: its zip directory claims {size:,} bytes")
        return super().read(size)


@lru_cache(maxsize=1)
def directory(source: Source) -> tuple[ZipInfo, ...]:
    """The members that the directory at the archive's end names.

    The last one is kept: several formats are told apart by it before one of them is opened.

    Raises:
        ReadError: for a directory that cannot be read, and for a zip bomb.
    """
    return tuple(_members(source, 0, source.size))


def nested(archive: Archive, name: str) -> list[ZipInfo]:
    """The members of an archive that lies uncompressed in another, by their places in the file.

    Raises:
        ReadError: for one that is compressed, or as ``directory`` does.
    """
    member = archive.members[name]
    if not archive.is_stored(member):
        raise ReadError(f"has {quoted(name)} compressed, which is not read")
    archive.refuse_unread(member)
    begin = archive.offset(member)
    every = _members(archive.source, begin, member.file_size)
    for inner in every:
        inner.header_offset += begin
    return every


def _members(source: Source, begin: int, size: int) -> list[ZipInfo]:
    from zipfile import BadZipFile, ZipFile

    try:
        with _Reader(Window(source, begin, size)) as file, ZipFile(file) as zipped:
            every = zipped.infolist()
    except (
        *(BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError),
        *(IndexError, OverflowError),
    ):
        raise ReadError("is truncated or damaged: its zip directory cannot be read") from None
    expanded = sum(member.file_size for member in every if member.compress_type != _STORED)
    if expanded > _EXPANDED_AT_EASE + _MOST_EXPANDED * size:
        raise ReadError(f"is a zip bomb: {size:,} bytes that claim to expand to {expanded:,}")
    return every


def archive_of(source: Source, every: Sequence[ZipInfo], prefix: str = "") -> Archive:
    """The archive with those members, ``prefix`` taken off their names.

    Raises:
        ReadError: where a name stands twice, or two members share bytes.
    """
    members = {member.filename.removeprefix(prefix): member for member in every}
    if len(members) != len(every):
        raise ReadError("damaged: its zip directory names a member twice")
    ordered = sorted(every, key=lambda member: member.header_offset)
    limits: dict[int, int] = {}
    begins = [*(member.header_offset for member in ordered[1:]), source.size]
    for member, limit in zip(ordered, begins, strict=True):
        shortest = _LOCAL_HEADER.size + len(_raw_name(member)) + member.compress_size
        if member.header_offset + shortest > limit:
            if limit == source.size:
                raise ReadError("is truncated: a member of the archive ends beyond the file")
            raise _overlapping()
        limits[member.header_offset] = limit
    return Archive(source, members, limits)


def _overlapping() -> ReadError:
    return ReadError("damaged: two members of the archive overlap")


def _raw_name(member: ZipInfo) -> bytes:
    encoding = "utf-8" if member.flag_bits & _UTF8 else "cp437"
    return member.orig_filename.encode(encoding, "replace")
