"""Colours of the report: the light and the dark set, maps for magnitudes and for differences.

Categories are Okabe and Ito's, darkened or lightened where they carry text; nothing is told by
colour alone, and red never stands against green.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "page": "#faf9f6",
    "card": "#ffffff",
    "shade": "#f1efe9",
    "line": "#e2dfd6",
    "ink": "#1a1c22",
    "soft": "#565a64",
    "link": "#005f99",
    "trained": "#0072b2",
    "twin": "#a9a598",
    "dense": "#00795a",
    "effective": "#a8650a",
    "alarm": "#d55e00",
    "serious": "#a83f00",
    "warning": "#7d5700",
    "note": "#005f99",
}
DARK: Mapping[str, str] = {
    "page": "#131419",
    "card": "#1b1d24",
    "shade": "#242730",
    "line": "#333742",
    "ink": "#eceae4",
    "soft": "#a9acb6",
    "link": "#7cc4f2",
    "trained": "#56b4e9",
    "twin": "#7b7f8b",
    "dense": "#35c79b",
    "effective": "#e69f00",
    "alarm": "#f0843a",
    "serious": "#ff9d5c",
    "warning": "#f0c04a",
    "note": "#7cc4f2",
}

# Seventeen evenly spaced colours of matplotlib's maps of these names.
CIVIDIS = [
    "00224e",
    "002e6a",
    "1a386f",
    "32436d",
    "434e6c",
    "535a6d",
    "61656f",
    "6f7073",
    "7d7c78",
    "8c8878",
    "9b9476",
    "aba072",
    "bcae6c",
    "cdbb63",
    "dec958",
    "f0d846",
    "fee838",
]
VIRIDIS = [
    "440154",
    "48186a",
    "472d7b",
    "424086",
    "3b528b",
    "33638d",
    "2c728e",
    "26828e",
    "21918c",
    "1fa088",
    "28ae80",
    "3fbc73",
    "5ec962",
    "84d44b",
    "addc30",
    "d8e219",
    "fde725",
]

# Eleven evenly spaced colours of matplotlib's RdBu, reversed: below zero blue, above it red.
DIVERGING = [
    "053061",
    "2065ab",
    "4393c3",
    "90c4dd",
    "d1e5f0",
    "f7f6f6",
    "fddbc7",
    "f3a481",
    "d6604d",
    "b1182b",
    "67001f",
]

MISSING = (213, 94, 0)
"""Of a cell that is −∞: Okabe and Ito's vermillion, on neither map."""


def ramp(stops: list[str], levels: int) -> list[tuple[int, int, int]]:
    """So many colours from the first stop to the last, interpolated in between."""
    points = [tuple(int(stop[i : i + 2], 16) for i in (0, 2, 4)) for stop in stops]
    colours = []
    for level in range(levels):
        place = level / max(levels - 1, 1) * (len(points) - 1)
        index = min(int(place), len(points) - 2)
        share = place - index
        red, green, blue = (
            round(a + share * (b - a))
            for a, b in zip(points[index], points[index + 1], strict=True)
        )
        colours.append((red, green, blue))
    return colours


def gradient(stops: list[str]) -> str:
    """A map as a CSS gradient from left to right."""
    return f"linear-gradient(90deg,{','.join('#' + stop for stop in stops[::2])})"
