"""The order of several files: by the number in which their names differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

DIGITS = 15
"""Digits of the longest number that counts as a step."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Files in order.

    Args:
        order: Places of the files as given, in the order to take them.
        steps: The number of each on an axis, in that order.
        numbered: Whether the steps are numbers in the names, and not places.
        labels: What each is called, in that order.
    """

    order: tuple[int, ...]
    steps: tuple[int, ...]
    numbered: bool
    labels: tuple[str, ...]


def in_sequence(names: Sequence[str]) -> Ordered:
    """The order of files, from their names alone.

    Two files are before and after, as given. Three or more whose names differ in one whole number
    are sorted by it, since a shell lists ``step-10`` before ``step-2``; others stay as given.

    >>> in_sequence(["run/step-0.pt", "run/step-10.pt", "run/step-2.pt"]).steps
    (0, 2, 10)
    >>> in_sequence(["before.pt", "after.pt"]).steps
    (0, 1)
    """
    found = numbers(names)
    places = list(range(len(names)))
    if found and len(names) > 2:
        places.sort(key=lambda place: found[place])
    steps = tuple(found[place] for place in places) if found else tuple(range(len(names)))
    known = labels([names[place] for place in places])
    return Ordered(tuple(places), steps, bool(found), known)


def numbers(names: Sequence[str]) -> tuple[int, ...]:
    """The whole number in which the names differ, of each; none where they differ otherwise.

    >>> numbers(["epoch=3/step=30.ckpt", "epoch=3/step=45.ckpt"])
    (30, 45)
    >>> numbers(["resnet20-a.pt", "resnet20-b.pt"]), numbers(["a-1-1.pt", "a-2-2.pt"])
    ((), ())
    """
    split = [re.split(r"([0-9]+)", name) for name in names]
    if len({len(parts) for parts in split}) != 1 or len(names) < 2:
        return ()
    differing = [
        place for place, parts in enumerate(zip(*split, strict=True)) if len(set(parts)) > 1
    ]
    if len(differing) != 1 or differing[0] % 2 == 0:
        return ()
    words = [parts[differing[0]] for parts in split]
    if max(map(len, words)) > DIGITS:
        return ()
    found = tuple(map(int, words))
    return found if len(set(found)) == len(found) else ()


def labels(names: Sequence[str]) -> tuple[str, ...]:
    """The last part of each path where these differ, else as many more as tell them apart.

    >>> labels(["runs/a/model.pt", "runs/b/model.pt"]), labels(["x/a.pt", "y/b.pt"])
    (('a/model.pt', 'b/model.pt'), ('a.pt', 'b.pt'))
    """
    split = [PurePath(name).parts or (name,) for name in names]
    for count in range(1, max(map(len, split)) + 1):
        short = tuple(str(PurePath(*parts[-count:])) for parts in split)
        if len(set(short)) == len({*names}):
            return short
    return tuple(names)
