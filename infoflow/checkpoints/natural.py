"""Names in the order in which people count."""

from __future__ import annotations

import re


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts the numbers in names as numbers.

    A number of more than 18 digits is compared in pieces, so that no name asks for long
    arithmetic.

    >>> sorted(["layer.10.b", "layer.2.b", "layer.2.a"], key=natural)
    ['layer.2.a', 'layer.2.b', 'layer.10.b']
    """
    parts = re.split(r"([0-9]{1,18})", name)  # text, number, text, …
    return tuple((int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts))
