"""Whether an order of layers survives other subsamples and other bandwidths."""

from __future__ import annotations

from collections.abc import Sequence


def order_changes(rows: Sequence[Sequence[float]], tolerance: float = 0.0) -> tuple[int, ...]:
    """Layers that change places with another one between rows.

    Args:
        rows: One row a subsample or a bandwidth, one estimate a layer.
        tolerance: Differences up to this are no order.

    Returns:
        Indices of the layers that are above another layer in one row and below it in another.
    """
    layers = len(rows[0]) if rows else 0
    changing = set()
    for one in range(layers):
        for other in range(one + 1, layers):
            gaps = [row[one] - row[other] for row in rows]
            if any(gap > tolerance for gap in gaps) and any(gap < -tolerance for gap in gaps):
                changing |= {one, other}
    return tuple(sorted(changing))


def subsamples(samples: int, parts: int = 3) -> tuple[slice, ...]:
    """Disjoint runs of samples of equal length, the remainder left out."""
    length = samples // parts
    return tuple(slice(part * length, (part + 1) * length) for part in range(parts))
