"""Lost rank in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from infoflow.spectra.naming import Names
from infoflow.spectra.sides import Side
from infoflow.words import joined

LISTED = 12
"""Indices named before "and N more"."""


def listed(indices: Sequence[int]) -> str:
    """``3, 5 and 9``; at most 12 indices, then ``and N more``."""
    shown = [str(i) for i in indices[:LISTED]]
    left = len(indices) - LISTED
    return joined([*shown, f"{left} more"] if left > 0 else shown)


def explain(
    ranks: tuple[int, int],
    transposed: bool,
    both: Sequence[Side],
    names: Names,
    untold: float | None = None,
) -> str:
    """What takes rank away, or would if the layer had not more channels on that side.

    Args:
        ranks: The rank, and the full one.
        transposed: Whether rows are the input's channels.
        both: Rows and columns.
        names: Copies and mixtures.
        untold: ε of the stored type where its rounding hides whether this rank is right.
    """
    rank, full = ranks
    kinds = ("input", "output") if transposed else ("output", "input")
    parts = []
    for kind, side, sets, mixed in zip(kinds, both, names.duplicates, names.mixtures, strict=True):
        if side.zero:
            parts.append(_of(len(side.zero), side.count, kind, "exactly zero", side.zero))
        if side.negligible:
            parts.append(_of(len(side.negligible), side.count, kind, "negligible", side.negligible))
        if side.partly:
            parts.append(f"{side.partly} phases of {kind} channels are zero or negligible")
        for members in sets[:LISTED]:
            parts.append(f"{kind} channels {listed(members)} are equal up to scale")
        if len(sets) > LISTED:
            parts.append(f"{len(sets) - LISTED} more sets of {kind} channels are equal up to scale")
        if mixed:
            parts.append(_mixed(kind, mixed, side.count))
    if rank < full:
        parts.insert(0, f"rank {rank} of {full}")
    if untold is not None:
        parts.append(
            f"whether more rank is lost cannot be told: rounding to the stored type (ε = "
            f"{untold:.2g}) hides it in a layer of this shape"
            if rank < full
            else f"full rank cannot be told: rounding to the stored type (ε = {untold:.2g}) "
            "would hide its loss in a layer of this shape"
        )
    return "; ".join(parts)


def _of(count: int, total: int, kind: str, what: str, names: Sequence[int]) -> str:
    verb = "is" if count == 1 else "are"
    return f"{count} of {total} {kind} channels {verb} {what} ({listed(names)})"


def _mixed(kind: str, mixed: Sequence[int], total: int) -> str:
    if len(mixed) == total and total > LISTED:
        return f"all {total} {kind} channels take part in linear dependences"
    return f"{kind} channels {listed(mixed)} are linearly dependent"
