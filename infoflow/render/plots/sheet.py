"""What all plots share: colours, sizes, the caption, the axis of layers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from infoflow.render.text import base_name, printable, shortened
from infoflow.report import Report, Severity

# Okabe and Ito's palette: one colour for one thing in every plot.
TRAINED = "#0072B2"
TRAINED_LIGHT = "#BFDBEC"
TWIN = "#777777"
TWIN_LIGHT = "#DDDDDD"
FLAGGED = "#D55E00"
SURROGATE = "#009E73"

NARROW = 89.0
WIDE = 183.0
"""Widths of one and of two columns of a journal's page, in millimetres."""

POINT = 72 / 25.4
"""Points a millimetre."""
TEXT_SIZE = 8.0
LINE = 1.35 * TEXT_SIZE
"""Height of a line of the caption, in points."""
LABEL_LENGTH = 22
"""Characters of a layer's name on an axis; the middle of longer ones is left out."""


class NothingToDraw(Exception):  # noqa: N818 – no error: a report may lack what a plot needs
    """The report does not hold what the plot shows; the text says what is missing."""


def page(width: float, height: float, caption: str) -> tuple[Figure, float]:
    """An empty figure with its caption, and the height of the caption's strip in millimetres.

    Args:
        width: In millimetres, ``NARROW`` or ``WIDE``.
        height: In millimetres, without the caption.
        caption: One paragraph; it is broken into lines here.
    """
    lines = wrapped(drawable(caption), (width - 4) * POINT)
    below = (len(lines) * LINE + 6) / POINT
    figure = Figure(figsize=(width / 25.4, (height + below) / 25.4))
    figure.text(
        2 / width, 1 / (height + below), "\n".join(lines),
        va="bottom", linespacing=1.15, in_layout=False, gid="caption",
    )  # fmt: skip
    return figure, below


def sheet(width: float, height: float, caption: str) -> Figure:
    """An empty figure whose axes fill the space above the caption (arguments as for ``page``)."""
    figure, below = page(width, height, caption)
    low = below / (height + below)
    figure.set_layout_engine("constrained", rect=(0, low, 1, 1 - low))
    return figure


def sentences(parts: Iterable[str]) -> str:
    """The parts that say something, as sentences of one paragraph."""
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def file_name(report: Report) -> str:
    """The name of the analysed file and what it was recognised as, to begin a caption."""
    name = shortened(printable(base_name(report)), 60)
    return f"{name} ({printable(report.architecture)})" if report.architecture else name


def spanned(numbers: Sequence[float]) -> str:
    """``48 to 4,096``, or one number where all are the same."""
    low, high = min(numbers), max(numbers)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def label(name: str, length: int = LABEL_LENGTH) -> str:
    """A layer's name as it stands on an axis or above a panel."""
    return shortened(drawable(name), length) if name.strip() else "(no name)"


def fitted(name: str, width: float) -> str:
    """A layer's name, the middle left out until it is at most ``width`` points wide."""
    lengths = range(60, 3, -1)
    return next((s for n in lengths if text_width(s := label(name, n)) <= width), label(name, 3))


def drawable(text: str) -> str:
    """The text with what the font has no picture of spelt out, so that no box stands for it."""
    known = _characters()
    shown = printable(text)
    return "".join(c if ord(c) in known else ascii(c)[1:-1] for c in shown)


@cache
def _characters() -> Collection[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def text_width(text: str) -> float:
    """Width of a line of the caption's text, in points."""
    width, _, _ = _renderer().get_text_width_height_descent(
        text, FontProperties(family="DejaVu Sans", size=TEXT_SIZE), ismath=False
    )
    return float(width)


@cache
def _renderer() -> Any:
    make: Any = RendererAgg  # its annotations are not complete
    return make(1, 1, 72)


def wrapped(text: str, width: float) -> list[str]:
    """The text in lines of at most ``width`` points; a word that is longer is broken."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        while text_width(rest) > width:
            cut = next(
                n for n in range(len(rest), 0, -1) if text_width(rest[:n]) <= width or n == 1
            )
            lines += [line] if line else []
            lines.append(rest[:cut])
            line, rest = "", rest[cut:]
        longer = f"{line} {rest}" if line else rest
        if text_width(longer) <= width:
            line = longer
        else:
            lines.append(line)
            line = rest
    return [*lines, line] if line else lines


def flagged(report: Report) -> frozenset[str]:
    """Layers with a finding that is more than a note."""
    serious = (Severity.SERIOUS, Severity.WARNING)
    return frozenset(
        name
        for finding in report.findings
        if finding.severity in serious
        for name in finding.layers
    )


def mark_flagged(axes: Axes, names: Sequence[str], chosen: Collection[str]) -> None:
    """A small triangle above each layer that has a finding."""
    places = [index for index, name in enumerate(names) if name in chosen]
    if places:
        axes.plot(
            places,
            [1.02] * len(places),
            linestyle="none",
            marker="v",
            color=FLAGGED,
            markersize=3,
            markeredgewidth=0,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            label="has a finding",
        )


def hatch_layers(axes: Axes, places: Sequence[int], why: str) -> None:
    """Hatched columns where a layer's value is −∞ and no point can stand."""
    for number, place in enumerate(places):
        axes.axvspan(
            place - 0.4,
            place + 0.4,
            facecolor="none",
            edgecolor=FLAGGED,
            hatch="//////",
            linewidth=0,
            zorder=0.5,
            label=why if number == 0 else "",
        )


def name_layers(
    figure: Figure,
    all_axes: Sequence[Axes],
    names: Sequence[str],
    words: str = "layer, from input to output",
) -> None:
    """Name the layers along the x axes: upright where there is room, else turned, else thinned.

    Call it last: it lays the figure out to learn how wide the axes are.

    Args:
        figure: Whose axes they are.
        all_axes: Each gets the same names.
        names: From left to right.
        words: Of the axis.
    """
    count = len(names)
    # A lone box would fill the panel: three places at least.
    missing = max(3 - count, 0) / 2
    for axes in all_axes:
        axes.set_xlim(-0.6 - missing, count - 0.4 + missing)
        axes.set_xticks([])
        axes.grid(False, axis="x")
    figure.draw_without_rendering()
    width = min(axes.get_window_extent().width for axes in all_axes) * 72 / figure.dpi
    room = width / (count + 0.2 + 2 * missing)
    shown = [label(name) for name in names]
    upright = max(map(text_width, shown), default=0) + 5 <= room
    step = 1 if upright else max(-(-1.25 * TEXT_SIZE // room), 1)
    places = range(0, count, int(step))
    for axes in all_axes:
        axes.set_xticks(list(places), [shown[place] for place in places])
        axes.set_xticks(range(count) if room > 3 else [], minor=True)
        if not upright:
            axes.tick_params(axis="x", labelrotation=90)
        axes.set_xlabel(words + (f" (1 in {int(step)} named)" if step > 1 else ""))
