"""The pictures of a comparison's page: bars of what changed most, maps and lines of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infoflow.comparison.comparison import Comparison
from infoflow.png import address, png
from infoflow.render.comparison.flow import FlowMap, Line, Numbers
from infoflow.render.comparison.view import LayerView
from infoflow.render.html.charts import Chart
from infoflow.render.html.colours import CIVIDIS, DIVERGING, gradient, ramp
from infoflow.render.html.svg import Scale, join, point, spanning, tag, tick_text, tooltip
from infoflow.render.html.words import THIN, figure, title

BARS = 20
"""Layers in the chart of what changed most."""
NAMES = 150
"""Pixels of the layers' names."""
WIDTH = 540
BAR = 21
TOP = 8

MAP_WIDTH, MAP_NAMES = 400, 112
ROW, LEAST_ROW, TALLEST = 16.0, 3.0, 460.0
SHADES = 61
ABSENT, LOST = (190, 190, 190), (213, 94, 0)

LINE_WIDTH, LINE_HEIGHT, LINE_LEFT, LINE_BOTTOM = 300, 160, 46, 34


@dataclass(frozen=True)
class Picture:
    """A drawing with its size, its caption and what its colours mean."""

    caption: str
    drawing: Markup
    width: int
    height: int
    low: str = ""
    high: str = ""
    colours: str = ""
    lost: bool = False


def bars(views: Sequence[LayerView]) -> Picture | None:
    """The layers that changed most, a bar each; those without a number say why."""
    shown = [view for view in views if view.layer.changed][:BARS]
    scores = [view.layer.score for view in shown if view.layer.score is not None]
    if not shown:
        return None
    x = Scale(0.0, max(scores, default=1.0) * 1.12 or 1.0, NAMES, WIDTH - 8)
    height = TOP + BAR * len(shown) + 26
    floor = float(TOP + BAR * len(shown))
    ticks = x.ticks(5) if scores else []
    parts = [
        tag(
            "path", d="".join(f"M{point(x(t))} {TOP}V{point(floor)}" for t in ticks), class_="grid"
        ),
        *(
            tag("text", tick_text(t), x=float(x(t)), y=floor + 15, text_anchor="middle")
            for t in ticks
        ),
    ]
    for place, view in enumerate(shown):
        parts.append(_bar(view, x, float(TOP + BAR * place)))
    relative = any(view.relative for view in shown)
    caption = (
        "Relative change of the weight, ‖B − A‖ / ‖A‖"
        if relative
        else "Largest change of a measure, in its standard deviations over the layers"
    )
    return Picture(caption, join(parts), WIDTH, height)


def _bar(view: LayerView, x: Scale, top: float) -> Markup:
    score = view.layer.score
    name = title(view.layer.name, 22)
    words = view.layer.reason if score is None else figure(score, 3)
    told = tooltip([title(view.layer.name, 80), f"{words}: {view.layer.reason}"])
    label = tag("text", name, class_="tick", x=float(NAMES - 7), y=top + 14)
    length = x(score) - NAMES if score is not None else 0.0
    box = tag("rect", told, class_="bars", x=float(NAMES), y=top + 3, width=max(length, 1.0),
              height=float(BAR - 6))  # fmt: skip
    value = tag("text", words, x=NAMES + length + 6, y=top + 14)
    hit = tag("rect", told, class_="hit", x=0.0, y=top, width=float(WIDTH), height=float(BAR))
    link = tag("a", hit, href=f"#layer-{view.layer.place + 1}", tabindex=-1)
    return join([box, label, value, link])


