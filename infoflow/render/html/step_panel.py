"""The panel of a chain: its curve, each step in the colour of its word and with its sign."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from infoflow.findings.chains import CHAINS, FALLS, RISES, UNTOLD
from infoflow.render.activations import Information, SiteFacts
from infoflow.render.html.marks import mark_size
from infoflow.render.html.panels import Panel
from infoflow.render.html.site_panels import band, bar
from infoflow.render.html.svg import Scale, join, point, spanning, tag, tick_text, tooltip

STEP_CLASSES = {FALLS: "falls", RISES: "rises", UNTOLD: "untold"}
"""How a step's line is drawn; its sign beside it says the same without colour."""

_STEP_WORDS = {
    FALLS: "falls: the difference's interval lies below zero",
    RISES: "rises: the difference's interval lies above zero",
    UNTOLD: "cannot be told",
}


def steps_panel(sites: Sequence[SiteFacts], name: str, x: Scale, top: float) -> Panel | None:
    """A chain with each step's line in the colour of its word, and its sign."""
    found = [one.information(name) for one in sites]
    if not any(one is not None and one.share is not None for one in found):
        return None
    bottom = top + 170
    values = [v for one in found if one is not None for v in _near(one)]
    y = spanning(values, bottom, top, margin=0.12)
    lines, marks = [], []
    legend: dict[str, str] = {}
    for index, one in enumerate(found):
        if one is None or one.share is None:
            continue
        if one.share_null is not None and y.holds(one.share_null[1]):
            marks.append(band(x, index, y, *one.share_null))
            legend["null-band"] = "null: samples permuted, 95 %"
        marks.append(bar(x, index, y, one.share_interval))
        marks.append(tag("circle", class_="pt", cx=x(index + 0.5), cy=y(one.share),
                         r=mark_size(x)))  # fmt: skip
        before = found[index - 1] if index else None
        if before is not None and before.share is not None and one.step is not None:
            lines.append(_step(one, before.share, x, y, index))
            legend[STEP_CLASSES[one.step.word]] = _STEP_WORDS[one.step.word]
    order = {key: place for place, key in enumerate(STEP_CLASSES.values())}
    told = sorted(legend.items(), key=lambda item: order.get(item[0], len(order)))
    return Panel(
        f"{CHAINS[name].symbol} of its ceiling", top, bottom, y, tuple(y.ticks(5)), tick_text,
        join([*lines, *marks]), tuple(told),
    )  # fmt: skip


def _near(one: Information) -> list[float]:
    """What a panel of steps must hold: the figures, so that small steps can be seen."""
    return [value for value in (one.share, *(one.share_interval or ())) if value is not None]


def _step(one: Information, before: float, x: Scale, y: Scale, index: int) -> Markup:
    """The line of a step to a site, and its sign in the middle."""
    step, value = one.step, one.share
    if step is None or value is None:
        return Markup("")
    start, stop = (x(index - 0.5), y(before)), (x(index + 0.5), y(value))
    path = f"M{point(start[0])} {point(start[1])}L{point(stop[0])} {point(stop[1])}"
    kind = STEP_CLASSES[step.word]
    line = tag("path", tooltip([f"{step.word} {step.reason}".strip()]), d=path,
               class_=f"step {kind}")  # fmt: skip
    return join([line, sign(step.word, (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)])


def sign(word: str, across: float, down: float) -> Markup:
    """The sign of a word: a triangle down or up, or a question mark."""
    if word == UNTOLD:
        return tag("text", "?", class_="sign untold", x=across, y=down - 4)
    way = 1 if word == FALLS else -1
    base = down - 9 - 3.2 * way
    path = f"M{point(across - 4)} {point(base)}h8l-4 {point(6.4 * way)}z"
    return tag("path", d=path, class_=f"sign {STEP_CLASSES[word]}")
