"""The samples that the outputs are least sure of, with their pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from infoflow.data import Data
from infoflow.measures.outputs.stream import Outputs
from infoflow.png import photograph
from infoflow.report import Sample

SHOWN = 12
"""Samples that a report holds."""
SIDE = 96
"""Pixels of a picture's longer side, at most."""


def least_sure(
    found: Outputs, data: Data, disagreement: Tensor | None = None
) -> tuple[Sample, ...]:
    """The samples of the greatest predictive entropy, greatest first.

    Args:
        found: What the outputs say of every sample.
        data: The samples themselves.
        disagreement: Of an ensemble's members, (n,) nats; None of one network.

    Raises:
        DataError: A picture cannot be read again.
    """
    numbers = found.most_uncertain(SHOWN)
    pictures = data.pictures(numbers) if data.pictures is not None else [None] * len(numbers)
    names = data.classes or ()
    return tuple(
        Sample(
            number,
            _class(found.labels, number, names),
            _class(found.predictions, number, names),
            float(found.confidence[number]),
            float(found.entropy[number]),
            None if disagreement is None else float(disagreement[number]),
            "" if picture is None else as_png(picture),
        )
        for number, picture in zip(numbers, pictures, strict=True)
        if found.entropy[number].isfinite()
    )


def _class(which: Tensor | None, number: int, names: Sequence[str]) -> str:
    """The name of a sample's class, its number where it has no name."""
    if which is None or int(which[number]) < 0:
        return ""
    place = int(which[number])
    return names[place] if place < len(names) else str(place)


def as_png(picture: np.ndarray[Any, Any]) -> str:
    """A picture (height, width[, 3]) of uint8 as PNG in base64, larger ones made smaller."""
    step = -(-max(picture.shape[:2]) // SIDE)
    small = _smaller(picture, step) if step > 1 else picture
    channels = 3 if small.ndim == 3 else 1
    return base64.b64encode(photograph([row.tobytes() for row in small], channels)).decode()


def _smaller(picture: np.ndarray[Any, Any], step: int) -> np.ndarray[Any, Any]:
    """Means over squares of ``step`` pixels; what is over at the edges is left out."""
    height, width = (max(side // step, 1) for side in picture.shape[:2])
    kept = picture[: height * step, : width * step]
    squares = kept.reshape(height, kept.shape[0] // height, width, -1, *picture.shape[2:])
    means: np.ndarray[Any, Any] = np.rint(squares.mean(axis=(1, 3))).astype(np.uint8)
    return means
