"""Sums over pairs of samples that quadratic information is made of, in one pass over tiles.

For kernels k_X, k_T: a = k_X², b = k_T² (Gaussian kernels of width σ/√2), i ≠ j throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import Kernel, tiles

BLOCK = 512
"""Rows of a tile: 2 MiB of float64 an array, which stay in the cache."""


@dataclass(frozen=True)
class PairSums:
    """Row means without the diagonal (n,), and means over ordered pairs i ≠ j.

    Args:
        a: (n,) mean over j of a_ij.
        b: (n,) mean over j of b_ij.
        ab: (n,) mean over j of a_ij b_ij.
        aa: Mean of a².
        bb: Mean of b².
        abab: Mean of (a b)².
        a_slope: (n,) mean over j of ∂a_ij/∂log σ_X = −2 a ln a; None where σ is fixed.
        b_slope: Likewise of b.
        a_slope_b: Mean of (∂a/∂log σ_X)·b; None where σ is fixed.
        b_slope_a: Likewise of (∂b/∂log σ_T)·a.
        copies: Samples that are equal to an earlier one in X and in T, as far as the kernels tell.
    """

    a: Tensor
    b: Tensor
    ab: Tensor
    aa: Tensor
    bb: Tensor
    abab: Tensor
    a_slope: Tensor | None
    b_slope: Tensor | None
    a_slope_b: Tensor | None
    b_slope_a: Tensor | None
    copies: int

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.a.shape[0]


def pair_sums(x: Kernel, t: Kernel, block: int = BLOCK) -> PairSums:
    """All sums of two kernels on the same samples. O(n²) time, O(block²) memory, differentiable.

    Raises:
        EstimateError: The kernels have different numbers of samples, or fewer than 2.
    """
    n = x.samples
    if n != t.samples or n < 2:
        raise EstimateError(
            f"Two variables need the same samples, two or more; there are {n} and {t.samples}."
        )
    sums = _Sums(n, x.sigma_influence is not None, t.sigma_influence is not None)
    for rows, columns, a, b in _squares(x, t, block):
        sums.add(rows, columns, a, b)
    return sums.means()


def row_means(kernel: Kernel, block: int = BLOCK) -> Tensor:
    """(n,) mean over j ≠ i of k_ij² of one kernel."""
    n = kernel.samples
    total: Tensor | None = None
    for rows, columns in tiles(n, block):
        a = _off_diagonal(kernel.tile(rows, columns), rows, columns).square()
        part = _spread_rows(a, rows, columns, n)
        total = part if total is None else total + part
    assert total is not None
    return total / (n - 1)


def weighted_rows(kernel: Kernel, weights: Tensor, block: int = BLOCK) -> Tensor:
    """(n,) mean over j ≠ i of k_ij² w_j."""
    n = kernel.samples
    total = torch.zeros_like(weights)
    for rows, columns in tiles(n, block):
        a = _off_diagonal(kernel.tile(rows, columns), rows, columns).square()
        total = total.index_add(0, _places(rows, a), a @ weights[columns])
        if rows.start != columns.start:
            total = total.index_add(0, _places(columns, a), a.T @ weights[rows])
    return total / (n - 1)


def _squares(x: Kernel, t: Kernel, block: int) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    for rows, columns in tiles(x.samples, block):
        a = _off_diagonal(x.tile(rows, columns), rows, columns).square()
        b = a if t is x else _off_diagonal(t.tile(rows, columns), rows, columns).square()
        yield rows, columns, a, b


class _Sums:
    """Running sums; the rows of a tile above the diagonal stand for its columns too."""

    def __init__(self, samples: int, x_slope: bool, t_slope: bool) -> None:
        self._n = samples
        self._x_slope, self._t_slope = x_slope, t_slope
        self._rows: dict[str, Tensor] = {}
        self._totals: dict[str, Tensor] = {}
        self._copied = torch.zeros(samples, dtype=torch.bool)

    def add(self, rows: slice, columns: slice, a: Tensor, b: Tensor) -> None:
        ab = a * b
        self._row("a", a, rows, columns)
        self._row("b", b, rows, columns)
        self._row("ab", ab, rows, columns)
        self._total("aa", a, a, rows, columns)
        self._total("bb", b, b, rows, columns)
        self._total("abab", ab, ab, rows, columns)
        if self._x_slope:
            slope = -2 * torch.xlogy(a, a)
            self._row("a_slope", slope, rows, columns)
            self._total("a_slope_b", slope, b, rows, columns)
        if self._t_slope:
            slope = -2 * torch.xlogy(b, b)
            self._row("b_slope", slope, rows, columns)
            self._total("b_slope_a", slope, a, rows, columns)
        same = (ab == 1).cpu()
        if rows.start == columns.start:
            same = same.triu(1)
        self._copied[columns] |= same.any(dim=0)

    def means(self) -> PairSums:
        rows = {name: total / (self._n - 1) for name, total in self._rows.items()}
        pairs = self._n * (self._n - 1)
        totals = {name: total / pairs for name, total in self._totals.items()}
        return PairSums(
            rows["a"],
            rows["b"],
            rows["ab"],
            totals["aa"],
            totals["bb"],
            totals["abab"],
            rows.get("a_slope"),
            rows.get("b_slope"),
            totals.get("a_slope_b"),
            totals.get("b_slope_a"),
            int(self._copied.sum()),
        )

    def _row(self, name: str, values: Tensor, rows: slice, columns: slice) -> None:
        part = _spread_rows(values, rows, columns, self._n)
        self._rows[name] = self._rows[name] + part if name in self._rows else part

    def _total(self, name: str, one: Tensor, other: Tensor, rows: slice, columns: slice) -> None:
        part = torch.dot(one.reshape(-1), other.reshape(-1))
        if rows.start != columns.start:
            part = 2 * part
        self._totals[name] = self._totals[name] + part if name in self._totals else part


def _off_diagonal(tile: Tensor, rows: slice, columns: slice) -> Tensor:
    if rows.start != columns.start:
        return tile
    inside = torch.eye(tile.shape[0], dtype=torch.bool, device=tile.device)
    return tile.masked_fill(inside, 0.0)


def _spread_rows(values: Tensor, rows: slice, columns: slice, samples: int) -> Tensor:
    total = values.new_zeros(samples).index_add(0, _places(rows, values), values.sum(dim=1))
    if rows.start == columns.start:
        return total
    return total.index_add(0, _places(columns, values), values.sum(dim=0))


def _places(rows: slice, like: Tensor) -> Tensor:
    return torch.arange(rows.start, rows.stop, device=like.device)
