"""How far two weights of one shape lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Float

BLOCK = 1 << 20
"""Numbers that are converted to float64 at a time: 8 MiB of each weight."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """Two weights A (before) and B (after), entry by entry.

    Args:
        relative: ‖B − A‖_F / ‖A‖_F; None where A is all zero and B is not, or where they
            differ and either holds NaN or infinite values.
        cosine: ⟨A, B⟩ / (‖A‖_F ‖B‖_F), in [−1, 1]; None where either norm is zero or not finite.
        changed: Entries that are not equal; NaN in both is no change.
        zeros_before: Entries of A that are exactly zero.
        zeros_after: Entries of B that are exactly zero.
        non_finite: Entries that are NaN or infinite in either.
        size: Entries of one weight.
        note: Why a figure is missing.
    """

    relative: float | None
    cosine: float | None
    changed: int
    zeros_before: int
    zeros_after: int
    non_finite: int
    size: int
    note: str = ""


def weight_change(
    before: Float[NDArray[Any], "*shape"], after: Float[NDArray[Any], "*shape"]
) -> WeightChange:
    """Compare two weights of one shape in blocks: memory does not grow with their size.

    Sums are in float64, whatever the stored types, which may differ. Where squares overflow or
    vanish, the weights are scaled by their largest entry first.

    Raises:
        ValueError: The shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"shapes {before.shape} and {after.shape} differ")
    counts, sums, largest = _sums(before, after, 1.0)
    changed, zeros_before, zeros_after, non_finite = (int(count) for count in counts)
    if non_finite:
        values = "value that is" if non_finite == 1 else "values that are"
        note = f"the weights hold {non_finite:,} {values} NaN or infinite"
        relative = None if changed else 0.0
        return WeightChange(
            relative, None, changed, zeros_before, zeros_after, non_finite, before.size, note
        )
    if (largest and not all(1e-200 < s < 1e200 for s in sums[:2] if s)) or _vanished(sums, counts):
        _, sums, _ = _sums(before, after, largest)
    square_before, square_after, product, square_change = sums
    change = _ratio(square_change, square_before) if changed else 0.0
    cosine = None
    if square_before and square_after:
        cosine = product / math.sqrt(square_before) / math.sqrt(square_after)
        # Cauchy and Schwarz bound it by 1; only rounding goes beyond.
        cosine = 1.0 if not changed else min(max(cosine, -1.0), 1.0)
    note = "every weight was exactly zero before" if change is None else ""
    if cosine is None and not note:
        note = "every weight is exactly zero"
        note += "" if square_before or square_after else " in both"
    return WeightChange(
        change, cosine, changed, zeros_before, zeros_after, non_finite, before.size, note
    )


def _ratio(change: float, before: float) -> float | None:
    return math.sqrt(change) / math.sqrt(before) if before else None


def _vanished(sums: tuple[float, ...], counts: NDArray[np.int64]) -> bool:
    """Whether squares were lost to underflow: a change of nothing where entries differ."""
    return bool(counts[0]) and sums[3] < 1e-200


def _sums(
    before: NDArray[Any], after: NDArray[Any], scale: float
) -> tuple[NDArray[np.int64], tuple[float, ...], float]:
    """Counts, Σa², Σb², Σab and Σ(b−a)² of the weights over ``scale``, and the largest modulus."""
    flat = before.reshape(-1), after.reshape(-1)
    counts = np.zeros(4, dtype=np.int64)
    parts: list[tuple[float, ...]] = []
    largest = 0.0
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for start in range(0, before.size, BLOCK):
            a, b = (np.asarray(one[start : start + BLOCK], dtype=np.float64) for one in flat)
            finite = np.isfinite(a) & np.isfinite(b)
            counts += (
                np.count_nonzero((a != b) & ~(np.isnan(a) & np.isnan(b))),
                np.count_nonzero(a == 0),
                np.count_nonzero(b == 0),
                a.size - np.count_nonzero(finite),
            )
            largest = max(largest, float(np.abs(a).max()), float(np.abs(b).max()))
            a, b = (a / scale, b / scale) if scale != 1.0 else (a, b)
            d = b - a
            parts.append((float(a @ a), float(b @ b), float(a @ b), float(d @ d)))
    return counts, tuple(_total(column) for column in zip(*parts, strict=True)), largest


def _total(parts: Sequence[float]) -> float:
    """Their exact sum; NaN where it is beyond float64, or a part is not finite."""
    try:
        return math.fsum(parts) if all(map(math.isfinite, parts)) else math.nan
    except OverflowError:
        return math.nan
