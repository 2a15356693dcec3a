"""The marks of the depth profile: what a layer is drawn as."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from infoflow.render.html.svg import Scale, join, point, tag


def mark_size(x: Scale) -> float:
    """Of a mark, half its width, fitting the columns."""
    return min(3.6, max(1.4, 0.3 * x(1)))


def hatched(x: Scale, index: int, top: float, bottom: float) -> Markup:
    """A whole column hatched: nothing finite is there."""
    left, width = x(index + 0.12), x(0.76)
    area = tag("rect", class_="gone", x=left, y=top, width=width, height=bottom - top)
    if x(1) < 11:
        return area
    middle = (top + bottom) / 2
    words = tag("text", "−∞", class_="gone-text", x=left + width / 2, y=middle + 4)
    return join([area, words])


def drop(x: Scale, index: int, bottom: float) -> Markup:
    """An open triangle that points down through the floor: part of the layer lies at −∞."""
    half = mark_size(x) + 0.6
    path = f"M{point(x(index + 0.5) - half)} {point(bottom - 1.6 * half)}h{point(2 * half)}"
    return tag("path", d=f"{path}l{point(-half)} {point(1.6 * half)}z", class_="drop")


def diamond(across: float, down: float, size: float) -> Markup:
    """The mark of a dense layer."""
    side = size + 1.6
    path = f"M{point(across)} {point(down - side)}l{point(side)} {point(side)}"
    rest = f"l{point(-side)} {point(side)}l{point(-side)} {point(-side)}z"
    return tag("path", d=path + rest, class_="diamond")


def triangle(across: float, down: float, size: float) -> Markup:
    """The mark of a lower bound: it points down, open."""
    path = f"M{point(across - size)} {point(down - size)}h{point(2 * size)}"
    return tag("path", d=f"{path}l{point(-size)} {point(1.8 * size)}z", class_="bound")


def dash(x: Scale, index: int, down: float) -> Markup:
    """The mark of the random twin: a bar across the column."""
    path = f"M{point(x(index + 0.1))} {point(down)}h{point(x(0.8))}"
    return tag("path", d=path, class_="twin-line")


def run(places: Sequence[tuple[float, float] | None], mark: str, size: float) -> list[Markup]:
    """A line through the points, broken where there is none, and a mark on each."""
    path, pen = [], "M"
    for place in places:
        if place is None:
            pen = "M"
            continue
        path.append(f"{pen}{point(place[0])} {point(place[1])}")
        pen = "L"
    drawn = [tag("path", d="".join(path), class_=f"run {mark}-run")] if path else []
    for place in places:
        if place is None:
            continue
        if mark in {"pt", "ring"}:
            drawn.append(tag("circle", class_=mark, cx=place[0], cy=place[1], r=size))
        else:
            side = 1.7 * size
            drawn.append(tag("rect", class_=mark, x=place[0] - side / 2, y=place[1] - side / 2,
                             width=side, height=side))  # fmt: skip
    return drawn
