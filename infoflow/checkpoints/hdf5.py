"""HDF5 files through h5py, with nothing followed that points out of the file."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.dtypes import ITEMSIZE, numpy_dtype
from infoflow.checkpoints.extras import needed
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.hdf5_heaps import check_heaps
from infoflow.checkpoints.source import Source, Window

MAGIC = b"\x89HDF\r\n\x1a\n"
EXTRA = "keras"
_MOST_EXPANDED = 1100  # deflate cannot do better than 1032 : 1
_MOST_OBJECTS = 1_000_000
_DEEPEST = 50


@dataclass(frozen=True)
class Hdf5:
    """An HDF5 file, or one within an uncompressed archive.

    Args:
        h5py: The package.
        source: The file on disk.
        begin: Where it begins there.
        size: Its length.
    """

    h5py: ModuleType
    source: Source
    begin: int
    size: int

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """The file, open.

        Raises:
            ReadError: for whatever the library says of a damaged file.
        """
        with self._failures(), self.h5py.File(self._window(), "r") as file:
            yield file

    def _window(self) -> io.BufferedReader:
        return io.BufferedReader(Window(self.source, self.begin, self.size), 2**16)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            if not _is_of_h5py(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ReadError(f"is truncated or damaged as an HDF5 file: {reason:.120}") from None

    def datasets(self, file: Any) -> Iterator[tuple[str, Any]]:
        """Every data set and its path, in the file's order.

        Raises:
            ReadError: for links that leave the file, and for groups without end.
        """
        waiting = [("", file)]
        seen = 0
        while waiting:
            path, item = waiting.pop()
            seen += 1
            if seen > _MOST_OBJECTS or path.count("/") > _DEEPEST:
                raise ReadError("damaged: its groups are nested without end")
            if isinstance(item, self.h5py.Dataset):
                yield path, item
            elif isinstance(item, self.h5py.Group):
                inner = [(self._joined(path, name), name) for name in item]
                waiting += [(full, self._child(item, name, full)) for full, name in inner[::-1]]

    def _joined(self, path: str, name: str) -> str:
        return f"{path}/{name}" if path else name

    def _child(self, group: Any, name: str, path: str) -> Any:
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise ReadError(f"has a link at {quoted(path)}; links are not followed")
        return group[name]

    def stored(self, path: str, dataset: Any) -> StoredTensor:
        """Describes a data set.

        Raises:
            ReadError: where its numbers lie outside the file, or are not there.
        """
        if dataset.external or dataset.is_virtual:
            raise ReadError(f"has the numbers of {quoted(path)} in another file")
        if dataset.shape is None:
            return unread((), "unknown", "data set without a space")
        shape = tuple(int(size) for size in dataset.shape)
        dtype = self._dtype(dataset)
        if dtype not in ITEMSIZE:
            return unread(shape, dtype, f"numbers of the type {dtype}")
        want, have = math.prod(shape) * ITEMSIZE[dtype], dataset.id.get_storage_size()
        if want and not have:
            raise ReadError(f"has no data for {quoted(path)}")
        most = have if dataset.chunks is None else have * _MOST_EXPANDED
        if want > most:
            raise ReadError(f"damaged: {quoted(path)} of shape {shape!r:.80} has {have:,} bytes")
        return StoredTensor("", shape, dtype, lambda: self._read(path, dtype))

    def _dtype(self, dataset: Any) -> str:
        said = dataset.attrs.get("dtype")
        if isinstance(said, str) and said in ITEMSIZE and dataset.dtype.itemsize == ITEMSIZE[said]:
            return said  # bfloat16, which HDF5 does not know
        return str(dataset.dtype.newbyteorder("=").name)

    def _read(self, path: str, dtype: str) -> np.ndarray[Any, Any]:
        with self.opened() as file:
            array: np.ndarray[Any, Any] = np.asarray(file[path][()])
        kind = numpy_dtype(dtype)
        return array.view(kind) if array.dtype.kind == "V" else array.astype(kind, copy=False)


def _is_of_h5py(error: Exception) -> bool:
    """Whether it was raised within the library, and not by a mistake of those who call it."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(str(f.f_globals.get("__name__")).partition(".")[0] == "h5py" for f in frames)


def hdf5(path: Path, source: Source, begin: int, size: int) -> Hdf5:
    """The file at a place in another.

    Raises:
        MissingDependencyError: where h5py is not installed.
        ReadError: where its heaps would keep the library for ever.
    """
    package = needed(EXTRA, f"{path}: a Keras file")
    check_heaps(source.mapped(), begin, begin + size)
    return Hdf5(package, source, begin, size)
