"""Words and numbers as a page shows them: nothing hidden, true minus signs, thin spaces."""

from __future__ import annotations

import math

from infoflow.render.text import printable, raised, shortened
from infoflow.report import Measurement
from infoflow.words import plural

THIN = "\u202f"
"""A thin space at which no line breaks."""


def title(name: str, width: int = 0) -> str:
    """A name to show: visible, never empty, its middle left out beyond ``width`` characters.

    >>> title(" "), title("layer1.0.conv1", 9)
    ('(blank)', 'laye…onv1')
    """
    shown = printable(name)
    if not shown.strip():
        return "(blank)" if shown else "(no name)"
    return shortened(shown, width) if width else shown


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with so many decimals, thin spaces between thousands and a true minus sign.

    >>> fixed(-12345.678, 1), fixed(2.0, 1, signed=True), fixed(-0.001, 1)
    ('−12\u202f345.7', '+2.0', '0.0')
    """
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace(",", THIN).replace("-", "−")


def figure(value: float, digits: int = 4) -> str:
    """A number with sensible digits: whole ones whole, very small and large ones in powers.

    >>> figure(-3.14159), figure(1000000.0), figure(0.0000123), figure(12345.6)
    ('−3.142', '1\u202f000\u202f000', '1.23×10⁻⁵', '12\u202f346')
    """
    size = abs(value)
    if value == int(value) and size < 1e9:
        return fixed(value, 0)
    exponent = math.floor(math.log10(size))
    if exponent < -3 or exponent >= 7:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{mantissa.replace('-', '−')}×10{raised(int(power))}"
    decimals = max(digits - 1 - exponent, 0)
    text = fixed(value, decimals)
    # A number that was short to begin with (a threshold of 0.05) stays so.
    return text.rstrip("0") if decimals and round(value, decimals) == value else text


def shown(row: Measurement) -> str:
    """What a row says: its number in its unit's way, −∞, or a dash where there is none.

    >>> shown(Measurement("", "zeros", "share", 0.25, "share"))
    '25\u202f%'
    """
    if row.is_minus_infinity:
        return "−∞"
    if row.value is None:
        return "—"
    if row.unit == "share":
        return f"{figure(100 * row.value, 3)}{THIN}%"
    return figure(row.value)


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "layer"), counted(3, "layer"), counted(0, "copy", "copies")
    ('1\u202flayer', '3\u202flayers', '0\u202fcopies')
    """
    return f"{fixed(count, 0)}{THIN}{plural(count, one, many)}"
