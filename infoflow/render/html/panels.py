"""The panels of the depth profile: box plots of c₁₁, log-volume a channel, ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from infoflow.render.html.marks import dash, diamond, drop, hatched, mark_size, run, triangle
from infoflow.render.html.svg import Scale, join, point, spanning, tag, tick_text
from infoflow.render.html.words import THIN
from infoflow.render.view import Facts

DOT = 1.5
"""Outliers closer than this many pixels are one dot."""


@dataclass(frozen=True)
class Panel:
    """A drawing of one quantity over all layers; the axis is drawn by the profile."""

    title: str
    top: float
    bottom: float
    y: Scale
    ticks: tuple[float, ...]
    label: Callable[[float], str]
    drawing: Markup
    legend: tuple[tuple[str, str], ...]


def corner_panel(layers: Sequence[Facts], x: Scale, top: float) -> Panel | None:
    """Box plots of log|c₁₁| over the twin's band; dense layers as diamonds, log|det| a unit."""
    if not any(
        facts.row("entropy-change.c11", "count")
        or facts.row("entropy-change.c11", "mean")
        or facts.row("entropy-change.logdet")
        for facts in layers
    ):
        return None
    bottom = top + 236
    y = spanning((v for facts in layers for v in _box_range(facts)), bottom, top)
    twins, boxes, marks = [], [], []
    legend: dict[str, str] = {}
    for index, facts in enumerate(layers):
        twins.append(_twin(facts, x, y, index))
        if facts.row("entropy-change.c11", "mean"):
            if facts.all_zero:
                marks.append(hatched(x, index, top, bottom))
                legend["hatch"] = "all slices zero: −∞"
                continue
            boxes.append(_box(facts, x, y, index))
            legend["box"] = "log|c₁₁| of the slices: quartiles, median, mean •, outliers ·"
            if facts.value("entropy-change.c11", "zeros"):
                marks.append(drop(x, index, bottom))
                legend["drop"] = "some slices exactly zero (−∞, left out of the box)"
        elif (row := facts.row("entropy-change.logdet")) is not None:
            if row.value is None:
                marks.append(hatched(x, index, top, bottom))
                legend["hatch"] = "−∞"
                continue
            marks.append(diamond(x(index + 0.5), y(row.value / facts.full_rank), mark_size(x)))
            legend["diamond"] = "dense layer: log|det| a unit"
    twin_drawn = [twin for twin in twins if twin]
    if twin_drawn:
        legend["twin"] = "random twin: middle half, mean"
    dense = any(facts.row("entropy-change.logdet") for facts in layers)
    slices = any(facts.row("entropy-change.c11", "mean") for facts in layers)
    words = "log|c₁₁| or " if dense and slices else ""
    words += "log|det| a unit, nats" if dense else "log|c₁₁| a slice, nats"
    return Panel(
        words, top, bottom, y, tuple(y.ticks(6)), tick_text,
        join([*twin_drawn, *boxes, *marks]), tuple(legend.items()),
    )  # fmt: skip


def volume_panel(layers: Sequence[Facts], x: Scale, top: float) -> Panel | None:
    """The exact log-volume a channel, above its lower bound and beside its twin."""
    if not any(facts.volume for facts in layers):
        return None
    bottom = top + 156
    y = spanning((v for facts in layers for v in _volume_range(facts)), bottom, top)
    marks: list[Markup] = []
    places: list[tuple[float, float] | None] = []
    legend: dict[str, str] = {"dot": "exact log-volume a channel"}
    flat = {len(facts.layer.shape) == 2 for facts in layers}
    bounds = {frozenset({True}): "log|det|", frozenset({False}): "block c₁₁"}
    bound_words = bounds.get(frozenset(flat), "block c₁₁ or log|det|")
    for index, facts in enumerate(layers):
        middle = x(index + 0.5)
        twin = facts.a_channel(facts.row("random-twin.log-volume", "expected-mean"))
        if twin is not None:
            marks.append(dash(x, index, y(twin)))
            legend["twin"] = "random twin: middle half, mean"
        bound = facts.a_channel(facts.bound)
        if bound is not None:
            marks.append(triangle(middle, y(bound), mark_size(x)))
            legend["triangle"] = f"its lower bound, {bound_words}"
        volume = facts.a_channel(facts.volume)
        places.append(None if volume is None else (middle, y(volume)))
        if facts.volume and facts.volume.is_minus_infinity:
            marks.append(hatched(x, index, top, bottom))
            legend["hatch-volume"] = "rank lost: log-volume −∞"
    dots = run(places, "pt", mark_size(x))
    return Panel(
        "log-volume a channel, nats", top, bottom, y, tuple(y.ticks(5)), tick_text,
        join([*marks, *dots]), tuple(legend.items()),
    )  # fmt: skip


