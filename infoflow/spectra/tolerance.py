"""What counts as zero: one rule for every rank, pivot and grid frequency."""

from __future__ import annotations

import math

EPSILON = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float8_e4m3fn": 2.0**-3,
    "float8_e4m3fnuz": 2.0**-3,
    "float8_e5m2": 2.0**-2,
    "float8_e5m2fnuz": 2.0**-2,
}
"""Spacing of the numbers next to 1, by the name of the stored type."""

SPACINGS = 4
"""How many spacings of the stored type a lost singular value may be away from zero."""

CHANCE, COARSE_CHANCE = 1e-3, 1e-4
"""c below: rate of false alarms allowed, for types up to float32's ε and for coarser ones."""


def machine_epsilon(dtype: str) -> float:
    """ε of a stored type; that of float32 for a type without one of its own (integers)."""
    return EPSILON.get(dtype, EPSILON["float32"])


def rank_tolerance(rows: int, columns: int, epsilon: float, largest: float = 1.0) -> float:
    """Singular value that counts as zero, of a matrix scaled so that its lines have unit norm.

    With m ≤ n the sides, the m lines of the shorter side of unit norm and the others of one norm,

        τ = min( max(4·ε_stored, n·ε_float64·σ_max),  κ·(1 − √((m − 1)/n)) ),
        κ = min(½, (2c)^(1/(n − m + 1))).

    The first part is rounding: a row that is a combination of others, rounded to the stored type,
    leaves a residue of 0.1 to 0.2 ε of a unit row, and arithmetic adds n·ε_float64·σ_max. The
    second keeps random layers out: the least singular value of one is about
    s = 1 − √((m − 1)/n), and P(σ_min < κ·s) is of the order of κ^(n − m + 1) (Rudelson and
    Vershynin 2009, theorem 1.1). For m = n it is c/n, P(σ_min < t) being about n·t (Edelman 1988).
    c is 1e-3 up to float32's ε, 1e-4 for coarser types, whose rounding would reach much further.

    False alarms among Gaussian matrices: float32, square, n = 64, 128, 512: 0 of 4000, 800, 60;
    bfloat16, square, n = 8: 2 of 50 000, 32: 1 of 10 000, 64 and 256: 0 of 4000 and 300; bfloat16
    8 × 9: 3 of 30 000, 16 × 18: 1 of 10 000, 60 × 64: 1 of 1500, 24 × 200: 0 of 500. (κ = ½ for
    all m < n would call 1.8 % of the bfloat16 8 × 9 deficient.) The price: where τ is less than
    ε_stored, in nearly square layers of coarse types, a combination cannot be told from a random
    layer, and the rank's sentence says so.

    Args:
        rows: Rows that are not left out.
        columns: Columns that are not left out.
        epsilon: Of the stored type.
        largest: σ_max of the scaled matrix.
    """
    m, n = sorted((rows, columns))
    rounding = max(SPACINGS * epsilon, n * EPSILON["float64"] * largest)
    if m == 0:
        return rounding
    chance = CHANCE if epsilon <= EPSILON["float32"] else COARSE_CHANCE
    share = min(0.5, math.pow(2 * chance, 1 / (n - m + 1)))
    return min(rounding, share * (1 - math.sqrt((m - 1) / n)))
