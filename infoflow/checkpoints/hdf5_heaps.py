"""HDF5's global heaps, which hold its texts: checked before the library walks them.

The library steps from object to object by the sizes that they claim. A damaged size of 0 keeps it
on one spot for ever, in C, where nothing interrupts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from struct import unpack_from

from infoflow.checkpoints.faults import ReadError

_SIGNATURE = b"GCOL\x01\0\0\0"
_HEADER = 16
"""Bytes of a collection's (signature, size) and of an object's (index, references, size)."""


def check_heaps(content: mmap | bytes, begin: int, end: int) -> None:
    """Refuse a file with a heap whose objects do not follow one another to its end.

    Args:
        content: What the HDF5 file lies in; its lengths have 8 bytes, as h5py writes them.
        begin: Where it begins there.
        end: Where it ends.

    Raises:
        ReadError: There is such a heap.
    """
    for start in _collections(content, begin, end):
        (size,) = unpack_from("<Q", content, start + 8)
        if size < _HEADER or start + size > end:
            raise ReadError("damaged: a heap of texts in it ends beyond the file")
        place, stop = start + _HEADER, start + size
        while place + _HEADER <= stop:
            index, length = unpack_from("<H6xQ", content, place)
            # The free space, object 0, counts its own header; the others are filled up to 8.
            step = length if index == 0 else _HEADER + (length + 7) // 8 * 8
            if step < _HEADER or place + step > stop:
                raise ReadError("damaged: an object in a heap of texts has an impossible size")
            place += step


def _collections(content: mmap | bytes, begin: int, end: int) -> Iterator[int]:
    """Where heaps begin."""
    found = content.find(_SIGNATURE, begin, end - _HEADER)
    while found >= 0:
        yield found
        found = content.find(_SIGNATURE, found + 1, end - _HEADER)
