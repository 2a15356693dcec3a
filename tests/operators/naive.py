"""The matrices of layers, entry by entry, as their definitions read."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from infoflow.facts import Geometry

Matrix = np.ndarray[Any, Any]


def padded_place(place: int, size: int, mode: str) -> int | None:
    """The input position that stands at a place outside it, None for a zero."""
    if 0 <= place < size:
        return place
    if mode == "zeros":
        return None
    if mode == "circular":
        return place % size
    if mode == "replicate":
        return 0 if place < 0 else size - 1
    return -place if place < 0 else 2 * (size - 1) - place


def convolution_matrix(weight: Matrix, geometry: Geometry, size: tuple[int, ...]) -> Matrix:
    """y[o, n] = Σ w[o, i, k] · x[i, s·n + r·k − p], written out."""
    outputs, inputs = weight.shape[0], weight.shape[1] * geometry.groups
    ends = geometry.end_padding or geometry.padding
    kernel = weight.shape[2:]
    positions = tuple(
        (n + p + e - r * (k - 1) - 1) // s + 1
        for n, p, e, r, k, s in zip(
            size, geometry.padding, ends, geometry.dilation, kernel, geometry.stride, strict=True
        )
    )
    matrix = np.zeros((outputs, *positions, inputs, *size))
    for o, i in itertools.product(range(outputs), range(weight.shape[1])):
        source = o // (outputs // geometry.groups) * weight.shape[1] + i
        for n, k in itertools.product(np.ndindex(*positions), np.ndindex(*kernel)):
            place = tuple(
                padded_place(s * a + r * b - p, extent, geometry.padding_mode)
                for s, a, r, b, p, extent in zip(
                    geometry.stride, n, geometry.dilation, k, geometry.padding, size, strict=True
                )
            )
            if None not in place:
                matrix[(o, *n, source, *place)] += weight[(o, i, *k)]
    return matrix.reshape(outputs * math.prod(positions), inputs * math.prod(size))


def toeplitz(filter: Matrix, size: tuple[int, int]) -> Matrix:
    """C_M from its blocks (ENT eqs. 7 and 8)."""
    (p, q), (height, w) = filter.shape, size
    blocks = []
    for row in filter:
        block = np.zeros((w - q + 1, w))
        for j in range(w - q + 1):
            block[j, j : j + q] = row
        blocks.append(block)
    whole = np.zeros(((height - p + 1) * (w - q + 1), height * w))
    for i in range(height - p + 1):
        for a, block in enumerate(blocks):
            rows = slice(i * (w - q + 1), (i + 1) * (w - q + 1))
            whole[rows, (i + a) * w : (i + a + 1) * w] = block
    return whole


def completed_toeplitz(filter: Matrix, size: tuple[int, int]) -> Matrix:
    """C′_M from its blocks (ENT eqs. 9 and 10)."""
    (p, q), (height, w) = filter.shape, size
    blocks = []
    for row in filter:
        block = np.zeros((w, w))
        for j in range(w - q + 1):
            block[j, j : j + q] = row
        block[w - q + 1 :, w - q + 1 :] = np.eye(q - 1)
        blocks.append(block)
    whole = np.zeros((height * w, height * w))
    for i in range(height - p + 1):
        for a, block in enumerate(blocks):
            whole[i * w : (i + 1) * w, (i + a) * w : (i + a + 1) * w] = block
    whole[(height - p + 1) * w :, (height - p + 1) * w :] = np.eye((p - 1) * w)
    return whole
