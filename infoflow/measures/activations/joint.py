"""What two variables say of each other, everything from one pass over their pairs.

Quadratic information with its influences, its null's moments, its stability under other widths and
on groups of the samples, and linear alignment: the same figures as `quadratic`, `nulls` and
`alignment` give one by one, without an n × n matrix of the products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import Gaussian, tiles
from infoflow.kernels.packed import SIDE
from infoflow.measures.activations.marginals import (
    Marginal,
    Tile,
    add_rows,
    dot,
    group_means,
    pairs_of,
)
from infoflow.measures.activations.nulls import null_of_moments
from infoflow.measures.activations.pair_sums import PairSums
from infoflow.measures.activations.quadratic import (
    QuadraticInformation,
    cauchy_schwarz_influence_of,
    from_sums,
)
from infoflow.statistics.permutations import Null, moments_of_chains


@dataclass(frozen=True)
class Joint:
    """Sums over the pairs of two variables X and T; a and b are their squared kernels.

    Args:
        x: Of X by itself.
        t: Of T by itself.
        sums: What `quadratic_information` is made of.
        as_neighbour: (n,) Σ_j (a_ij r_j + b_ij s_j)/(n − 1), s and r the row means of a and of b.
        within: (g,) mean of a b over the pairs inside each group.
        half: Mean of a b, both widths halved.
        double: Mean of a b, both widths doubled.
        aligned: Σ L_X L_T over all i, j.
    """

    x: Marginal
    t: Marginal
    sums: PairSums
    as_neighbour: Tensor
    within: Tensor
    half: Tensor
    double: Tensor
    aligned: Tensor

    @cached_property
    def quadratic(self) -> QuadraticInformation:
        """I₂ and its kin."""
        return from_sums(self.sums, *self._sigmas)

    @property
    def _sigmas(self) -> tuple[Tensor | None, Tensor | None]:
        return self.x.kernel.sigma_influence, self.t.kernel.sigma_influence

    @property
    def cauchy_schwarz_influence(self) -> Tensor:
        """(n,) influence of each sample on I_CS, in bits."""
        return cauchy_schwarz_influence_of(self.sums, self.as_neighbour, *self._sigmas)

    @property
    def ratio_influence(self) -> Tensor:
        """(n,) influence of each sample on I₂ over its ceiling: of r = I/C, (L_I − r L_C)/C."""
        on_ceiling = (self.x.self_influence + self.t.self_influence) / 2
        found = self.quadratic
        return (found.influence - found.ratio * on_ceiling) / found.ceiling

    @property
    def null(self) -> Null:
        """The null of I₂ from Mantel's exact moments, see `quadratic_null_moments`."""
        if self.x.samples < 4:
            raise EstimateError("Exact moments of a null need four samples or more.")
        moments = moments_of_chains(self.x.chains, self.t.chains)
        return null_of_moments(moments, 0.0, float(self.quadratic.value))

    @property
    def alignment(self) -> float:
        """Linear CKA of X and T, from 0 to 1; NaN where one is constant."""
        crossed = _centred(self.aligned, self.x.linear, self.t.linear)
        own = (_centred(one.linear_square, one.linear, one.linear) for one in (self.x, self.t))
        return float(crossed / torch.stack(list(own)).clamp(min=0.0).prod().sqrt())

    def other_widths(self) -> dict[str, tuple[float, float]]:
        """I₂ and its ratio with both σ halved and doubled, by name; labels have no σ."""
        return {
            name: _with_ratio(joint, *one, *other)
            for name, joint, one, other in (
                ("half-sigma", self.half, self.x.half, self.t.half),
                ("double-sigma", self.double, self.x.double, self.t.double),
            )
        }

    def in_groups(self) -> list[tuple[float, float]]:
        """I₂ and its ratio inside each group, σ as of all samples."""
        parts = (self.within, self.x.within, self.x.within_square, self.t.within,
                 self.t.within_square)  # fmt: skip
        return [_with_ratio(*group) for group in zip(*parts, strict=True)]


