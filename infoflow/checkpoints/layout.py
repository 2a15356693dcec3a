"""How a tensor lies in its storage, checked against the storage's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from infoflow.checkpoints.dtypes import ITEMSIZE, numpy_dtype
from infoflow.checkpoints.faults import ReadError
from infoflow.words import counted

MOST_DIMENSIONS = 64  # numpy's limit
_MOST_REPEATED = 2**22  # elements that a view may repeat (stride 0) beyond what is stored


@dataclass(frozen=True, slots=True)
class Layout:
    """A strided view of a storage; ``offset`` and ``strides`` count elements."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    conjugate: bool = False
    negative: bool = False

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return ITEMSIZE[self.dtype]

    @property
    def span(self) -> int:
        """Elements of the storage from the first that the tensor touches to its last."""
        if 0 in self.shape:
            return 0
        steps = zip(self.shape, self.strides, strict=True)
        return 1 + sum((size - 1) * stride for size, stride in steps)

    def check(self, stored: int) -> None:
        """Checks the layout against a storage of ``stored`` bytes.

        Raises:
            ReadError: for a type that is not read, or a view that leaves its storage.
        """
        if self.dtype not in ITEMSIZE:
            raise ReadError(f"holds numbers of the type {self.dtype}, which is not read")
        if len(self.shape) != len(self.strides):
            strides = counted(len(self.strides), "stride")
            raise ReadError(f"damaged: {counted(len(self.shape), 'size')} and {strides}")
        available = stored // self.itemsize
        if self.offset + self.span > available:
            raise ReadError(
                f"damaged: a tensor of shape {self.shape!r:.80} ends at element "
                f"{self.offset + self.span:,} of a storage of {available:,}"
            )
        # A view with stride 0 may claim any number of elements without storing them.
        if math.prod(self.shape) > available + _MOST_REPEATED:
            raise ReadError(f"damaged: {available:,} numbers repeated to shape {self.shape!r:.80}")

    def view(self, buffer: Any, start: int, *, swapped: bool = False) -> np.ndarray[Any, Any]:
        """The tensor in a buffer whose byte ``start`` is the storage's first.

        Args:
            buffer: Anything with the buffer protocol.
            start: May be negative where the buffer begins inside the storage.
            swapped: Whether the bytes of each number are in the other order than this machine's.
        """
        dtype = numpy_dtype(self.dtype)
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        strides = tuple(stride * dtype.itemsize for stride in self.strides)
        begin = start + self.offset * dtype.itemsize
        array: np.ndarray[Any, Any] = np.ndarray(self.shape, dtype, buffer, begin, strides)
        if swapped:
            array = array.byteswap()
        if self.conjugate:
            array = np.conj(array)
        if self.negative:
            array = np.negative(array)
        return array


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a row-major array.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
