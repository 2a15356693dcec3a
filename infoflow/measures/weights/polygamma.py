"""ψ, ψ′ and ψ″ on positive reals, without scipy (whose import costs more than a small report)."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_STEPS = 10


def digamma(x: Array) -> Array:
    """ψ(x) by ψ(x + 1) = ψ(x) + 1/x up to x + 10 and Stirling's series there; good to 1e-13."""
    y = x + _STEPS
    z = y**-2.0
    tail = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    value: Array = np.log(y) - 0.5 / y - tail - _sum_of_powers(x, 1)
    return value


def trigamma(x: Array) -> Array:
    """ψ′(x), likewise."""
    y = x + _STEPS
    z = y**-2.0
    tail = z * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * 5 / 66)))) / y
    value: Array = 1 / y + z / 2 + tail + _sum_of_powers(x, 2)
    return value


def tetragamma(x: Array) -> Array:
    """ψ″(x), likewise."""
    y = x + _STEPS
    z = y**-2.0
    tail = z * z * (1 / 2 - z * (1 / 6 - z * (1 / 6 - z * (3 / 10 - z * 5 / 6))))
    value: Array = -z - z / y - tail - 2 * _sum_of_powers(x, 3)
    return value


def _sum_of_powers(x: Array, power: int) -> Array:
    total = np.zeros_like(x, dtype=np.float64)
    for step in range(_STEPS):
        total = total + (x + step) ** -float(power)
    return total
