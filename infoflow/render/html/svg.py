"""Writing SVG: elements whose text and attributes are escaped, and linear scales."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from infoflow.render.html.words import figure
from infoflow.render.text import printable, raised


def tag(name: str, content: str = "", **attributes: object) -> Markup:
    """An element. Content that is not markup yet is escaped, attributes always.

    ``class_`` stands for class, underscores for hyphens; an attribute of None is left out.

    >>> tag("text", "a < b", x=1.25, class_="tick")
    Markup('<text x="1.2" class="tick">a &lt; b</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not content:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{_text(content)}</{name}>")


def tooltip(lines: Iterable[str]) -> Markup:
    """A title, one fact a line, shown where the pointer rests."""
    return Markup("<title>{}</title>").format(Markup("\n").join(map(printable, lines)))


def join(parts: Iterable[str]) -> Markup:
    """Pieces of markup, one after the other; what is not markup is escaped."""
    return Markup("").join(parts)


def point(value: float) -> str:
    """A coordinate, to a tenth of a pixel, as short as it can be written."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


@dataclass(frozen=True)
class Scale:
    """A linear map from numbers ``low … high`` to places ``start … stop``."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The place of a number."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def holds(self, value: float) -> bool:
        """Whether the number lies on the scale."""
        return self.low <= value <= self.high

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round numbers on the scale, about as many as wanted."""
        step = _round_step((self.high - self.low) / max(wanted, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]


def spanning(values: Iterable[float], start: float, stop: float, margin: float = 0.06) -> Scale:
    """A scale that holds all the values with a margin; of some width even if they are equal."""
    numbers = list(values) or [0.0]
    low, high = min(numbers), max(numbers)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        half = max(abs(low) * 0.1, 0.5)
        return Scale(low - half, high + half, start, stop)
    edge = margin * (high - low)
    return Scale(low - edge, high + edge, start, stop)


def tick_text(value: float) -> str:
    """The label of a tick."""
    text = figure(value, 3)
    return text if "×" in text or "." not in text else text.rstrip("0").rstrip(".")


def power_text(exponent: float) -> str:
    """The label of a tick on a logarithmic axis, by its decimal exponent.

    >>> power_text(-1.0), power_text(5.0), power_text(-4.0)
    ('0.1', '10⁵', '10⁻⁴')
    """
    if exponent == int(exponent) and not -3 <= exponent <= 3:
        return "10" + raised(int(exponent))
    return tick_text(10**exponent)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return point(value)
    return str(escape(printable(str(value))))


def _text(content: str) -> Markup:
    return content if isinstance(content, Markup) else escape(printable(content))
