"""Entropy change of a whole convolution: block c₁₁, the matrix at the kernel's corner.

Ordered by position, then channel, the completed operator of a layer with as many inputs as
outputs is block triangular with W₁₁ = weight[:, :, 0, 0] on its diagonal: log|det W₁₁| a
position. With a stride s and a dilation r the block is the polyphase symbol at z = 0: the taps
(a, b) with a·r < s and b·r < s side by side (each lands on a phase of its own). Phases that other
taps reach and these do not (only where stride and dilation both exceed one) are columns of zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.measures.weights.corner import KINDS
from infoflow.measures.weights.determinant import (
    LogDeterminant,
    log_determinant,
    name_indices,
    of_layer,
    to_numpy,
)
from infoflow.report import MINUS_INFINITY, Measurement
from infoflow.spectra.sides import SINGLE
from infoflow.spectra.tolerance import machine_epsilon

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject

_BLOCK = "entropy-change.block-c11"
_UNIT = "nats per position"


def corner_blocks(layer: Layer) -> np.ndarray[Any, Any]:
    """W₁₁ of every group, float64, (groups, rows, columns·phases); columns of the first tap first.

    Phases that no tap of the kernel reaches are dropped, as everywhere.

    A transposed convolution is stored as the convolution that it is the adjoint of, so the
    same slicing serves.
    """
    weight, geometry = layer.weight, layer.geometry
    dimensions = weight.ndim - 2
    stride = geometry.stride if geometry else (1,) * dimensions
    dilation = geometry.dilation if geometry else (1,) * dimensions
    groups = geometry.groups if geometry else 1
    axes = list(zip(weight.shape[2:], stride, dilation, strict=True))
    taps = list(product(*([a for a in range(p) if a * r < s] for p, s, r in axes)))
    phases = math.prod(len({a * r % s for a in range(p)}) for p, s, r in axes)
    parts = [to_numpy(weight[(slice(None), slice(None), *tap)]) for tap in taps]
    parts += [np.zeros_like(parts[0])] * (phases - len(taps))
    side_by_side = np.concatenate(parts, axis=1)
    blocks: np.ndarray[Any, Any] = side_by_side.reshape(groups, -1, side_by_side.shape[1])
    return blocks


def block_log_determinant(blocks: np.ndarray[Any, Any], dtype: str) -> LogDeterminant:
    """Σ over groups of log|det W₁₁|, or of ½ log det(W₁₁W₁₁ᵀ) of the smaller side.

    Args:
        blocks: (groups, rows, columns).
        dtype: Of the stored tensor.
    """
    groups, rows, columns = blocks.shape
    full = groups * min(rows, columns)
    if min(rows, columns) == 1:
        return _of_vectors(blocks.reshape(groups, -1), machine_epsilon(dtype))
    parts = [log_determinant(block, dtype) for block in blocks]
    rank, tolerance = sum(part.rank for part in parts), parts[0].tolerance
    notes = [
        f"group {index}: {part.note.removeprefix(f'{MINUS_INFINITY}: ')}"
        if groups > 1
        else part.note
        for index, part in enumerate(parts)
        if part.note
    ]
    note = "; ".join(notes[:3]) + (f"; and {len(notes) - 3} more groups" if notes[3:] else "")
    values = [part.value for part in parts if part.value is not None]
    if len(values) < groups:
        if groups > 1:
            note = f"{MINUS_INFINITY}: rank {rank} of {full}; {note}"
        return LogDeterminant(None, rank, full, tolerance, note)
    least = min(part.least for part in parts)
    return LogDeterminant(sum(values), rank, full, tolerance, note, least)


def _of_vectors(vectors: np.ndarray[Any, Any], epsilon: float) -> LogDeterminant:
    """Σ log of norms, for groups of one row or one column (depthwise layers): all at once."""
    # Divided by the greatest entry first: squares of 1e-200 are zero.
    greatest = np.abs(vectors).max(axis=1)
    zero = np.flatnonzero(greatest == 0)
    full, rank = len(vectors), len(vectors) - zero.size
    if zero.size:
        note = (
            f"{MINUS_INFINITY}: rank {rank} of {full}: the corner of "
            f"{f'groups {name_indices(zero)}' if full > 1 else 'the layer'} is exactly zero"
        )
        return LogDeterminant(None, rank, full, 0.0, note)
    norms = np.linalg.norm(vectors / greatest[:, None], axis=1)
    negligible = min(epsilon, SINGLE)
    small = np.flatnonzero(greatest < negligible * greatest.max())
    note = (
        f"groups {name_indices(small)} hardly count: below {negligible:.1e} of the largest"
        if small.size
        else ""
    )
    value = float((np.log(norms) + np.log(greatest)).sum())
    return LogDeterminant(value, rank, full, 0.0, note, float(greatest.min() / greatest.max()))


def _compute(subject: Subject) -> Iterator[Measurement]:
    layer = subject.layer
    blocks = corner_blocks(layer)
    groups, rows, columns = blocks.shape
    per_group = f", summed over {groups} groups" if groups > 1 else ""
    size = f"{rows} × {columns}"
    shape = (
        f"log|det W₁₁| ({size}){per_group}"
        if rows == columns
        else f"½ log det of the smaller Gram matrix of W₁₁ ({size}){per_group}"
    )
    position = "its input" if layer.kind.startswith("transposed") else "its output"
    method = f"{shape}, a position of {position}; {layer.geometry_source} geometry"
    whole = of_layer(block_log_determinant(blocks, layer.dtype), subject)
    yield Measurement(
        layer.name, _BLOCK, "value", whole.value, _UNIT, method=method, note=whole.note
    )
    if rows != columns:
        k = min(rows, columns)
        square = of_layer(block_log_determinant(blocks[:, :k, :k], layer.dtype), subject)
        method = (
            f"log|det| of the first {k} rows and columns (Theorem 3){per_group}: "
            "depends on the order of channels"
        )
        yield Measurement(
            layer.name, _BLOCK, "square-part", square.value, _UNIT, method=method, note=square.note
        )


MEASURES = (
    Measure(
        name=_BLOCK,
        symbol="block c₁₁",
        unit=_UNIT,
        needs="weights",
        kinds=KINDS,
        group="paper",
        summary="entropy change of the whole layer at a position, a lower bound of its density",
        source="ENT's argument for eq. 10 with channels as blocks; Theorem 3 for the square part",
        compute=_compute,
    ),
)
