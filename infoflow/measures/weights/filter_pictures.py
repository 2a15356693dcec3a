"""Numbers for pictures of a layer's filters: their norms and how alike they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from infoflow.measures.weights.filter_copies import similarity
from infoflow.measures.weights.filter_facts import Floats, facts_of, filter_array
from infoflow.report import Series

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

_MAP_SIDE = 64
_VECTOR = 512
_MAP_LIMIT = 2048
"""More filters than this have no similarity map: its cost grows with their square."""


def filter_norms(subject: Subject) -> Iterator[Series]:
    """Norms of the filters in their order; of more than 512, means of neighbours."""
    norms = facts_of(subject).norms.ravel()
    note = ""
    if norms.size > _VECTOR:
        parts = np.array_split(norms, _VECTOR)
        note = f"{norms.size:,} filters: each number is a mean of up to {len(parts[0])} neighbours"
        norms = np.asarray([part.mean() for part in parts])
    values = tuple(float(value) for value in norms)
    yield Series(subject.layer.name, "filter-norms", "norm", (len(values),), values, note)


def filter_similarity(subject: Subject) -> Iterator[Series]:
    """Cosine of every two filters, aggregated to 64 × 64 by the largest magnitude off the diagonal.

    None where there is no cosine: on the diagonal, between groups, with a zero filter. Nothing
    for depthwise convolutions, whose filters read different channels, and above 2048 filters.
    """
    layer = subject.layer
    groups, rows, _, _ = filter_array(layer).shape
    if rows < 2 or groups * rows > _MAP_LIMIT:
        return
    cells, note = _aggregated(similarity(layer))
    values = tuple(None if math.isnan(cell) else float(cell) for cell in cells.ravel())
    yield Series(layer.name, "filter-similarity", "cosine", cells.shape, values, note)


def _aggregated(cosines: Floats) -> tuple[Floats, str]:
    count = len(cosines)
    if count <= _MAP_SIDE:
        return cosines, ""
    starts = np.asarray([part[0] for part in np.array_split(np.arange(count), _MAP_SIDE)])
    # NaN must lose against any cosine: −2 from above, +2 from below.
    high = np.where(np.isnan(cosines), -2.0, cosines)
    low = np.where(np.isnan(cosines), 2.0, cosines)
    high = np.maximum.reduceat(np.maximum.reduceat(high, starts, axis=0), starts, axis=1)
    low = np.minimum.reduceat(np.minimum.reduceat(low, starts, axis=0), starts, axis=1)
    cells = np.where(high >= -low, high, low)
    note = f"{count:,} filters: each cell is the cosine of largest magnitude among its pairs"
    return np.where(np.abs(cells) > 1, np.nan, cells), note