def joint(x: Marginal, t: Marginal) -> Joint:
    """All sums of two variables in one pass over tiles: O(n²) time.

    Raises:
        EstimateError: They have different numbers of samples, or fewer than 2.
    """
    n = x.samples
    if n != t.samples or n < 2:
        raise EstimateError(
            f"Two variables need the same samples, two or more; there are {n} and {t.samples}."
        )
    found = _Sums(x, t)
    for rows, columns in tiles(n, SIDE):
        first = pairs_of(x.kernel, rows, columns)
        second = pairs_of(t.kernel, rows, columns)
        found.add(first, second, rows, columns)
    return found.joint()


class _Sums:
    """Running sums; a tile above the diagonal stands for the one below too."""

    def __init__(self, x: Marginal, t: Marginal) -> None:
        self.x, self.t, n = x, t, x.samples
        zeros = x.rows.new_zeros
        self.weights = torch.cat([zeros(n, 1) + 1, x.groups], dim=1)
        self.by_group = zeros(n, self.weights.shape[1])
        self.as_neighbour = zeros(n, 1)
        self.totals = {
            name: zeros(()) for name in ("abab", "x_slope", "t_slope", "half", "double", "aligned")
        }
        self.copied = torch.zeros(n, dtype=torch.bool)

    def add(self, first: Tile, second: Tile, rows: slice, columns: slice) -> None:
        times = 1 if rows.start == columns.start else 2
        ab = first.a * second.a
        if float(ab.max()) == 1:
            self._note_copies(ab, rows, columns)
        add_rows(self.by_group, ab, self.weights, rows, columns)
        add_rows(self.as_neighbour, first.a, self.t.rows[:, None], rows, columns)
        add_rows(self.as_neighbour, second.a, self.x.rows[:, None], rows, columns)
        products = {
            "abab": (ab, ab),
            "x_slope": (ab, first.distances),
            "t_slope": (ab, second.distances),
            "aligned": (first.linear, second.linear),
            "double": (first.double, second.double),
        }
        for name, (one, other) in products.items():
            if other is not None:
                self.totals[name] += times * dot(one, other)
        if first.distances is None or second.distances is None:  # labels have no other width
            widened = [one.a if one.distances is None else one.a.square().square_()
                       for one in (first, second)]  # fmt: skip
            self.totals["half"] += times * dot(*widened)
        else:
            ab.square_()
            self.totals["half"] += times * dot(ab, ab)
        self.factor = first.factor * second.factor

    def _note_copies(self, ab: Tensor, rows: slice, columns: slice) -> None:
        same = (ab == 1).cpu()
        if rows.start == columns.start:
            same = same.triu(1)
        self.copied[columns] |= same.any(dim=0)

    def joint(self) -> Joint:
        x, t, n = self.x, self.t, self.x.samples
        pairs = n * (n - 1)
        means = {name: total / pairs for name, total in self.totals.items()}
        sums = PairSums(
            x.rows,
            t.rows,
            self.by_group[:, 0] / (n - 1),
            x.squares.mean(),
            t.squares.mean(),
            means["abab"],
            x.slope,
            t.slope,
            _sloped(x, means["x_slope"]),
            _sloped(t, means["t_slope"]),
            int(self.copied.sum()),
        )
        return Joint(
            x,
            t,
            sums,
            self.as_neighbour[:, 0] / (n - 1),
            group_means(self.by_group[:, 1:], x.groups),
            means["half"],
            means["double"],
            self.totals["aligned"] * self.factor,
        )


def _with_ratio(
    both: Tensor, one: Tensor, one_square: Tensor, other: Tensor, other_square: Tensor
) -> tuple[float, float]:
    """I₂ and I₂ over its ceiling, from means of a b, a, a², b and b²; NaN where that is 0."""
    value = float(both.log2() - one.log2() - other.log2())
    ceiling = float((one_square.log2() + other_square.log2()) / 2 - one.log2() - other.log2())
    return value, value / ceiling if ceiling else math.nan


def _sloped(one: Marginal, mean: Tensor) -> Tensor | None:
    """Mean of (∂a/∂log σ)·b from that of a·b·‖x − y‖²."""
    if one.slope is None or not isinstance(one.kernel, Gaussian):
        return None
    return mean * (2 / one.kernel.sigma**2)


def _centred(products: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """⟨HKH, HLH⟩ from Σ K L and the row sums of both."""
    n = len(one)
    return products - 2 * torch.dot(one, other) / n + one.sum() * other.sum() / n**2