def flow_picture(one: FlowMap, views: Sequence[LayerView], comparison: Comparison) -> Picture:
    """A map of layers × files as a small picture between its names and steps."""
    count = len(views)
    row = max(min(ROW, TALLEST / count), LEAST_ROW)
    height = row * count
    reach, beyond = one.reach
    left, wide = float(MAP_NAMES), float(MAP_WIDTH - MAP_NAMES - 8)
    pixels = address(png(_pixels(one, reach), [*ramp(_stops(one), SHADES), ABSENT, LOST]))
    parts = [
        tag(
            "image", href=pixels, x=left, y=4.0, width=wide, height=height,
            preserveAspectRatio="none", style="image-rendering:pixelated",
        )
    ]  # fmt: skip
    every = max(1, -(-12 // int(max(row, 1))))
    for place, view in enumerate(views):
        top = 4 + row * place
        if place % every == 0:
            words = title(view.layer.name, 17)
            parts.append(tag("text", words, class_="e", x=left - 6, y=top + row / 2 + 4))
        told = [title(view.layer.name, 60), *_told(one.cells[place], one.lost[place], comparison)]
        box = tag("rect", tooltip(told), class_="hit", x=0.0, y=top, width=float(MAP_WIDTH),
                  height=row)  # fmt: skip
        parts.append(tag("a", box, href=f"#layer-{view.layer.place + 1}", tabindex=-1))
    steps = comparison.snapshots
    step = max(1, -(-len(steps) * 44 // int(wide)))
    for place in range(len(steps) - 1, -1, -step):
        across = left + wide * (place + 0.5) / len(steps)
        parts.append(
            tag("text", f"{steps[place].step}", x=across, y=height + 18, text_anchor="middle")
        )
    low = f"−{figure(reach, 2)}" if one.signed else "0"
    return Picture(
        caption=one.title.replace("\n", " "),
        drawing=join(parts),
        width=MAP_WIDTH,
        height=round(height + 24),
        low=("≤ " if beyond and one.signed else "") + low,
        high=("≥ " if beyond else "") + figure(reach, 2),
        colours=gradient([*_stops(one), _stops(one)[-1]]),
        lost=any(map(any, one.lost)),
    )


def _stops(one: FlowMap) -> list[str]:
    return DIVERGING if one.signed else CIVIDIS


def _pixels(one: FlowMap, reach: float) -> list[bytes]:
    low = -reach if one.signed else 0.0
    factor = (SHADES - 1) / (reach - low)
    lines = []
    for row, lost in zip(one.cells, one.lost, strict=True):
        shades = (
            SHADES + 1 if gone else SHADES if value is None
            else min(max(round((value - low) * factor), 0), SHADES - 1)
            for value, gone in zip(row, lost, strict=True)
        )  # fmt: skip
        lines.append(bytes(shades))
    return lines


def _told(row: Numbers, lost: Sequence[bool], comparison: Comparison) -> list[str]:
    """The row's numbers by step, some of them where there are many."""
    known = [
        f"{one.step}: {'−∞' if gone else '—' if value is None else figure(value, 3)}"
        for one, value, gone in zip(comparison.snapshots, row, lost, strict=True)
    ]
    if len(known) > 12:
        known = [known[round(place * (len(known) - 1) / 11)] for place in range(12)]
    return known


def line_chart(line: Line, comparison: Comparison) -> Chart:
    """A mean of the network along the files."""
    steps = [float(one.step) for one in comparison.snapshots]
    known = [(s, v) for s, v in zip(steps, line.values, strict=True) if v is not None]
    x = spanning((step for step, _ in known), LINE_LEFT, LINE_WIDTH - 10, 0.03)
    y = spanning((value for _, value in known), LINE_HEIGHT - LINE_BOTTOM, 12)
    parts = []
    for tick in y.ticks(4):
        parts.append(
            tag("path", d=f"M{LINE_LEFT} {point(y(tick))}H{LINE_WIDTH - 8}", class_="grid")
        )
        parts.append(tag("text", tick_text(tick), class_="e", x=LINE_LEFT - 6.0, y=y(tick) + 3.5))
    for tick in x.ticks(4):
        if tick == int(tick):
            parts.append(tag("text", tick_text(tick), x=x(tick), y=float(LINE_HEIGHT - 16)))
    path = "M" + "L".join(f"{point(x(step))} {point(y(value))}" for step, value in known)
    parts.append(tag("path", d=path, class_="run pt-run"))
    for step, value in known:
        told = tooltip([f"{step:g}: {figure(value)}"])
        parts.append(tag("circle", told, class_="pt", cx=x(step), cy=y(value), r=2.6))
    drawing = tag("svg", join(parts), class_="small", viewBox=f"0 0 {LINE_WIDTH} {LINE_HEIGHT}",
                  role="img", aria_label=line.title.replace("\n", " "))  # fmt: skip
    table = tuple(
        (f"{one.step}", "—" if value is None else figure(value))
        for one, value in zip(comparison.snapshots, line.values, strict=True)
    )
    note = f"{line.left_out}{THIN}layers without a number in some file left out" * bool(
        line.left_out
    )
    return Chart(line.title.replace("\n", " "), drawing, ("step", "mean"), table, note)
