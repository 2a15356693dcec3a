"""Which values a stretch of memory holds: views and writes in place taken into account."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Geometry = tuple[int, tuple[int, ...], tuple[int, ...], int]


@dataclass(frozen=True)
class _Write:
    """A stretch of memory that was written.

    Args:
        value: The node that was written; None for what does not depend on the input.
        low, high: First byte and the one after the last.
        dense: Whether all bytes between were written.
        geometry: Offset, shape, strides and size of an element.
    """

    value: int | None
    low: int
    high: int
    dense: bool
    geometry: Geometry

    def covers(self, other: _Write) -> bool:
        """Whether nothing of the other stretch is older than this write."""
        inside = self.low <= other.low and other.high <= self.high
        return (self.dense and inside) or self.geometry == other.geometry

    def meets(self, other: _Write) -> bool:
        """Whether the two may have a byte in common."""
        return self.low < other.high and other.low < self.high


def owner(tensor: Tensor) -> tuple[int, object]:
    """What holds the tensor's numbers, by a number and itself.

    Its storage; the tensor where it has none (sparse and nested tensors).
    """
    try:
        storage = tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return id(tensor), tensor
    return storage._cdata, storage


class Memory:
    """The last writes to each storage, kept alive so that no memory is used twice."""

    def __init__(self) -> None:
        self._owners: dict[int, object] = {}
        self._writes: dict[int, list[_Write]] = {}

    def write(self, tensor: Tensor, value: int | None) -> None:
        """From now on the tensor's memory holds this value."""
        key, holder = owner(tensor)
        if key not in self._owners and value is None:
            return
        self._owners.setdefault(key, holder)
        self._writes.setdefault(key, []).append(_stretch(tensor, value))

    def read(self, tensor: Tensor) -> frozenset[int]:
        """The values that the tensor's numbers come from; of those in doubt, all."""
        wanted = _stretch(tensor, None)
        found: set[int] = set()
        for write in reversed(self._writes.get(owner(tensor)[0], [])):
            if write.meets(wanted):
                if write.value is not None:
                    found.add(write.value)
                if write.covers(wanted):
                    break
        return frozenset(found)

    def whole(self, tensor: Tensor) -> int | None:
        """The one value that fills exactly the tensor's memory, None where there is none."""
        wanted = _stretch(tensor, None)
        for write in reversed(self._writes.get(owner(tensor)[0], [])):
            if write.meets(wanted):
                return write.value if write.covers(wanted) and wanted.covers(write) else None
        return None


def _stretch(tensor: Tensor, value: int | None) -> _Write:
    if isinstance(owner(tensor)[1], Tensor):
        return _Write(value, 0, 1, True, (0, (), (), 1))
    size = tensor.element_size()
    offset = int(tensor.storage_offset())
    low = offset * size
    pairs = list(zip(tensor.shape, tensor.stride(), strict=True))
    last = sum((length - 1) * stride for length, stride in pairs)
    high = low + (last + 1) * size if tensor.numel() else low
    distinct = 1
    for length, stride in pairs:
        distinct *= length if stride else 1
    geometry = (offset, tuple(tensor.shape), tensor.stride(), size)
    return _Write(value, low, high, distinct * size == high - low, geometry)
