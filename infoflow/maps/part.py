"""A linear map in a stored weight: which rows, in which orientation, under which name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infoflow.maps.weight import Tensors, Weight

Array = Any


@dataclass(frozen=True)
class Part:
    """A linear map in a weight.

    Args:
        name: Of the layer.
        kind: One of `infoflow.layers.KINDS`.
        shape: (out, in, *kernel), as `infoflow.layers.Layer.weight` has it.
        take: From the weight as read to the map's part of it; a view where possible.
        note: What the reader must know.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    take: Callable[[Array], Array]
    note: str = ""


PartReader = Callable[[Weight, Tensors], "tuple[Part, ...] | str | None"]
"""The maps in a weight; why there are none; or None: not of this kind."""


def whole(array: Array) -> Array:
    """The weight itself."""
    return array


def stem(name: str) -> str:
    """The module's name: ``fc`` of ``fc.weight``, ``in_proj`` of ``in_proj_weight``."""
    return name.removesuffix(".weight").removesuffix("_weight")


def row_blocks(
    name: str, shape: tuple[int, ...], blocks: dict[str, int], note: str = ""
) -> tuple[Part, ...]:
    """Dense maps one below the other: ``blocks`` gives the rows of each, from the top."""
    found, start = [], 0
    for word, rows in blocks.items():
        found.append(
            Part(f"{name}.{word}", "dense", (rows, *shape[1:]), _rows(start, start + rows), note)
        )
        start += rows
    return tuple(found)


def _rows(start: int, stop: int) -> Callable[[Array], Array]:
    return lambda array: array[start:stop]
