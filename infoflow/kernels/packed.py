"""Distances between samples in tiles of the upper triangle: half of an n × n matrix is kept.

They are made block by block of the features, so that no float64 copy of the samples is needed and
nothing of the size of the whole matrix is held besides the tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels.distances import ROUNDING, Distances

SIDE = 256
"""Rows of a tile: 512 KiB of float64, so that several stay in the cache together."""

FEATURES = 2**21
"""Numbers of a block of features, 16 MiB of float64; but at least ``FEWEST`` columns."""
FEWEST = 256

Key = tuple[int, int]


@dataclass(frozen=True)
class PackedDistances:
    """Squared distances of n samples.

    Args:
        samples: n.
        kept: Tiles (rows, columns) of float64 by the numbers of their rows' and columns' blocks of
            ``SIDE`` samples, those on and above the diagonal.
    """

    samples: int
    kept: Mapping[Key, Tensor]

    @classmethod
    def of(
        cls, x: Tensor, lengths: Tensor | None = None, scale: Tensor | None = None
    ) -> PackedDistances:
        """Distances of samples (n, …) of any float type, computed in float64.

        Args:
            x: (n, …); (n,) is one feature.
            lengths: (n,), float64, by which each sample is divided first; 1 if None.
            scale: (…), by which each feature is divided; 1 if None.

        Raises:
            EstimateError: There are no samples, or a value is NaN or infinite.
        """
        if x.ndim == 0 or len(x) == 0:
            raise EstimateError("There are no samples to measure distances between.")
        n = len(x)
        cuts = [slice(start, min(start + SIDE, n)) for start in range(0, n, SIDE)]
        kept = {
            (i, j): x.new_zeros(r.stop - r.start, c.stop - c.start, dtype=torch.float64)
            for i, r in enumerate(cuts)
            for j, c in enumerate(cuts)
            if i <= j
        }
        widths = None if scale is None else scale.to(torch.float64).reshape(-1)
        _add_products(kept, cuts, x.detach().reshape(n, -1), lengths, widths)
        norms = torch.cat([kept[i, i].diagonal() for i in range(len(cuts))])
        if not bool(norms.isfinite().all()):
            raise EstimateError("The features hold NaN or infinite values; they have no distances.")
        for (i, j), tile in kept.items():
            sums = norms[cuts[i], None] + norms[None, cuts[j]]
            tile.mul_(-2).add_(sums)
            # What is below the rounding error of the subtraction is 0.
            tile.masked_fill_(tile <= sums.mul_(ROUNDING), 0.0)
            if i == j:
                tile.triu_(1)  # of the lower half nothing was computed
                tile.add_(tile.T.clone())
        return cls(n, kept)

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Squared distances (rows, columns); a tile that is kept is given itself, uncopied."""
        n = self.samples
        places = tuple(range(*part.indices(n)) for part in (rows, columns))
        ends = [(part.start // SIDE, part) for part in places]
        if all(part == range(i * SIDE, min((i + 1) * SIDE, n)) for i, part in ends):
            i, j = ends[0][0], ends[1][0]
            return self.kept[i, j] if i <= j else self.kept[j, i].T
        if all(part == range(n) for part in places):
            return self.whole()
        return self.between(*(torch.tensor(part, dtype=torch.long) for part in places))

    def whole(self) -> Tensor:
        """All squared distances (n, n)."""
        n = self.samples
        found = torch.empty(n, n, dtype=torch.float64, device=self.kept[0, 0].device)
        for (i, j), tile in self.kept.items():
            height, width = tile.shape
            rows, columns = slice(i * SIDE, i * SIDE + height), slice(j * SIDE, j * SIDE + width)
            found[rows, columns] = tile
            found[columns, rows] = tile.T
        return found

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Squared distances of any samples (m,) to any others (k,), by their numbers."""
        device = self.kept[0, 0].device
        found = torch.empty(len(rows), len(columns), dtype=torch.float64, device=device)
        for i, at_i in _by_block(rows, device):
            ours = rows[at_i].to(device) - i * SIDE
            strip = found.new_empty(len(ours), len(columns))
            for j, at_j in _by_block(columns, device):
                tile = self.kept[i, j] if i <= j else self.kept[j, i].T
                theirs = columns[at_j].to(device) - j * SIDE
                strip[:, at_j] = tile.index_select(0, ours).index_select(1, theirs)
            found[at_i] = strip
        return found


@dataclass(frozen=True)
class Lengthened:
    """Distances of samples of which each is a length times one whose distances are kept.

    ‖x − y‖² = (‖x‖ − ‖y‖)² + ‖x‖‖y‖·‖x/‖x‖ − y/‖y‖‖²: no second product, no cancellation, and
    nothing more that is held.

    Args:
        directions: Distances of the samples at the length 1.
        lengths: (n,), float64; of a sample that is 0 itself 0.
    """

    directions: Distances
    lengths: Tensor

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.directions.samples

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Squared distances (rows, columns)."""
        apart = self.directions.tile(rows, columns)
        return _lengthened(apart, self.lengths[rows, None], self.lengths[None, columns])

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Squared distances of any samples (m,) to any others (k,), by their numbers."""
        apart = self.directions.between(rows, columns)
        return _lengthened(apart, self.lengths[rows, None], self.lengths[None, columns])


def _lengthened(apart: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    return (apart * ours).mul_(theirs).add_((ours - theirs).square_())


def packed_bytes(samples: int) -> int:
    """Bytes that the packed distances of n samples take."""
    return 4 * samples * (samples + SIDE)


def block_of(samples: int) -> int:
    """Columns of features that are worked on together."""
    return max(FEWEST, FEATURES // samples)


def _by_block(places: Tensor, device: torch.device) -> list[tuple[int, Tensor | slice]]:
    """Which of the samples lie in each block; a slice where they are neighbours."""
    blocks = places // SIDE
    found: list[tuple[int, Tensor | slice]] = []
    for i in torch.unique(blocks).tolist():
        at = (blocks == i).nonzero().flatten()
        first, last = int(at[0]), int(at[-1])
        neighbours = last - first + 1 == len(at)
        found.append((i, slice(first, last + 1) if neighbours else at.to(device)))
    return found


def _add_products(
    kept: Mapping[Key, Tensor],
    cuts: list[slice],
    x: Tensor,
    lengths: Tensor | None,
    widths: Tensor | None,
) -> None:
    """Add the products of centred samples, block of features by block."""
    n, d = x.shape
    width = block_of(n)
    buffer = torch.empty(n * min(d, width), dtype=torch.float64, device=x.device)
    for start in range(0, d, width):
        columns = x[:, start : start + width]
        block = buffer[: columns.numel()].view(n, -1)
        block.copy_(columns)
        if lengths is not None:
            block.div_(lengths[:, None])
        block.sub_(block.mean(dim=0))
        if widths is not None:
            block.div_(widths[start : start + width])
        for (i, j), tile in kept.items():
            if i == j and x.device.type == "cpu":
                _add_square(tile, block[cuts[i]])
            else:
                tile.addmm_(block[cuts[i]], block[cuts[j]].T)


def _add_square(tile: Tensor, block: Tensor) -> None:
    """Add the upper half of block · blockᵀ: what is below the diagonal is left as it is."""
    from scipy.linalg.blas import dsyrk

    # The transpose of a C array is the Fortran array that BLAS wants, without a copy.
    dsyrk(1.0, block.numpy().T, beta=1.0, c=tile.numpy().T, trans=1, lower=1, overwrite_c=1)
