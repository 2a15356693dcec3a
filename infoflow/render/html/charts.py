"""The small charts of a layer: sparkline, histogram, spectrum, norms of filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.render.html.svg import Scale, join, point, power_text, spanning, tag, tick_text, tooltip
from infoflow.render.html.words import figure, fixed
from infoflow.report import Measurement, Series

Row = Callable[[str, str], Measurement | None]
"""The measurement of a measure and statistic of one layer."""

WIDTH, HEIGHT = 340, 176
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 34
POINTS = 72
"""Of a drawn curve, at most: a pixel row has no use for more."""


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
    width = 96 / len(counted)
    steps = "".join(
        f"M{point(index * width)} 20v{point(-max(19 * number / tallest, 1))}"
        for index, (_, number) in enumerate(counted)
        if number
    )
    return tag("path", d=steps, stroke_width=max(width * 0.76, 0.8))


def histogram(series: Series, row: Row) -> Chart | None:
    """Slices by their log|c₁₁|, over the middle half of the random twin."""
    counted = bins(series)
    if not counted:
        return None
    step = counted[1][0] - counted[0][0] if len(counted) > 1 else 1.0
    end = counted[-1][0] + step
    x = Scale(counted[0][0], end, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(number for _, number in counted) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
    wide = max(x(step) - x(0.0) - 0.6, 0.6)
    tops = ((edge + step / 2, number) for edge, number in counted if number)
    parts = [_grid(y), _stems(x, y, tops, wide), _below(x, f"log|c₁₁|, {series.unit}")]
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
    group = max(1, math.ceil(len(counted) / 10))
    table = tuple(
        (
            f"{fixed(counted[start][0], 2)} … "
            f"{fixed(counted[min(start + group, len(counted)) - 1][0] + step, 2)}",
            fixed(sum(number for _, number in counted[start : start + group]), 0),
        )
        for start in range(0, len(counted), group)
    )
    caption = "Slices by log|c₁₁|; line: mean, band: the random twin's middle half"
    return Chart(caption, _frame(parts, caption), (series.unit, "slices"), table, series.note)


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
    parts = [_grid(y, powers=logarithmic), _curve(places)]
    parts.append(_text("singular values, largest first", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6))
    parts.append(_text("1", LEFT, HEIGHT - BOTTOM + 14))
    last = f"{len(values)}"
    parts.append(_text(last, WIDTH - RIGHT, HEIGHT - BOTTOM + 14, "end"))
    caption = "Singular values" + (", logarithmic" if logarithmic else "")
    if zeros and logarithmic:
        caption += f"; {zeros} zero or below 10⁻⁸ of the largest, not drawn"
    return Chart(
        caption,
        _frame(parts, caption),
        ("place", series.unit),
        tuple((str(index + 1), figure(values[index])) for index in _places(len(values), 9)),
        series.note,
    )


def norms(series: Series) -> Chart | None:
    """Norms of the filters in their order: an outlier stands out, a dead one lies on the floor."""
    values = [value for value in series.values if value is not None]
    if not values:
        return None
    x = Scale(-0.5, len(values) - 0.5, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, max(values) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
    width = max((x(1) - x(0)) * 0.7, 0.5)
    parts = [
        _grid(y),
        _stems(x, y, enumerate(values), width),
        _text("filters, in the file's order", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6),
        _text("0", x(0), HEIGHT - BOTTOM + 14),
        _text(str(len(values) - 1), x(len(values) - 1), HEIGHT - BOTTOM + 14, "end"),
    ]
    order = sorted(range(len(values)), key=values.__getitem__)
    table = [("least", str(index), figure(values[index])) for index in order[:3]]
    table += [("greatest", str(index), figure(values[index])) for index in order[:-4:-1]]
    caption = "Norm of each filter"
    return Chart(caption, _frame(parts, caption), ("", "filter", "norm"), tuple(table), series.note)


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
    line = "M" + "L".join(f"{point(x)} {point(y)}" for x, y in places)
    return tag("path", d=line + ("h0.1" if len(places) == 1 else ""), class_="curve")


def _stems(x: Scale, y: Scale, tops: Iterable[tuple[float, float]], width: float) -> Markup:
    """Bars from the floor, all in one path."""
    floor = point(y(0.0))
    lines = "".join(f"M{point(x(place))} {floor}V{point(y(top))}" for place, top in tops)
    return tag("path", d=lines, class_="stems", stroke_width=width)


def _grid(y: Scale, *, powers: bool = False) -> Markup:
    marks, lines = [], ""
    for tick in y.ticks(4):
        if powers and tick != int(tick) and y.high - y.low > 1.5:
            continue
        place = y(tick)
        label = power_text(tick) if powers else tick_text(tick)
        lines += f"M{LEFT} {point(place)}H{WIDTH - RIGHT}"
        marks.append(_text(label, LEFT - 6, place + 3.5, "end"))
    return join([tag("path", d=lines, class_="grid"), *marks])


def _below(x: Scale, label: str) -> Markup:
    marks = [_text(tick_text(tick), x(tick), HEIGHT - BOTTOM + 14) for tick in x.ticks(5)]
    return join([*marks, _text(label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6)])


def _text(words: str, x: float, y: float, anchor: str | None = None) -> Markup:
    return tag("text", words, x=float(x), y=float(y), text_anchor=anchor)


def _frame(parts: Sequence[Markup], label: str) -> Markup:
    return tag("svg", join(parts), class_="small", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
               aria_label=label.partition(";")[0])  # fmt: skip
