"""What the pairs of one variable say by themselves: computed once, used with every partner.

With a = k² (a Gaussian kernel of width σ/√2), i ≠ j throughout; and the linear kernel L that
alignment compares, −½‖x − y‖² up to what centring takes away (of labels the indicator itself).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.kernels import Gaussian, Kernel, tiles
from infoflow.kernels.packed import SIDE
from infoflow.statistics.permutations import Chains


@dataclass(frozen=True)
class Tile:
    """Some pairs of a variable; all (rows, columns), float64, the diagonal 0 but in ``linear``.

    Args:
        double: k_{2σ}², that of twice the width; of labels k².
        a: k².
        distances: ‖x − y‖², None of labels.
        linear: L.
        factor: By which L is to be multiplied.
    """

    double: Tensor
    a: Tensor
    distances: Tensor | None
    linear: Tensor
    factor: float


def pairs_of(kernel: Kernel, rows: slice, columns: slice) -> Tile:
    """A tile of a variable: one exponential, from which the other widths are powers."""
    on_diagonal = rows.start == columns.start
    if isinstance(kernel, Gaussian):
        distances = kernel.distances.tile(rows, columns)
        double = (distances * (-0.25 / kernel.sigma**2)).exp_()
        double = double.fill_diagonal_(0.0) if on_diagonal else double
        a = double.square().square_()
        return Tile(double, a, distances, distances, -0.5)
    linear = kernel.tile(rows, columns)
    a = linear.square()
    a = a.fill_diagonal_(0.0) if on_diagonal else a
    return Tile(a, a, None, linear, 1.0)


@dataclass(frozen=True)
class Marginal:
    """Sums over the pairs of one variable of n samples.

    Args:
        kernel: Of the variable.
        groups: (n, g), float64: 1 where a sample is in a group.
        rows: (n,) mean over j of a_ij.
        within: (g,) mean of a over the pairs inside a group.
        squares: (n,) mean over j of a_ij².
        within_square: (g,) mean of a² over the pairs inside a group.
        half: Mean of a of half the width, a⁴, and of its square.
        double: Mean of a of twice the width, and of its square.
        slope: (n,) mean over j of ∂a_ij/∂log σ; None where σ is fixed.
        square_slope: Mean of ∂a²/∂log σ; None where σ is fixed.
        linear: (n,) sum over j of L_ij, the diagonal included.
        linear_square: Sum of L² over all i, j.
    """

    kernel: Kernel
    groups: Tensor
    rows: Tensor
    within: Tensor
    squares: Tensor
    within_square: Tensor
    half: tuple[Tensor, Tensor]
    double: tuple[Tensor, Tensor]
    slope: Tensor | None
    square_slope: Tensor | None
    linear: Tensor
    linear_square: Tensor

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.kernel.samples

    @property
    def chains(self) -> Chains:
        """What Mantel's moments need of a."""
        return Chains.of_sums(self.rows * (self.samples - 1), self.squares.mean())

    @property
    def self_influence(self) -> Tensor:
        """(n,) influence of each sample on I₂ of the variable with itself, in bits."""
        square, mean = self.squares.mean(), self.rows.mean()
        found = 2 * (self.squares / square - 2 * self.rows / mean + 1)
        on_sigma = self.kernel.sigma_influence
        if on_sigma is not None and self.slope is not None and self.square_slope is not None:
            found = found + (self.square_slope / square - 2 * self.slope.mean() / mean) * on_sigma
        return found / math.log(2)


def marginal(kernel: Kernel, groups: Tensor) -> Marginal:
    """All sums of one kernel in one pass over tiles: O(n²) time, no n × n matrix.

    Args:
        kernel: n samples.
        groups: (n, g), float64: 1 where a sample is in a group, such as a third of the samples.
    """
    n = kernel.samples
    ones = groups.new_ones(n, 1)
    by_group = groups.new_zeros(n, 1 + groups.shape[1])
    squared_by_group = torch.zeros_like(by_group)
    weights = torch.cat([ones, groups], dim=1)
    slope, linear = groups.new_zeros(n), groups.new_zeros(n)
    half, half_square, double, double_square = (groups.new_zeros(()) for _ in range(4))
    square_slope, linear_square = groups.new_zeros(()), groups.new_zeros(())
    factor = 1.0
    sloped = isinstance(kernel, Gaussian) and kernel.sigma_influence is not None
    for rows, columns, tile in over(kernel):
        times = 1 if rows.start == columns.start else 2
        add_rows(by_group, tile.a, weights, rows, columns)
        squared = tile.a * tile.a
        add_rows(squared_by_group, squared, weights, rows, columns)
        double += times * tile.double.sum()
        double_square += times * dot(tile.double, tile.double)
        add_rows(linear[:, None], tile.linear, ones, rows, columns)
        linear_square += times * dot(tile.linear, tile.linear)
        if sloped and tile.distances is not None:
            add_rows(slope[:, None], tile.a * tile.distances, ones, rows, columns)
            square_slope += times * dot(squared, tile.distances)
        squared.square_()
        half += times * squared.sum()
        half_square += times * dot(squared, squared)
        factor = tile.factor
    if not isinstance(kernel, Gaussian):
        half = double = by_group[:, 0].sum()
        half_square = double_square = squared_by_group[:, 0].sum()
    pairs = n * (n - 1)
    per_sigma = 2 / kernel.sigma**2 if isinstance(kernel, Gaussian) else torch.zeros(())
    return Marginal(
        kernel,
        groups,
        by_group[:, 0] / (n - 1),
        group_means(by_group[:, 1:], groups),
        squared_by_group[:, 0] / (n - 1),
        group_means(squared_by_group[:, 1:], groups),
        (half / pairs, half_square / pairs),
        (double / pairs, double_square / pairs),
        slope * per_sigma / (n - 1) if sloped else None,
        2 * square_slope * per_sigma / pairs if sloped else None,
        linear * factor,
        linear_square * factor**2,
    )


def over(kernel: Kernel) -> Iterator[tuple[slice, slice, Tile]]:
    """Every tile of a variable, on and above the diagonal."""
    for rows, columns in tiles(kernel.samples, SIDE):
        yield rows, columns, pairs_of(kernel, rows, columns)


def add_rows(total: Tensor, tile: Tensor, weights: Tensor, rows: slice, columns: slice) -> None:
    """Add Σ_j tile_ij w_j to ``total`` (n, k); a tile above the diagonal stands for both sides."""
    total[rows] += tile @ weights[columns]
    if rows.start != columns.start:
        total[columns] += tile.T @ weights[rows]


def group_means(sums: Tensor, groups: Tensor) -> Tensor:
    """(g,) means over the pairs inside a group, of sums (n, g) over the partners in each."""
    sizes = groups.sum(dim=0)
    return (sums * groups).sum(dim=0) / (sizes * (sizes - 1))


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Σ of the products of two tiles."""
    return torch.dot(one.reshape(-1), other.reshape(-1))
