"""The depth profile: every linear layer on one axis, its figures in three panels above another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from infoflow.render.html.panels import (
    Panel,
    corner_panel,
    rank_panel,
    volume_panel,
)
from infoflow.render.html.svg import Scale, join, point, tag, tooltip
from infoflow.render.html.words import fixed, shown, title
from infoflow.render.view import Facts
from infoflow.report import Measurement

AXIS = 58
"""Width of the axis, which stays in sight when the chart scrolls."""

PLOT = 1010
"""Width of the chart where its layers fit; long networks make it wider, and it scrolls."""

LEAST_STEP, GREATEST_STEP = 5.0, 120.0
GAP = 30
LABEL_WIDTH = 28
LABEL_STEP = 19
"""Pixels between names, at least, so that slanted ones do not touch."""

SLANT = 40
"""Degrees by which the names of layers hang down."""


@dataclass(frozen=True)
class Profile:
    """The chart in two drawings, axis and plot, its legend, and the numbers behind it."""

    axis: Markup
    plot: Markup
    axis_width: int
    width: int
    height: int
    legend: tuple[tuple[str, str], ...]
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    thinned: int


Maker = Callable[[Scale, float], Panel | None]
"""Makes a panel, from the columns' scale and the panel's upper edge."""


@dataclass(frozen=True)
class Column:
    """What stands at a place of the axis: its name, where it leads to, what the pointer is told."""

    name: str
    anchor: str
    told: tuple[str, ...]


def depth_profile(layers: Sequence[Facts]) -> Profile | None:
    """The chart of all layers that are linear maps; None where nothing of them was measured."""
    linear = [facts for facts in layers if facts.layer.kind != "normalisation"]
    head, table = _table(linear)
    return stacked(
        [partial(make, linear) for make in (corner_panel, volume_panel, rank_panel)],
        [Column(facts.layer.name, facts.anchor, tuple(_told(facts))) for facts in linear],
        head,
        table,
    )


def stacked(
    makers: Sequence[Maker],
    columns: Sequence[Column],
    head: tuple[str, ...],
    table: tuple[tuple[str, ...], ...],
    plot: float = PLOT,
) -> Profile | None:
    """Panels one below another over the same columns; None where no panel has anything.

    Args:
        makers: Of the panels, from the columns' scale and the panel's upper edge.
        columns: What stands along the axis.
        head: Of the numbers behind the chart.
        table: Its lines, one a column.
        plot: Width of the chart where its columns fit, in pixels.
    """
    if not columns:
        return None
    step = min(max(plot / len(columns), LEAST_STEP), GREATEST_STEP)
    x = Scale(0.0, len(columns), 0.0, step * len(columns))
    panels: list[Panel] = []
    top = 22.0
    for make in makers:
        panel = make(x, top)
        if panel is not None:
            panels.append(panel)
            top = panel.bottom + GAP
    if not panels:
        return None
    floor = panels[-1].bottom
    every = max(1, math.ceil(LABEL_STEP / step))
    labels, hang, reach = _names(columns, x, floor, every)
    back = [_rules(panel, x.stop) for panel in panels]
    front = [panel.drawing for panel in panels]
    hits = [_hit(column, x, index, floor) for index, column in enumerate(columns)]
    return Profile(
        axis=join(_axis(panel) for panel in panels),
        plot=join([*back, *front, *labels, *hits]),
        axis_width=AXIS,
        width=math.ceil(max(x.stop, reach) + 6),
        height=math.ceil(floor + hang),
        legend=tuple(dict.fromkeys(item for panel in panels for item in panel.legend)),
        head=head,
        table=table,
        thinned=every,
    )


def _rules(panel: Panel, stop: float) -> Markup:
    return join(
        tag("line", class_="zero" if tick == 0 else "grid", x1=0, x2=stop, y1=panel.y(tick),
            y2=panel.y(tick))
        for tick in panel.ticks
    )  # fmt: skip


def _axis(panel: Panel) -> Markup:
    marks = [
        tag("text", panel.label(tick), class_="tick", x=AXIS - 7, y=panel.y(tick) + 3.5)
        for tick in panel.ticks
    ]
    middle = (panel.top + panel.bottom) / 2
    turn = f"rotate(-90 12 {point(middle)})"
    words = tag("text", panel.title, class_="axis", x=12, y=middle, transform=turn)
    return join([*marks, words])


def _names(
    columns: Sequence[Column], x: Scale, floor: float, every: int
) -> tuple[list[Markup], float, float]:
    """The columns' names under the chart, how far they hang down, and how far right they reach."""
    labels, hang, reach = [], 0.0, 0.0
    turn = math.radians(SLANT)
    for index in range(0, len(columns), every):
        words = title(columns[index].name, LABEL_WIDTH)
        across, down = x(index + 0.5), floor + 14
        labels.append(
            tag("text", words, class_="name",
                transform=f"translate({point(across - 3)} {point(down)}) rotate({SLANT})")
        )  # fmt: skip
        length = 6.3 * len(words)
        hang = max(hang, 24 + length * math.sin(turn))
        reach = max(reach, across + length * math.cos(turn) + 4)
    return labels, hang, reach


def _hit(column: Column, x: Scale, index: int, floor: float) -> Markup:
    """What the pointer meets: a whole column, which is named and leads to its page."""
    box = tag("rect", tooltip(column.told), class_="hit", x=x(index), y=14,
              width=x(index + 1) - x(index), height=floor - 10)  # fmt: skip
    return tag("a", box, href=f"#{column.anchor}", tabindex=-1)


_COLUMNS: tuple[tuple[str, Callable[[Facts], Measurement | None]], ...] = (
    ("mean log|c₁₁|", lambda facts: facts.row("entropy-change.c11", "mean")),
    ("first quartile", lambda facts: facts.row("entropy-change.c11", "q1")),
    ("median", lambda facts: facts.row("entropy-change.c11", "median")),
    ("third quartile", lambda facts: facts.row("entropy-change.c11", "q3")),
    ("zeros", lambda facts: facts.row("entropy-change.c11", "zeros")),
    ("twin's mean", lambda facts: facts.row("random-twin.c11", "expected-mean")),
    ("z", lambda facts: facts.row("random-twin.z-mean")),
    ("log-volume", lambda facts: facts.volume),
    ("block c₁₁ or log|det|", lambda facts: facts.surrogate),
    ("rank", lambda facts: facts.row("rank")),
    ("full rank", lambda facts: facts.row("rank", "full")),
    ("stable rank", lambda facts: facts.row("stable-rank")),
)


def _told(facts: Facts) -> list[str]:
    lines = [title(facts.layer.name, 80)]
    for words, chosen in _COLUMNS:
        row = chosen(facts)
        if row is not None and words not in {"first quartile", "third quartile", "full rank"}:
            unit = "" if row.unit in {"count", "standard errors", "ratio"} else f" {row.unit}"
            lines.append(f"{words} {shown(row)}{unit}")
    return lines


def _table(linear: Sequence[Facts]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    cells = {
        words: [chosen(facts) for facts in linear]
        for words, chosen in _COLUMNS
    }  # fmt: skip
    used = [words for words, rows in cells.items() if any(row is not None for row in rows)]
    table = tuple(
        (
            title(facts.layer.name, 56),
            *(_cell(cells[words][index]) for words in used),
        )
        for index, facts in enumerate(linear)
    )
    return ("layer", *used), table


def _cell(row: Measurement | None) -> str:
    if row is None:
        return ""
    if row.value is None or row.value == int(row.value):
        return shown(row)
    return fixed(row.value, 2)
