"""Figures in the sentences of a check."""

from __future__ import annotations

import math

_DIGITS = (4, 6, 9, 12, 17)


def figure(value: float, *beside: float) -> str:
    """A number with as many digits as tell it from those beside it, four at least.

    >>> figure(1.99996, 2.0), figure(120.0), figure(-math.inf)
    ('1.99996', '120', '−∞')
    """
    for digits in _DIGITS:
        text = _spelt(value, digits)
        if all(other == value or text != _spelt(other, digits) for other in beside):
            break
    return text


def _spelt(value: float, digits: int) -> str:
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    whole = float(value).is_integer() and abs(value) < 1e9
    return (f"{value:,.0f}" if whole else f"{value:.{digits}g}").replace("-", "−")
