"""Whose channels lie where along an axis of a tensor, and what operations make of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A stretch of an axis.

    Args:
        source: The convolution whose channels they are; None for anything else.
        channels: How many.
        each: Entries of the axis for one channel, all beside each other.
    """

    source: str | None
    channels: int
    each: int = 1

    @property
    def length(self) -> int:
        """Entries of the axis."""
        return self.channels * self.each


@dataclass(frozen=True)
class Layout:
    """The axis of a tensor that counts channels.

    Args:
        axis: Counted from 0.
        segments: That fill it, in order.
    """

    axis: int
    segments: tuple[Segment, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The convolutions whose channels are there."""
        return sources_of(self.segments)


def sources_of(segments: Sequence[Segment]) -> tuple[str, ...]:
    """The convolutions of stretches."""
    return tuple(one.source for one in segments if one.source is not None)


def reshaped(layout: Layout, before: Sequence[int], after: Sequence[int]) -> Layout | None:
    """The layout of the same numbers in another shape; None where channels do not stay together.

    >>> reshaped(Layout(1, (Segment("conv", 8),)), (2, 8, 5, 5), (2, 200))
    Layout(axis=1, segments=(Segment(source='conv', channels=8, each=25),))
    """
    axis = layout.axis
    if tuple(before[:axis]) != tuple(after[:axis]) or len(after) <= axis:
        return None
    if after[axis] == before[axis]:
        return layout
    inside = math.prod(before[axis + 1 :])
    if len(after) != axis + 1 or after[axis] != before[axis] * inside:
        return None
    return Layout(
        axis, tuple(Segment(s.source, s.channels, s.each * inside) for s in layout.segments)
    )


def reduced(layout: Layout, dimensions: Sequence[int], rank: int, *, keep: bool) -> Layout | None:
    """After a mean or a maximum over some dimensions; None where the channels are among them."""
    gone = {one % rank for one in dimensions} or set(range(rank))
    if layout.axis in gone:
        return None
    before = 0 if keep else sum(one < layout.axis for one in gone)
    return Layout(layout.axis - before, layout.segments)


def joined(parts: Sequence[Layout | int], axis: int) -> Layout | None:
    """After a concatenation along ``axis``; None where one part has its channels elsewhere.

    Args:
        parts: Each a layout, or the length of what holds no channels that are followed.
        axis: Counted from 0.
    """
    segments: list[Segment] = []
    for part in parts:
        if isinstance(part, int):
            segments.append(Segment(None, part))
        elif part.axis == axis:
            segments += part.segments
        else:
            return None
    return Layout(axis, tuple(segments))


def entries(segments: Sequence[Segment], filters: dict[str, list[int]]) -> list[int]:
    """The entries of an axis that belong to some filters of each convolution.

    >>> entries((Segment(None, 3), Segment("conv", 4, 2)), {"conv": [1]})
    [5, 6]
    """
    found: list[int] = []
    start = 0
    for segment in segments:
        for one in sorted(filters.get(segment.source or "", ())):
            first = start + one * segment.each
            found += range(first, first + segment.each)
        start += segment.length
    return found
