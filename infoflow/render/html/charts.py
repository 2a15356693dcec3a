"""The small charts of a layer: sparkline, histogram, spectrum, norms of filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from infoflow.render.html.svg import (
    Scale,
    join,
    point,
    power_text,
    spanning,
    tag,
    tick_text,
    tooltip,
)
from infoflow.render.html.words import figure, fixed
from infoflow.report import Measurement, Series

Row = Callable[[str, str], Measurement | None]
"""The measurement of a measure and statistic of one layer."""

WIDTH, HEIGHT = 340, 176
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 34
POINTS = 60
"""Of a drawn curve, at most: a pixel row has no use for more."""


COLUMNS = 64
"""Bars of a chart of norms; where there are more filters, a bar spans several."""

NEGLIGIBLE = 1e-8
"""Of the largest singular value: what lies below is rounding, and would flatten the rest."""


@dataclass(frozen=True)
class Chart:
    """A drawing with its caption and the numbers behind it."""

    caption: str
    drawing: Markup
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    note: str = ""


def bins(series: Series) -> list[tuple[float, float]]:
    """Left edge and count of each bin of a histogram; none where the series is of another form."""
    if len(series.shape) != 2 or series.shape[0] != 2 or not series.shape[1]:
        return []
    count = series.shape[1]
    pairs = zip(series.values[:count], series.values[count:], strict=True)
    return [(edge, number) for edge, number in pairs if edge is not None and number is not None]


def sparkline(series: Series) -> Markup:
    """A histogram of the size of a word: one path."""
    counted = bins(series)
    tallest = max((number for _, number in counted), default=0.0)
    if not tallest:
        return Markup("")
    tops = [max(20 * number / tallest, 1.0) if number else 0.0 for _, number in counted]
    return skyline(tops, 0.0, 96.0, Scale(0.0, 20.0, 21.0, 1.0))


def sparkline_of(series: Series) -> Markup:
    """A histogram that is counts only, of the size of a word."""
    counts = [value or 0.0 for value in series.values]
    tallest = max(counts, default=0.0)
    if tallest <= 0:
        return Markup("")
    tops = [max(20 * count / tallest, 1.0) if count else 0.0 for count in counts]
    return skyline(tops, 0.0, 96.0, Scale(0.0, 20.0, 21.0, 1.0))


def histogram(series: Series, row: Row) -> Chart | None:
    """Slices by their log|c₁₁|, over the middle half of the random twin."""
    counted = bins(series)
    if not counted:
        return None
    step = counted[1][0] - counted[0][0] if len(counted) > 1 else 1.0
    end = counted[-1][0] + step
    x = Scale(counted[0][0], end, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(number for _, number in counted) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
    outline = skyline([number for _, number in counted], x.start, x.stop, y)
    parts = [grid(y), outline, below(x, f"log|c₁₁|, {series.unit}")]
    low, high = (
        _value(row, "random-twin.c11", "expected-q1"),
        _value(row, "random-twin.c11", "expected-q3"),
    )
    if low is not None and high is not None and low < end and high > counted[0][0]:
        left, right = max(x(low), LEFT), min(x(high), WIDTH - RIGHT)
        band = tag("rect", tooltip([f"random twin's middle half, {figure(low)} … {figure(high)}"]),
                   class_="twin", x=left, y=TOP, width=right - left, height=y(0) - TOP)  # fmt: skip
        parts.insert(1, band)
    mean = _value(row, "entropy-change.c11", "mean")
    if mean is not None and x.holds(mean):
        parts.append(tag("line", tooltip([f"mean {figure(mean)}"]), class_="mean", x1=x(mean),
                         x2=x(mean), y1=TOP, y2=y(0)))  # fmt: skip
    group = max(1, math.ceil(len(counted) / 8))
    table = tuple(
        (
            f"{fixed(counted[start][0], 2)} … "
            f"{fixed(counted[min(start + group, len(counted)) - 1][0] + step, 2)}",
            fixed(sum(number for _, number in counted[start : start + group]), 0),
        )
        for start in range(0, len(counted), group)
    )
    caption = "Slices by log|c₁₁|; line: mean, band: random twin"
    return Chart(caption, frame(parts, caption), (series.unit, "slices"), table)


def spectrum(series: Series) -> Chart | None:
    """Singular values, largest first; logarithmic where they span more than a factor of 50."""
    values = [value for value in series.values if value is not None]
    if not values:
        return None
    positive = [value for value in values if value > NEGLIGIBLE * max(values)]
    logarithmic = bool(positive) and max(positive) > 50 * min(positive)
    zeros = len(values) - len(positive)
    drawn = positive if logarithmic else values
    chosen = _thinned(drawn)
    x = Scale(0.0, max(len(values) - 1, 1), LEFT, WIDTH - RIGHT)
    if logarithmic:
        y = spanning((math.log10(value) for _, value in chosen), HEIGHT - BOTTOM, TOP)
        places = [(x(index), y(math.log10(value))) for index, value in chosen]
    else:
        y = Scale(0.0, max(values) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
        places = [(x(index), y(value)) for index, value in chosen]
    parts = [grid(y, powers=logarithmic), _curve(places)]
    parts.append(words_at("singular values, largest first", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6))
    parts.append(words_at("1", LEFT, HEIGHT - BOTTOM + 14))
    last = f"{len(values)}"
    parts.append(words_at(last, WIDTH - RIGHT, HEIGHT - BOTTOM + 14, "e"))
    caption = f"Singular values{f' ({series.note})' if series.note else ''}"
    caption += ", logarithmic" if logarithmic else ""
    if zeros and logarithmic:
        caption += f"; {zeros} zero or below 10⁻⁸ of the largest, not drawn"
    return Chart(
        caption,
        frame(parts, caption),
        ("place", series.unit),
        tuple((str(index + 1), figure(values[index])) for index in _places(len(values), 7)),
    )


def norms(series: Series) -> Chart | None:
    """Norms of the filters in their order: an outlier stands out, a dead one lies on the floor."""
    values = [value for value in series.values if value is not None]
    if not values:
        return None
    x = Scale(-0.5, len(values) - 0.5, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(values) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
    parts = [
        grid(y),
        _band(values, x.start, x.stop, y),
        words_at("filters, in the file's order", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6),
        words_at("0", x(0), HEIGHT - BOTTOM + 14),
        words_at(str(len(values) - 1), x(len(values) - 1), HEIGHT - BOTTOM + 14, "e"),
    ]
    order = sorted(range(len(values)), key=values.__getitem__)
    table = [("least", str(index), figure(values[index])) for index in order[:2]]
    table += [("greatest", str(index), figure(values[index])) for index in order[:-3:-1]]
    caption = "Norm of each filter"
    if len(values) > COLUMNS:
        caption = "Norms of the filters, least to greatest of a few neighbours"
    head = ("which", "filter", "norm")
    return Chart(caption, frame(parts, caption), head, tuple(table), series.note)


def _value(row: Row, measure: str, statistic: str) -> float | None:
    found = row(measure, statistic)
    return found.value if found else None


def _places(count: int, wanted: int) -> list[int]:
    """So many places from first to last, evenly spread, each once."""
    if count <= wanted:
        return list(range(count))
    return [round(index * (count - 1) / (wanted - 1)) for index in range(wanted)]


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    return [(index, values[index]) for index in _places(len(values), POINTS)]


def _curve(places: Sequence[tuple[float, float]]) -> Markup:
    """A line through the places, as steps in half pixels: short to write."""
    whole = [(round(2 * x), round(2 * y)) for x, y in places]
    steps = "".join(f"l{here[0] - last[0]} {here[1] - last[1]}" for last, here in pairwise(whole))
    start = f"M{whole[0][0]} {whole[0][1]}"
    return tag("path", d=start + (steps or "h1"), class_="curve", transform="scale(.5)")


def skyline(tops: Sequence[float], start: float, stop: float, y: Scale) -> Markup:
    """Bars side by side as one area, in units of a bar and of a pixel: short to write."""
    floor = y(0.0)
    heights = [round(floor - y(top)) for top in tops]
    runs = [(height, len(list(equal))) for height, equal in groupby(heights)]
    rises = (here[0] - last[0] for last, here in pairwise([(0, 0), *runs]))
    outline = "".join(f"v{rise}h{many}" for rise, (_, many) in zip(rises, runs, strict=True))
    wide = (stop - start) / len(tops)
    turn = f"translate({point(start)} {point(floor)}) scale({wide:.4f} -1)"
    return tag("path", d=f"M0 0{outline}V0z", class_="bars", transform=turn)


def _band(values: Sequence[float], start: float, stop: float, y: Scale) -> Markup:
    """Bars, or for many values a band from least to greatest of neighbours: extremes stay."""
    if len(values) <= COLUMNS:
        return skyline(values, start, stop, y)
    edges = [round(place * len(values) / COLUMNS) for place in range(COLUMNS + 1)]
    groups = [values[first:last] for first, last in pairwise(edges)]
    floor, wide = y(0.0), (stop - start) / COLUMNS
    ends = [(round(floor - y(min(group))), round(floor - y(max(group)))) for group in groups]
    bars = "".join(f"M{place} {low}V{max(high, low + 1)}" for place, (low, high) in enumerate(ends))
    turn = f"translate({point(start + wide / 2)} {point(floor)}) scale({wide:.4f} -1)"
    return tag("path", d=bars, class_="stems", transform=turn)


def grid(y: Scale, *, powers: bool = False) -> Markup:
    """Lines across the chart at round numbers, with their labels."""
    marks, lines = [], ""
    for tick in y.ticks(4):
        if powers and tick != int(tick) and y.high - y.low > 1.5:
            continue
        place = y(tick)
        label = power_text(tick) if powers else tick_text(tick)
        lines += f"M{LEFT} {point(place)}H{WIDTH - RIGHT}"
        marks.append(tag("text", label, y=float(place)))
    labels = tag("g", join(marks), class_="e", transform=f"translate({LEFT - 6} 3.5)")
    return join([tag("path", d=lines, class_="grid"), labels])


def below(x: Scale, label: str) -> Markup:
    """The numbers of the axis below the chart, and what it is."""
    marks = join(tag("text", tick_text(tick), x=float(x(tick))) for tick in x.ticks(5))
    row = tag("g", marks, transform=f"translate(0 {HEIGHT - BOTTOM + 14})")
    return join([row, words_at(label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6)])


def words_at(words: str, x: float, y: float, anchor: str | None = None) -> Markup:
    """Words at a place."""
    return tag("text", words, x=float(x), y=float(y), class_=anchor)


def frame(parts: Sequence[Markup], label: str) -> Markup:
    """The whole small chart."""
    return tag("svg", join(parts), class_="small", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
               aria_label=label.partition(";")[0].partition(" (")[0])  # fmt: skip
