"""Log-volume and spectrum of a large dense layer, its weight read in blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from infoflow.operators.blocks import BlockedMatrix
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.density import Density
from infoflow.spectra.rank import Rank
from infoflow.spectra.spectrum import Spectrum
from infoflow.spectra.triangle import Triangle, triangle


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A large dense layer with its triangle and its spectrum, each computed at the first need.

    Args:
        matrix: The layer.
    """

    matrix: BlockedMatrix

    @cached_property
    def triangle(self) -> Triangle:
        """Of the layer; once the spectrum was asked for, only its figures are left."""
        return triangle(self.matrix)

    @cached_property
    def spectrum(self) -> Spectrum:
        """All singular values, of the triangle, which is used up."""
        values = np.ldexp(self.triangle.singular_values(), self.matrix.exponent)
        way = "eigenvalues of the Gram matrix" if self.triangle.way == "Gram" else "SVD"
        shape = (self.matrix.rows, self.matrix.cols)
        return Spectrum(values, np.ones(len(values)), shape, f"all, {way}", True)


def blocked_log_volume(layer: Decomposition, rank: Rank) -> Density:
    """Log-volume of a dense layer; exact, so without an interval.

    Args:
        layer: Whose spectrum is computed only where rank is lost among the lines that are kept.
        rank: Of the same layer.
    """
    if rank.rank == 0:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        return Density(None, None, None, None, None, None, 0, 0, "rank 0", note)
    matrix = layer.matrix
    kept = [np.flatnonzero(of[0]) for of in (rank.kept_rows, rank.kept_columns)]
    whole = len(kept[0]) == matrix.rows and len(kept[1]) == matrix.cols
    if rank.rank < min(map(len, kept)):
        value = float(np.log(layer.spectrum.values[: rank.rank]).sum())
        return exact_density(value, f"{rank.rank} largest singular values", rank)
    reduced = layer.triangle if whole else triangle(matrix.restricted(*kept))
    shift = rank.rank * matrix.exponent * math.log(2)
    return exact_density(reduced.log_volume + shift, reduced.way, rank)


def exact_density(value: float, way: str, rank: Rank) -> Density:
    """A log-volume over the rank that is known exactly, of a dense layer.

    Args:
        value: Σ log of the ``rank`` largest singular values, as log|det W| for a regular W.
        way: How it was computed.
        rank: Of the layer.
    """
    over = (value, value, value, 1, 1, f"exact, {way}")
    if rank.is_full:
        return Density(value, value, value, *over, rank.sentence)
    return Density(None, None, None, *over, f"{MINUS_INFINITY}: {rank.sentence}")
