"""Filters that say the same: copies of each other up to a factor, and the cosine of every two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.weights.filter_facts import (
    CHANCE,
    FilterFacts,
    Floats,
    filter_array,
    on_host,
)
from infoflow.spectra.rank import machine_epsilon

if TYPE_CHECKING:
    from infoflow.layers import Layer

Array = Any

COSINE = 1e-6
"""Filters count as proportional where |cosine| > 1 − COSINE."""


def copy_tolerance(filters: int, columns: int, epsilon: float) -> float:
    """How far apart two unit vectors may be (in either sign) and still count as one.

    √(2·COSINE), which is |cosine| > 1 − COSINE. ε/2 where the stored type is coarser than that,
    since a scaled copy is rounded by about ε/5 of its norm (at most 1/(2√d), beyond which the
    sketches tell nothing apart: in 8-bit types only close copies are found). And less in few
    dimensions, so that n filters of random directions hold one pair that close at a rate of at
    most CHANCE: for n(n−1)/2 pairs in d dimensions that distance t solves
    pairs·2·t^(d−1)/((d−1)·B((d−1)/2, ½)) = CHANCE.
    """
    wanted = max(math.sqrt(2 * COSINE), min(epsilon / 2, 0.5 / math.sqrt(columns)))
    pairs = filters * (filters - 1) / 2
    if pairs == 0:
        return wanted
    degrees = columns - 1
    log_beta = math.lgamma(degrees / 2) + math.lgamma(0.5) - math.lgamma(columns / 2)
    by_chance = (math.log(CHANCE * degrees / (2 * pairs)) + log_beta) / degrees
    return min(wanted, math.exp(by_chance))


def copies(layer: Layer, facts: FilterFacts) -> tuple[tuple[int, ...], ...]:
    """Groups of filters that are proportional to each other (either sign), first one first.

    Candidates are pairs whose sketches differ by no more than the tolerance, which no true
    pair can: |u·r − v·r| ≤ ‖u − v‖. They are sorted along the first direction, so only
    neighbours are compared, and each candidate is then confirmed on the weights themselves.
    Pairs are linked: a group is what pairs connect. Zero filters are left out.
    """
    filters = filter_array(layer)
    groups, rows, channels, taps = filters.shape
    if channels * taps < 2:
        raise ValueError("filters of one number are all proportional")
    tolerance = copy_tolerance(rows, channels * taps, machine_epsilon(layer.dtype))
    found: list[tuple[int, ...]] = []
    for group in range(groups if rows > 1 else 0):
        alive = np.flatnonzero(facts.norms[group] > 0)
        root = _linked(filters[group], facts.sketch[group], alive, tolerance)
        for first in np.flatnonzero(np.bincount(root, minlength=rows) > 1):
            found.append(tuple(int(i) + group * rows for i in np.flatnonzero(root == first)))
    return tuple(found)


def _linked(
    filters: Array, sketch: Floats, alive: np.ndarray[Any, Any], tolerance: float
) -> np.ndarray[Any, Any]:
    """For each filter the lowest one that it is linked to, perhaps itself."""
    root = np.arange(len(sketch))
    order = alive[np.argsort(sketch[alive, 0], kind="stable")]
    # Rounding of the sketches must not lose a true pair.
    margin = tolerance + 1e-12
    for offset in range(1, len(order)):
        left, right = order[:-offset], order[offset:]
        near = sketch[right, 0] - sketch[left, 0] <= margin
        if not near.any():
            break
        left, right = left[near], right[near]
        near = root[left] != root[right]
        for direction in range(1, sketch.shape[1]):
            left, right = left[near], right[near]
            near = np.abs(sketch[left, direction] - sketch[right, direction]) <= margin
        for one, other in zip(left[near], right[near], strict=True):
            if root[one] != root[other] and _proportional(filters[one], filters[other], tolerance):
                low, high = sorted((root[one], root[other]))
                root[root == high] = low
    return root


def _proportional(one: Array, other: Array, tolerance: float) -> bool:
    first, second = _unit(one), _unit(other)
    apart = min(float(np.linalg.norm(first - second)), float(np.linalg.norm(first + second)))
    return apart <= tolerance


def _unit(row: Array) -> Floats:
    values = on_host(row).astype(np.float64).ravel()
    values = values / np.max(np.abs(values))
    return np.asarray(values / np.linalg.norm(values))


def similarity(layer: Layer) -> Floats:
    """Cosine of every two filters, (C_out, C_out); NaN where there is none.

    There is none between filters of different groups, which read different channels, with a
    zero filter, and of a filter with itself.
    """
    filters = filter_array(layer)
    groups, rows, _, _ = filters.shape
    cosines = np.full((groups * rows, groups * rows), np.nan)
    for group in range(groups if rows > 1 else 0):
        part = on_host(filters[group]).astype(np.float64).reshape(rows, -1)
        largest = np.max(np.abs(part), axis=1, keepdims=True)
        part /= np.where(largest == 0, 1.0, largest)
        length = np.linalg.norm(part, axis=1, keepdims=True)
        part /= np.where(length == 0, np.nan, length)
        start = group * rows
        cosines[start : start + rows, start : start + rows] = part @ part.T
    np.fill_diagonal(cosines, np.nan)
    return np.clip(cosines, -1.0, 1.0)
