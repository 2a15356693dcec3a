"""The panels of activations along the depth: information, batch-entropy, gradients, redundancy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from infoflow.findings.chains import CHAINS
from infoflow.render.activations import Information, SiteFacts, interval
from infoflow.render.html.marks import dash, hatched, mark_size, run
from infoflow.render.html.panels import Panel
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
from infoflow.render.html.words import figure
from infoflow.report import Measurement


def information_panel(sites: Sequence[SiteFacts], name: str, x: Scale, top: float) -> Panel | None:
    """Bits above the null with intervals, the null's band, the ceiling, and I_CS beside it."""
    found = [one.information(name) for one in sites]
    if not any(found):
        return None
    bottom = top + 150
    y = spanning([0.0, *_range(found)], bottom, top)
    marks: list[Markup] = []
    legend: dict[str, str] = {"dot": "information above its null, 95 % interval"}
    for index, one in enumerate(found):
        if one is None:
            continue
        if one.null_band is not None:
            marks.append(band(x, index, y, *one.null_band))
            legend["null-band"] = "null: samples permuted, 95 %"
        if one.ceiling is not None:
            marks.append(dash(x, index, y(one.ceiling)))
            legend["ceiling"] = "its ceiling"
        marks.append(bar(x, index, y, one.interval))
    places = [_place(None if one is None else one.value, x, y, index)
              for index, one in enumerate(found)]  # fmt: skip
    forms = [_place(None if one is None else one.cauchy_schwarz, x, y, index)
             for index, one in enumerate(found)]  # fmt: skip
    size = mark_size(x)
    chained = [place if one.site.on_chain else None
               for place, one in zip(places, sites, strict=True)]  # fmt: skip
    off = [place if not one.site.on_chain else None
           for place, one in zip(places, sites, strict=True)]  # fmt: skip
    if any(forms):
        marks += _dots(forms, "ring", size)
        legend["ring-form"] = "Cauchy–Schwarz form, I_CS"
    if any(off):
        marks += _dots(off, "pt off", size)
        legend["off-chain"] = "off the chain"
    return Panel(
        f"{CHAINS[name].symbol}, bits", top, bottom, y, tuple(y.ticks(5)), tick_text,
        join([*marks, *run(_joined(chained), "pt", size)]), tuple(legend.items()),
    )  # fmt: skip


def entropy_panel(sites: Sequence[SiteFacts], x: Scale, top: float) -> Panel | None:
    """Batch-entropy of the units: quartiles and mean."""
    rows = [one.row("batch-entropy") for one in sites]
    if not any(row is not None and row.value is not None for row in rows):
        return None
    bottom = top + 110
    ends = [
        value
        for one in sites
        for part in ("value", "q1", "q3")
        if (value := one.value("batch-entropy", part)) is not None
    ]
    y = spanning([0.0, *ends], bottom, top)
    boxes = [_quartiles(one, x, y, index) for index, one in enumerate(sites)]
    return Panel(
        "batch-entropy, nats", top, bottom, y, tuple(y.ticks(4)), tick_text, join(boxes),
        (("box", "batch-entropy of the units: quartiles, median, mean •"),),
    )  # fmt: skip


def gradient_panel(sites: Sequence[SiteFacts], x: Scale, top: float) -> Panel | None:
    """The norm of the error signal that reaches each site, on a logarithmic axis."""
    norms = [one.value("gradient-norm") for one in sites]
    powers = [math.log10(norm) if norm is not None and norm > 0 else None for norm in norms]
    known = [power for power in powers if power is not None]
    if not known:
        return None
    bottom = top + 84
    y = spanning(known, bottom, top)
    marks = run([_place(power, x, y, i) for i, power in enumerate(powers)], "sq", mark_size(x))
    marks += [hatched(x, index, top, bottom) for index, norm in enumerate(norms) if norm == 0]
    legend = {"square-rank": "gradient norm ‖δ‖ a sample"}
    if 0 in norms:
        legend["hatch"] = "no gradient arrives: exactly 0"
    return Panel(
        "‖δ‖ a sample", top, bottom, y, tuple(y.ticks(4)), power_text, join(marks),
        tuple(legend.items()),
    )  # fmt: skip


