"""Slow twins: linear layers written as their definitions read, entry by entry."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Convolution:
    """A convolution as torch stores it, on a circular input of size ``size``."""

    weight: Matrix
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False

    @property
    def coarse(self) -> tuple[int, ...]:
        """The grid of positions: of the output, of the input for a transposed layer."""
        if self.transposed:
            return self.size
        return tuple(n // s for n, s in zip(self.size, self.stride, strict=True))

    @property
    def name(self) -> str:
        """As a test's identifier."""
        shape = "x".join(map(str, self.weight.shape))
        kind = "transposed" if self.transposed else "conv"
        return f"{kind}-{shape}-s{self.stride}-d{self.dilation}-g{self.groups}-n{self.size}"


def circulant(layer: Convolution) -> Matrix:
    """The dense matrix of y[o, n] = Σ w[o, i, k] · x[i, (s·n + r·k) mod N].

    A transposed layer scatters with the same indices: its matrix is the transpose of the one that
    gathers, so the returned rows are then its fine output and the columns its coarse input.
    """
    weight, coarse = layer.weight, layer.coarse
    fine = tuple(n * s for n, s in zip(coarse, layer.stride, strict=True))
    rows, per_group = weight.shape[:2]
    columns = per_group * layer.groups
    matrix = np.zeros((rows, *coarse, columns, *fine))
    for row, column in itertools.product(range(rows), range(per_group)):
        source = row // (rows // layer.groups) * per_group + column
        for k in np.ndindex(*weight.shape[2:]):
            for n in np.ndindex(*coarse):
                place = tuple(
                    (s * a + r * b) % size
                    for s, a, r, b, size in zip(
                        layer.stride, n, layer.dilation, k, fine, strict=True
                    )
                )
                matrix[(row, *n, source, *place)] += weight[(row, column, *k)]
    dense = matrix.reshape(rows * math.prod(coarse), columns * math.prod(fine))
    return dense.T if layer.transposed else dense


def sum_of_logs(matrix: Matrix, count: int) -> float:
    """Σ log of the ``count`` largest singular values."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(np.sum(np.log(values[:count])))


def aliased_density(layer: Convolution, n: int, rank: int) -> float:
    """Mean over an n × … × n grid of Σ log σ of the symbol, built by aliasing fine frequencies.

    At a coarse frequency ω the fine ones (ω + 2πj)/s, j = 0 … s − 1, side by side, times
    (Π s)^(−1/2): another way to a strided layer's symbol than polyphase components.
    """
    weight, axes = layer.weight, len(layer.stride)
    rows, per_group = weight.shape[0] // layer.groups, weight.shape[1]
    taps = list(np.ndindex(*weight.shape[2:]))
    total = 0.0
    for index in np.ndindex(*(n,) * axes):
        for group in range(layer.groups):
            blocks = []
            for alias in np.ndindex(*layer.stride):
                fine = [
                    (2 * math.pi * (i + 0.123) / n + 2 * math.pi * j) / s
                    for i, j, s in zip(index, alias, layer.stride, strict=True)
                ]
                symbol = np.zeros((rows, per_group), dtype=complex)
                for k in taps:
                    angle = sum(f * r * b for f, r, b in zip(fine, layer.dilation, k, strict=True))
                    part = weight[(slice(group * rows, (group + 1) * rows), slice(None), *k)]
                    symbol += part * np.exp(1j * angle)
                blocks.append(symbol)
            matrix = np.concatenate(blocks, axis=1) / math.sqrt(math.prod(layer.stride))
            total += sum_of_logs(matrix, rank // layer.groups)
    return total / n**axes


def _made(
    shape: tuple[int, ...],
    size: int,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    transposed: bool = False,
) -> Convolution:
    axes = len(shape) - 2
    strides = stride if isinstance(stride, tuple) else (stride,) * axes
    dilations = dilation if isinstance(dilation, tuple) else (dilation,) * axes
    weight = np.random.default_rng(sum(shape) + groups).standard_normal(shape)
    return Convolution(weight, (size,) * axes, strides, dilations, groups, transposed)


CONVOLUTIONS = (
    _made((3, 3, 3), 8),
    _made((3, 2, 4), 6, stride=2),
    _made((2, 3, 3), 9, stride=3, dilation=2),
    _made((3, 3, 3, 3), 4),
    _made((4, 2, 3, 3), 4),
    _made((2, 4, 3, 3), 4),
    _made((4, 3, 3, 3), 6, stride=2),
    _made((3, 3, 1, 1), 4, stride=2),
    _made((3, 4, 1, 1), 3),
    _made((4, 2, 3, 3), 4, groups=2),
    _made((4, 1, 3, 3), 4, groups=4),
    _made((8, 1, 3, 3), 4, stride=2, groups=4),
    _made((3, 3, 3, 3), 5, dilation=2),
    _made((3, 2, 3, 3), 6, stride=3, dilation=2),
    _made((2, 2, 2, 3), 6, stride=(2, 3), dilation=(1, 2)),
    _made((3, 3, 2, 2), 4, stride=2),
    _made((2, 2, 5, 5), 4, stride=2),
    _made((3, 2, 3, 3), 3, stride=2, transposed=True),
    _made((4, 3, 2, 2), 3, stride=2, groups=2, transposed=True),
    _made((2, 3, 4, 4), 3, stride=2, transposed=True),
    _made((3, 3, 3, 3), 3, stride=3, dilation=2, transposed=True),
    _made((2, 2, 2, 3, 2), 3),
    _made((2, 1, 2, 2, 2), 2, stride=(2, 1, 1)),
)
"""Every stride, group and dilation, in one to three dimensions."""
