"""Heat maps: a series of two dimensions as a small picture with its scale in words."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import quantiles

from infoflow.png import address, png
from infoflow.render.html.colours import CIVIDIS, MISSING, VIRIDIS, ramp
from infoflow.render.html.svg import tick_text
from infoflow.report import Series

FINE, COARSE = 32, 12
"""Shades of a map: as many as an eye tells apart, or in a long network as many as a small file
allows."""

SIDE = 232
"""Pixels of a map's longer side on the page, at most."""


@dataclass(frozen=True)
class HeatMap:
    """A picture and what its colours mean.

    Args:
        title: What the cells are.
        axes: What rows and columns are.
        map: Name of the colour map.
        address: The picture, as a data address.
        width: On the page, in pixels.
        height: On the page.
        low: Label of the darkest colour.
        high: Label of the brightest.
        missing: How many cells are −∞ (drawn in vermillion).
        facts: The map's numbers in words, for who cannot see it.
        note: The series' own.
    """

    title: str
    axes: str
    map: str
    address: str
    width: int
    height: int
    low: str
    high: str
    missing: int
    facts: tuple[tuple[str, str], ...]
    note: str


def corner_map(series: Series, shades: int = FINE) -> HeatMap | None:
    """log|c₁₁| of every slice; the scale spans the bulk, and what lies beyond takes its ends."""
    finite = sorted(value for value in series.values if value is not None)
    if not _drawable(series):
        return None
    low, high, below = _bulk(finite)
    return _draw(
        series,
        title="log|c₁₁| of each slice",
        axes="output channels down, input channels across",
        stops=("cividis", CIVIDIS),
        span=(low, high),
        labels=(("≤ " if below else "") + tick_text(low), f"{tick_text(high)} {series.unit}"),
        values=series.values,
        shades=shades,
    )


def similarity_map(series: Series, filters: int, shades: int = FINE) -> HeatMap | None:
    """|cosine| between filters: a bright cell off the diagonal is a copy, up to scale and sign."""
    if not _drawable(series):
        return None
    return _draw(
        series,
        title="|cosine| between filters",
        axes="a bright cell is a copy",
        stops=("viridis", VIRIDIS),
        span=(0.0, 1.0),
        labels=("0", "1"),
        values=tuple(None if value is None else abs(value) for value in series.values),
        shades=shades,
        triangle=0 if len(series.shape) == 2 and series.shape[0] == filters else 1,
    )


def dependence_map(series: Series, shades: int = FINE) -> HeatMap | None:
    """Normalised dependence between the maps of a site: a bright cell is a copy on these data."""
    if not _drawable(series):
        return None
    return _draw(
        series,
        title="dependence between the maps",
        axes="a bright cell is a copy on these data",
        stops=("viridis", VIRIDIS),
        span=(0.0, 1.0),
        labels=("0", "1"),
        values=series.values,
        shades=shades,
        triangle=0,
    )


def _drawable(series: Series) -> bool:
    return len(series.shape) == 2 and len(series.values) == series.shape[0] * series.shape[1] > 0


def _bulk(finite: list[float]) -> tuple[float, float, bool]:
    """The range of a map: up to the greatest, down to Tukey's fence."""
    if not finite:
        return 0.0, 1.0, False
    if len(finite) < 4:
        return finite[0], finite[-1] if finite[-1] > finite[0] else finite[0] + 1, False
    q1, _, q3 = quantiles(finite, n=4)
    fence = q1 - 1.5 * (q3 - q1)
    low = next(value for value in finite if value >= fence)
    return low, finite[-1] if finite[-1] > low else low + 1, low > finite[0]


def _draw(
    series: Series,
    *,
    title: str,
    axes: str,
    stops: tuple[str, list[str]],
    span: tuple[float, float],
    labels: tuple[str, str],
    values: tuple[float | None, ...],
    shades: int,
    triangle: int | None = None,
) -> HeatMap:
    """The picture; of a symmetric map only the lower triangle, so many of its diagonals with it."""
    rows, columns = series.shape
    low, high = span
    factor = (shades - 1) / (high - low)
    cells = bytes(
        shades if value is None else min(max(round((value - low) * factor), 0), shades - 1)
        for value in values
    )
    lines = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    if triangle is not None:
        cuts = [min(place + triangle, columns) for place in range(rows)]
        clear = bytes([shades + 1])
        lines = [
            line[:cut] + clear * (columns - cut) for line, cut in zip(lines, cuts, strict=True)
        ]
        values = tuple(
            value
            for place, cut in enumerate(cuts)
            for value in values[place * columns : place * columns + cut]
        )
    scale = max(1, SIDE // max(rows, columns))
    name, colours = stops
    shown = [*ramp(colours, shades), MISSING]
    palette = (shown, None) if triangle is None else ([*shown, MISSING], shades + 1)
    missing = sum(value is None for value in values)
    return HeatMap(
        title=title,
        axes=axes,
        map=name,
        address=address(png(lines, *palette)),
        width=columns * scale,
        height=rows * scale,
        low=labels[0],
        high=labels[1],
        missing=missing,
        facts=_facts(series.shape, values, missing),
        note=series.note,
    )


def _facts(
    shape: tuple[int, ...], values: tuple[float | None, ...], missing: int
) -> tuple[tuple[str, str], ...]:
    finite = [value for value in values if value is not None]
    facts = [("cells", f"{shape[0]} × {shape[1]}")]
    if missing:
        facts.append(("cells of −∞", str(missing)))
    if len(finite) > 1:
        q1, middle, q3 = quantiles(finite, n=4)
        five = (min(finite), q1, middle, q3, max(finite))
        words = ("least", "first quartile", "median", "third quartile", "greatest")
        facts += [
            (word, tick_text(round(value, 3))) for word, value in zip(words, five, strict=True)
        ]
    return tuple(facts)
