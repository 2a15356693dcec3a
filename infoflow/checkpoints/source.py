"""A file on disk: its bytes on demand, one memory map shared by all of its live tensors."""

from __future__ import annotations

import io
import mmap
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.torn_maps import Extent, watch

_HEAD = 4096


class Source:
    """A regular file, opened only while something is read.

    Args:
        path: Made absolute, so that a later change of folder does not matter.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._absolute = Path(os.path.abspath(path))  # noqa: PTH100 (symbolic links stay)
        with self._open() as file:
            self._stamp = _stamp(file)
        self.size = self._stamp[1]
        self._map: weakref.ref[mmap.mmap] | None = None
        self._is_unchecked = False
        self._extent: Extent | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both are the same file, not changed in between."""
        if not isinstance(other, Source):
            return NotImplemented
        return (self._absolute, self._stamp) == (other._absolute, other._stamp)

    def __hash__(self) -> int:
        return hash((self._absolute, self._stamp))

    def _open(self) -> io.FileIO:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self._absolute, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ReadError("is not a regular file")
        return io.FileIO(descriptor)

    @contextmanager
    def reopened(self) -> Iterator[io.FileIO]:
        """The file, open for reading; asked before and after whether it is still the same.

        Raises:
            ReadError: where it has changed since it was opened, or a map of it is torn.
        """
        with self._open() as file:
            self._ask(file)
            self._is_unchecked = True
            yield file
            self._ask(file)

    def _ask(self, file: io.FileIO) -> None:
        if _stamp(file) != self._stamp:
            raise ReadError("has changed since it was opened; run again when nobody writes to it")
        if self._extent is not None and self._extent.torn:
            raise ReadError("could not be read to its end: its disk fails, or it was cut off")

    def check(self) -> None:
        """Asks whether all that was read came from the file that was opened.

        A file of which nothing was read since the last time, and which is not mapped, is not
        opened for it: of many shards, a layer needs one.

        Raises:
            ReadError: where it has changed meanwhile, or some of it could not be read.
        """
        if self._is_unchecked or (self._map is not None and self._map() is not None):
            with self._open() as file:
                self._ask(file)
            self._is_unchecked = False

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``.

        Raises:
            ReadError: where the file ends before.
        """
        if offset < 0 or offset + count > self.size:
            raise ReadError(f"is truncated: it ends before byte {offset + count:,}")
        with self.reopened() as file:
            file.seek(offset)
            parts = [file.read(count)]
            while sum(map(len, parts)) < count:  # one call reads at most 2 GiB
                part = file.read(count - sum(map(len, parts)))
                if not part:
                    raise ReadError("is truncated")
                parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def mapped(self) -> mmap.mmap:
        """The file in memory, read-only; unmapped when the last array on it is gone.

        The map is held weakly: while one layer is alive at a time, the pages of the
        layers before it are given back. Whoever is done with what was mapped calls ``check``.
        """
        held = self._map() if self._map else None
        with self.reopened() as file:
            if held is None:
                held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._map, self._extent = weakref.ref(held, self._unmapped), watch(held)
        return held

    def _unmapped(self, _: weakref.ref[mmap.mmap]) -> None:
        # It was read from until now, perhaps by another thread than the one that last asked.
        self._is_unchecked = True

    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        import hashlib

        with self.reopened() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Window(io.RawIOBase):
    """A part of a file as a file of its own, read-only."""

    def __init__(self, source: Source, begin: int, size: int) -> None:
        super().__init__()
        self._source, self._begin, self._size, self._at = source, begin, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer as far as the part goes."""
        view = memoryview(buffer).cast("B")
        count = max(min(len(view), self._size - self._at), 0)
        view[:count] = self._source.read(self._begin + self._at, count)
        self._at += count
        return count


def head(path: Path) -> bytes:
    """The first bytes of a file, by which its format is recognised.

    Raises:
        ReadError: for what is not a regular file.
    """
    source = Source(path)
    return source.read(0, min(_HEAD, source.size))


def _stamp(file: io.FileIO) -> tuple[int, int, int]:
    facts = os.fstat(file.fileno())
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
