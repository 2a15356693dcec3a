"""A layer's filters as rows of one matrix a group: norms, copies, and who stands out.

One canonical shape: ``(groups, filters, channels, taps)``, filters and channels those of one
group. A filter is what one output channel computes: a row of a dense layer, ``weight[o]`` of a
convolution. A filter reads the input channels of its own group only, so that filters of
different groups are never copies of each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.operators.arrays import namespace

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject

Array = Any
Floats = np.ndarray[Any, np.dtype[np.float64]]

CHANCE = 1e-4
"""Rate at which a layer of independent Gaussian weights may be called unusual, a layer."""

_BLOCK = 1 << 19
_DIRECTIONS = 16


@dataclass(frozen=True)
class FilterFacts:
    """What one pass over a layer's weight tells of its filters.

    Args:
        norms: Euclidean norms, (groups, filters).
        sketch: |u·r| of each filter's unit vector u with fixed random unit vectors r,
            (groups, filters, directions). Proportional filters have equal rows.
        dead: Filters whose every weight is exactly zero, as output channels.
        dead_inputs: Input channels whose every weight is exactly zero.
        largest_of_input: Largest magnitude of each input channel, (groups, channels).
    """

    norms: Floats
    sketch: Floats
    dead: tuple[int, ...]
    dead_inputs: tuple[int, ...]
    largest_of_input: Floats


def filter_array(layer: Layer) -> Array:
    """The weight as ``(groups, filters, channels, taps)``, in its stored type."""
    weight = layer.weight
    groups = layer.geometry.groups if layer.geometry else 1
    xp = namespace(weight)
    first, second, *kernel = weight.shape
    taps = math.prod(kernel)
    if layer.kind == "transposed convolution":
        # Stored as (C_in, C_out/groups, …), the groups along the inputs.
        parts = xp.reshape(weight, (groups, first // groups, second, taps))
        return xp.permute_dims(parts, (0, 2, 1, 3))
    return xp.reshape(weight, (groups, first // groups, second, taps))


def filter_facts(layer: Layer) -> FilterFacts:
    """Norms, sketches and exact zeros of a layer's filters, in one pass over its weight.

    Blocks of whole filters are converted to float64 one at a time. Each filter is divided by
    its largest magnitude before its squares are taken, so that none overflows or vanishes.
    """
    filters = filter_array(layer)
    xp = namespace(filters)
    groups, rows, channels, taps = filters.shape
    directions = xp.asarray(_directions(channels * taps), device=filters.device)
    norms = np.zeros((groups, rows))
    sketch = np.zeros((groups, rows, _DIRECTIONS))
    largest_of_input = np.zeros((groups, channels))
    for group, part in _parts(filters.shape):
        block = xp.astype(filters[group, part], xp.float64)
        magnitude = xp.abs(block)
        largest = xp.max(magnitude, axis=(2, 3))
        largest_of_input[group] = np.maximum(
            largest_of_input[group], on_host(xp.max(magnitude, axis=(1, 3)))
        )
        divisor = xp.where(largest == 0, xp.ones_like(largest), largest)
        unit = xp.reshape(block / divisor[:, :, None, None], (*largest.shape, channels * taps))
        length = xp.sqrt(xp.sum(unit * unit, axis=-1))
        norms[group, part] = on_host(length * largest)
        projected = xp.abs(unit @ directions)
        length = xp.where(length == 0, xp.ones_like(length), length)
        sketch[group, part] = on_host(projected / length[:, :, None])
    dead, dead_inputs = _indices(norms == 0), _indices(largest_of_input == 0)
    return FilterFacts(norms, sketch, dead, dead_inputs, largest_of_input)


def facts_of(subject: Subject) -> FilterFacts:
    """A subject's filter facts, kept beside what it computes once itself."""
    kept: FilterFacts | None = subject.__dict__.get("_filter_facts")
    if kept is None:
        kept = subject.__dict__["_filter_facts"] = filter_facts(subject.layer)
    return kept


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Slices of groups and of filters that hold about a block of numbers each."""
    groups, rows, channels, taps = shape
    per_row = max(channels * taps, 1)
    several = max(_BLOCK // max(rows * per_row, 1), 1)
    step = max(_BLOCK // per_row, 1) if several == 1 else rows
    for group in range(0, groups, several):
        for row in range(0, rows, max(step, 1)):
            yield slice(group, group + several), slice(row, row + max(step, 1))


def _directions(length: int) -> Floats:
    """Fixed random unit vectors as columns; any will do, they only sort candidates."""
    drawn = np.random.default_rng(0).standard_normal((length, _DIRECTIONS))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=0))


def on_host(values: Array) -> np.ndarray[Any, Any]:
    """The values as a numpy array, copied from the device where they are on one."""
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    return np.asarray(values.cpu().numpy())


def _indices(mask: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(mask))


def negligible(facts: FilterFacts, epsilon: float) -> tuple[int, ...]:
    """Filters that are not zero but shorter than ε times the longest filter."""
    return _indices(_small(facts.norms, epsilon))


def negligible_inputs(facts: FilterFacts, epsilon: float) -> tuple[int, ...]:
    """Input channels that are read, but only with weights below ε times the largest weight."""
    return _indices(_small(facts.largest_of_input, epsilon))


def _small(sizes: Floats, epsilon: float) -> np.ndarray[Any, Any]:
    return np.asarray((sizes > 0) & (sizes < epsilon * float(sizes.max(initial=0.0))))
