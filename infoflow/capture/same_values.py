"""Which tensors hold the same values because they are the same memory, unchanged since."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

T = TypeVar("T")
Place = tuple[int, int, tuple[int, ...], tuple[int, ...]]


@dataclass
class Entry(Generic[T]):
    """A tensor that was added: where it lies, how often that memory had been written, its value."""

    place: Place
    version: int
    value: T


@dataclass
class SameValues(Generic[T]):
    """Finds what was said of a tensor from the tensor, another view of all of it, or an alias.

    Tensors are held weakly: memory that is freed and used again is not taken for the old one.
    """

    entries: MutableMapping[Tensor, list[Entry[T]]] = field(default_factory=WeakTensorKeyDictionary)

    def add(self, tensor: Tensor, value: T) -> None:
        """Say something of a tensor."""
        entry = Entry(_place(tensor), times_written(tensor), value)
        self.entries.setdefault(_owner(tensor), []).append(entry)

    def find(self, tensor: Tensor) -> Entry[T] | None:
        """What was said last of these values, None where nothing was or they have changed."""
        entries = self.entries.get(_owner(tensor), [])
        place = _place(tensor)
        for entry in reversed(entries):
            if entry.version == times_written(tensor) and entry.place == place:
                return entry
        return None


def times_written(tensor: Tensor) -> int:
    """How often its memory was written in place; what inference mode made keeps no count."""
    return 0 if tensor.is_inference() else tensor._version


def _owner(tensor: Tensor) -> Tensor:
    """The tensor whose memory a view looks at, which lives as long as the view does."""
    base = tensor._base
    return tensor if base is None else base


def _place(tensor: Tensor) -> Place:
    offset = int(tensor.storage_offset()) * tensor.element_size()
    # A tensor without gaps is known by its numbers alone: reshaping keeps their order in memory.
    dense = tensor.is_contiguous()
    shape = () if dense else tuple(tensor.shape)
    return offset, tensor.numel(), shape, () if dense else tensor.stride()
