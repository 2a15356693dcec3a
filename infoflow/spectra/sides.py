"""The rows and the columns of a layer: which carry anything, and which channel each stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.polyphase import PolyphaseKernel

SINGLE = 2.0**-23
"""Coarser types than float32 have exponents of their own; their ε says nothing of a norm."""


@dataclass(frozen=True)
class Side:
    """The lines (all rows, or all columns) of a layer's matrices.

    Args:
        kept: (groups, lines): neither zero nor negligible.
        occupied: (groups, lines): not exactly zero.
        channels: (groups, lines): the layer's channel that each stands for; several columns, the
            phases of a stride, may stand for one.
    """

    kept: NDArray[np.bool_]
    occupied: NDArray[np.bool_]
    channels: NDArray[np.int64]

    @cached_property
    def count(self) -> int:
        """Number of channels."""
        return int(self.channels.max()) + 1

    @cached_property
    def zero(self) -> tuple[int, ...]:
        """Channels all of whose lines are exactly zero."""
        return self._without(self.occupied)

    @cached_property
    def negligible(self) -> tuple[int, ...]:
        """Channels without a line worth keeping, but not exactly zero."""
        return tuple(sorted(set(self._without(self.kept)) - set(self.zero)))

    @cached_property
    def partly(self) -> int:
        """Lines lost of channels that keep others: phases that a channel does without."""
        alive = np.ones(self.count, dtype=bool)
        alive[[*self.zero, *self.negligible]] = False
        return int(np.sum(~self.kept & alive[self.channels]))

    def _without(self, good: NDArray[np.bool_]) -> tuple[int, ...]:
        if good.all():
            return ()
        having = np.bincount(self.channels[good], minlength=self.count)
        return tuple(int(i) for i in np.flatnonzero(having == 0))


def sides(
    kernel: PolyphaseKernel, squares: NDArray[np.float64], epsilon: float
) -> tuple[Side, Side]:
    """Rows and columns of a kernel.

    Args:
        kernel: The layer.
        squares: (groups, rows, cols): Σ over the taps of w², of a ``normalised`` kernel.
        epsilon: Of the stored type.
    """
    groups, rows, cols = squares.shape
    row_channels = np.arange(groups * rows).reshape(groups, rows)
    channels = np.arange(groups * cols // len(kernel.phases)).reshape(groups, -1)
    column_channels = np.repeat(channels, len(kernel.phases), axis=1)
    return (
        judged(
            np.sqrt(squares.sum(axis=2)),
            row_channels,
            epsilon,
            lambda group, row: kernel.taps[:, group, row],
        ),
        judged(
            np.sqrt(squares.sum(axis=1)),
            column_channels,
            epsilon,
            lambda group, column: kernel.taps[:, group, :, column],
        ),
    )


def judged(
    norms: NDArray[np.float64],
    channels: NDArray[np.int64],
    epsilon: float,
    line: Callable[[int, int], Any],
) -> Side:
    """One side, from the norms of its lines.

    A line is negligible if its norm is below ε times the largest of its side, ε that of the
    stored type or of float32, the smaller.

    Args:
        norms: (groups, lines).
        channels: Of each line.
        epsilon: Of the stored type.
        line: All numbers of a line of a group.
    """
    kept = np.asarray(norms > min(epsilon, SINGLE) * norms.max())
    occupied = np.ones_like(kept)
    for group, place in np.argwhere(~kept):
        occupied[group, place] = bool((line(int(group), int(place)) != 0).any())
    return Side(kept, occupied, channels)
