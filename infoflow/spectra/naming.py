"""From lost rank to the channels behind it: copies first, then what else is a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.arrays import as_numpy
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.spectra.dependence import Sketch, anchored, dependent, duplicates, sketched
from infoflow.spectra.sides import Side

Sets = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Names:
    """Channels of rows [0] and of columns [1]: sets of copies, and those in mixtures."""

    duplicates: tuple[Sets, Sets]
    mixtures: tuple[tuple[int, ...], tuple[int, ...]]

    def costs(self, rows: int, cols: int) -> bool:
        """Whether there are copies on a side of so many rows or columns with no lines to spare."""
        of_rows, of_columns = (bool(sets) for sets in self.duplicates)
        return (of_rows and rows <= cols) or (of_columns and cols <= rows)


class Vectors(Protocol):
    """What names are found in: a layer's channels, as vectors of one side of a group."""

    def sketch(
        self, group: int, of: int, lines: list[NDArray[np.int64]]
    ) -> tuple[Sketch, NDArray[np.int64]]:
        """Of the channels of rows (``of`` 0) or columns (1) on the given lines; the channels."""

    def mixtures(
        self, group: int, rank: int, lines: list[NDArray[np.int64]]
    ) -> tuple[list[int], list[int]]:
        """Places in ``lines`` of the rows and columns that linear dependences mix."""


def names_of(
    vectors: Vectors,
    both: tuple[Side, Side],
    *,
    ranks: NDArray[np.int64],
    epsilon: float,
    everywhere: bool = False,
) -> Names:
    """Copies where they can be (on the longer side, or where rank is lost), and mixtures.

    Args:
        vectors: Of the layer.
        both: Its rows and its columns.
        ranks: Of each group.
        epsilon: Of the stored type.
        everywhere: Look for copies on both sides at full rank too.
    """
    copies: tuple[list[tuple[int, ...]], list[tuple[int, ...]]] = ([], [])
    mixtures: tuple[set[int], set[int]] = (set(), set())
    sizes = [side.kept.sum(axis=1) for side in both]
    kept = np.minimum(*sizes)
    suspects = (ranks < kept) | (sizes[0] != sizes[1]) | everywhere
    for group in map(int, np.flatnonzero(suspects)):
        lost = bool(ranks[group] < kept[group])
        lines = [np.flatnonzero(side.kept[group]) for side in both]
        for of, side in enumerate(both):
            if not (lost or everywhere) and sizes[of][group] <= sizes[1 - of][group]:
                continue
            sketch, channels = vectors.sketch(group, of, lines)
            for members in duplicates(sketch, epsilon):
                copies[of].append(tuple(int(channels[i]) for i in members))
                spare = channels[list(members[1:])]
                lines[of] = lines[of][~np.isin(side.channels[group][lines[of]], spare)]
        if lost:
            named = vectors.mixtures(group, int(ranks[group]), lines)
            for of, side in enumerate(both):
                mixtures[of].update(int(c) for c in side.channels[group][lines[of][named[of]]])
    return Names(
        (tuple(copies[0]), tuple(copies[1])),
        (tuple(sorted(mixtures[0])), tuple(sorted(mixtures[1]))),
    )


@dataclass(frozen=True)
class KernelVectors:
    """The channels of a kernel.

    Args:
        kernel: The layer.
        matrices: (groups, rows, cols): scaled symbols that have the ranks found.
        epsilon: Of the stored type.
        generator: Of random directions.
    """

    kernel: PolyphaseKernel
    matrices: NDArray[Any] | None
    epsilon: float
    generator: np.random.Generator

    def sketch(
        self, group: int, of: int, lines: list[NDArray[np.int64]]
    ) -> tuple[Sketch, NDArray[np.int64]]:
        """Of all taps of the channels."""
        vectors, channels = channel_vectors(self.kernel, group, of, lines)
        return sketched(vectors, self.generator), channels

    def mixtures(
        self, group: int, rank: int, lines: list[NDArray[np.int64]]
    ) -> tuple[list[int], list[int]]:
        """From the scaled symbol's null vectors."""
        if self.matrices is None:
            return [], []
        return dependent(self.matrices[group][lines[0]][:, lines[1]], rank, self.epsilon)


def channel_vectors(
    kernel: PolyphaseKernel, group: int, of: int, lines: list[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One vector a channel of a group's rows (``of`` 0) or columns (1), and the channels.

    Rows: over taps and columns. Columns: over taps, rows and phases. Only the given lines count.
    """
    taps = as_numpy(kernel.taps)[:, group]
    if any(len(chosen) < size for chosen, size in zip(lines, taps.shape[1:], strict=True)):
        mask = np.zeros(taps.shape[1:])
        mask[np.ix_(*lines)] = 1.0
        taps = taps * mask
    count = len(kernel.offsets)
    if of == 0:
        channels = lines[0] + group * kernel.rows
        vectors = taps[:, lines[0], :]
    else:
        phases = len(kernel.phases)
        within = np.unique(lines[1] // phases)
        channels = within + group * (kernel.cols // phases)
        by_channel = taps.reshape(count, kernel.rows, -1, phases).transpose(0, 2, 1, 3)
        vectors = by_channel.reshape(count, -1, kernel.rows * phases)[:, within]
    if count > 1:
        vectors = anchored(vectors, kernel.offsets)
    return vectors.transpose(1, 0, 2).reshape(len(channels), -1), channels