def redundancy_panel(
    sites: Sequence[SiteFacts], statistic: str, words: str, x: Scale, top: float
) -> Panel | None:
    """A bar a site from zero to its redundancy; below zero it is synergy."""
    rows = [one.row("redundancy", statistic) for one in sites]
    values = [row.value for row in rows if row is not None and row.value is not None]
    if not values:
        return None
    bottom = top + 120
    ends = (end for row in rows if row is not None for end in interval(row) or ())
    y = spanning([0.0, *values, *ends], bottom, top)
    bars = [_column(row, x, y, index, statistic) for index, row in enumerate(rows)]
    key = "papers" if statistic == "papers" else "copies"
    return Panel(
        f"{words}, bits", top, bottom, y, tuple(y.ticks(4)), tick_text, join(bars),
        ((key, f"{words}: above zero redundant, below synergetic"),),
    )  # fmt: skip


def _range(found: Iterable[Information | None]) -> Iterator[float]:
    for one in found:
        if one is None:
            continue
        numbers = (one.value, one.ceiling, one.cauchy_schwarz)
        yield from (number for number in numbers if number is not None)
        yield from one.interval or ()
        yield from one.null_band or ()


def _place(value: float | None, x: Scale, y: Scale, index: int) -> tuple[float, float] | None:
    return None if value is None else (x(index + 0.5), y(value))


def _joined(
    places: Sequence[tuple[float, float] | None],
) -> list[tuple[float, float] | None]:
    """The places that there are: the chain goes on past what is not on it."""
    return [place for place in places if place is not None]


def _dots(places: Sequence[tuple[float, float] | None], mark: str, size: float) -> list[Markup]:
    return [tag("circle", class_=mark, cx=place[0], cy=place[1], r=size) for place in places
            if place is not None]  # fmt: skip


def band(x: Scale, index: int, y: Scale, low: float, high: float) -> Markup:
    """The null behind a column, cut at the panel's edges."""
    upper, lower = min(high, y.high), max(low, y.low)
    return tag("rect", class_="twin", x=x(index + 0.03), width=x(0.94), y=y(upper),
               height=max(y(lower) - y(upper), 1.0))  # fmt: skip


def bar(x: Scale, index: int, y: Scale, ends: tuple[float, float] | None) -> Markup:
    """The interval of a column's figure, with caps; nothing where there is none."""
    if ends is None:
        return Markup("")
    middle, half = x(index + 0.5), min(x(0.18), 4.0)
    low, high = y(ends[0]), y(ends[1])
    caps = "".join(f"M{point(middle - half)} {point(end)}h{point(2 * half)}" for end in (low, high))
    return tag("path", d=f"M{point(middle)} {point(low)}V{point(high)}{caps}", class_="whisker")


def _quartiles(one: SiteFacts, x: Scale, y: Scale, index: int) -> Markup:
    middle, half = x(index + 0.5), min(x(0.29), 18.0)
    q1, median, q3, mean = (
        one.value("batch-entropy", part) for part in ("q1", "median", "q3", "value")
    )
    parts = []
    if q1 is not None and q3 is not None:
        parts.append(tag("rect", x=middle - half, width=2 * half, y=y(q3),
                         height=max(y(q1) - y(q3), 1.0)))  # fmt: skip
    if median is not None:
        line = f"M{point(middle - half)} {point(y(median))}h{point(2 * half)}"
        parts.append(tag("path", d=line, class_="median"))
    if mean is not None:
        parts.append(tag("circle", class_="mean", cx=middle, cy=y(mean), r=min(mark_size(x), 2.6)))
    return tag("g", join(parts), class_="box")


def _column(row: Measurement | None, x: Scale, y: Scale, index: int, statistic: str) -> Markup:
    if row is None or row.value is None:
        return Markup("")
    upper, lower = max(row.value, 0.0), min(row.value, 0.0)
    kind = "papers" if statistic == "papers" else "copies"
    hint = tooltip([f"{figure(row.value)} {row.unit}"])
    drawn = tag("rect", hint, class_=kind, x=x(index + 0.2), width=x(0.6), y=y(upper),
              height=max(y(lower) - y(upper), 1.0))  # fmt: skip
    return join([drawn, bar(x, index, y, interval(row))])