def rank_panel(layers: Sequence[Facts], x: Scale, top: float) -> Panel | None:
    """Stable and effective rank, in per cent of the full rank."""
    bottom = top + 110
    y = Scale(0.0, 100.0, bottom, top)
    drawn: list[Markup] = []
    legend: dict[str, str] = {}
    for measure, mark, words in (
        ("effective-rank", "sq", "effective rank, share of full"),
        ("stable-rank", "ring", "stable rank, share of full"),
    ):
        places: list[tuple[float, float] | None] = []
        for index, facts in enumerate(layers):
            value = facts.value(measure)
            share = None if value is None else 100 * value / facts.full_rank
            held = share is not None and y.holds(share)
            places.append((x(index + 0.5), y(share)) if held and share is not None else None)
        if any(places):
            drawn += run(places, mark, mark_size(x))
            legend["ring" if mark == "ring" else "square"] = words
    if not drawn:
        return None
    return Panel(
        "share of full rank", top, bottom, y, (0.0, 50.0, 100.0),
        lambda tick: f"{tick:.0f}{THIN}%", join(drawn),
        tuple((f"{key}-rank", words) for key, words in legend.items()),
    )  # fmt: skip


def _box_range(facts: Facts) -> list[float]:
    """What the panel must hold of a layer; outliers far beyond lie on its edge."""
    measure = "entropy-change.c11"
    ends = [
        facts.value(measure, statistic)
        for statistic in ("whisker-low", "whisker-high", "q1", "q3", "mean", "median")
    ]
    ends += [facts.value("random-twin.c11", end) for end in ("expected-q1", "expected-q3")]
    if (
        not facts.row(measure, "mean")
        and (dense := facts.value("entropy-change.logdet")) is not None
    ):
        ends.append(dense / facts.full_rank)
    found = [end for end in ends if end is not None]
    outliers = facts.series.get("c11.outliers")
    if outliers and found:
        room = 0.6 * (max(found) - min(found))
        far = (value for value in outliers.values if value is not None)
        found += [value for value in far if min(found) - room <= value <= max(found) + room]
    return found


def _volume_range(facts: Facts) -> list[float]:
    rows = (facts.volume, facts.bound, facts.row("random-twin.log-volume", "expected-mean"))
    return [end for row in rows if (end := facts.a_channel(row)) is not None]


def _twin(facts: Facts, x: Scale, y: Scale, index: int) -> Markup:
    measure = "random-twin.c11"
    low, high = facts.value(measure, "expected-q1"), facts.value(measure, "expected-q3")
    mean = facts.value(measure, "expected-mean")
    parts = []
    if low is not None and high is not None:
        parts.append(
            tag("rect", class_="twin", x=x(index + 0.03), width=x(0.94), y=y(high),
                height=max(y(low) - y(high), 1.0))
        )  # fmt: skip
    if mean is not None:
        parts.append(dash(x, index, y(mean)))
    elif not facts.row("entropy-change.c11", "mean"):
        dense = facts.value("random-twin.logdet", "expected-mean")
        if dense is not None:
            parts.append(dash(x, index, y(dense / facts.full_rank)))
    return join(parts)


def _box(facts: Facts, x: Scale, y: Scale, index: int) -> Markup:
    measure = "entropy-change.c11"
    middle, half = x(index + 0.5), min(x(0.29), 18.0)
    q1, q3 = facts.value(measure, "q1"), facts.value(measure, "q3")
    parts = []
    if q1 is not None and q3 is not None:
        low, high = facts.value(measure, "whisker-low"), facts.value(measure, "whisker-high")
        ends = (q1 if low is None else low, q3 if high is None else high)
        whiskers = "".join(
            f"M{point(middle)} {point(y(inner))}V{point(y(outer))}"
            for inner, outer in ((q1, ends[0]), (q3, ends[1]))
        )
        parts.append(tag("path", d=whiskers, class_="whisker"))
        parts.append(
            tag("rect", x=middle - half, width=2 * half, y=y(q3), height=max(y(q1) - y(q3), 1.0))
        )
    median = facts.value(measure, "median")
    if median is not None:
        line = f"M{point(middle - half)} {point(y(median))}h{point(2 * half)}"
        parts.append(tag("path", d=line, class_="median"))
    parts.append(_outliers(facts, middle, y))
    mean = facts.value(measure, "mean")
    if mean is not None:
        parts.append(tag("circle", class_="mean", cx=middle, cy=y(mean), r=min(mark_size(x), 2.6)))
    return tag("g", join(parts), class_="box")


def _outliers(facts: Facts, middle: float, y: Scale) -> Markup:
    """All outliers as one path of dots; those beyond the panel lie on its edge."""
    series = facts.series.get("c11.outliers")
    if series is None:
        return Markup("")
    held = (min(max(v, y.low), y.high) for v in series.values if v is not None)
    places = sorted({round(y(value) / DOT) for value in held})
    if not places:
        return Markup("")
    # Neighbouring dots touch: a run of them is one line with round ends.
    breaks = [place for place, (a, b) in enumerate(pairwise(places), 1) if b > a + 1]
    path, down = f"M{point(middle)} 0", 0
    for start, stop in pairwise([0, *breaks, len(places)]):
        first, last = places[start], places[stop - 1]
        path += f"m0 {point((first - down) * DOT)}"
        path += f"v{point((last - first) * DOT)}" if last > first else "h0"
        down = last
    return tag("path", d=path, class_="outlier")
