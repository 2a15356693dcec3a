"""Random changes of pictures (and of their masks): the same for a sample in an epoch, always."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from infoflow.data import Batch
from infoflow.data.batch import IGNORED, combined
from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.training.sampling import COLUMNS, FLIP, ROWS, uniform

FORMS = ("flip", "crop=4")


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a picture.

    Args:
        flip: Left and right, one picture in two.
        shift: Pixels by which it may be shifted in each direction.
        black: What a black pixel of each channel has become.
        seed: Of the run.
    """

    flip: bool
    shift: int
    black: tuple[float, ...]
    seed: int

    def __call__(self, batch: Batch, epoch: int, indices: np.ndarray[Any, Any]) -> Batch:
        """The batch of these samples as they are in an epoch."""
        if not (self.flip or self.shift):
            return batch
        draw = partial(uniform, self.seed, epoch, indices)
        mirrored = torch.from_numpy(draw(FLIP) < 0.5) if self.flip else None
        spread = 2 * self.shift + 1
        rows, columns = (
            torch.from_numpy((draw(stream) * spread).astype(np.int64)) for stream in (ROWS, COLUMNS)
        )

        def change(tensors: Sequence[Tensor], role: str) -> Tensor:
            (tensor,) = tensors
            if tensor.ndim < 3:
                return tensor
            picture = tensor if tensor.ndim == 4 else tensor[:, None]
            if mirrored is not None:
                picture = torch.where(mirrored[:, None, None, None], picture.flip(3), picture)
            if self.shift:
                beyond = self.black if role == "input" else (float(IGNORED),)
                picture = shifted(picture, rows, columns, self.shift, beyond)
            return picture if tensor.ndim == 4 else picture[:, 0]

        return combined([batch], change)


def shifted(
    pictures: Tensor, rows: Tensor, columns: Tensor, margin: int, beyond: Sequence[float]
) -> Tensor:
    """Windows of pictures (n, c, h, w) with a margin; each begins at its own row and column.

    Args:
        pictures: To be shifted.
        rows: Of each window's beginning, 0 to 2·margin; ``margin`` leaves the picture in place.
        columns: Likewise.
        margin: Pixels added on each side.
        beyond: What stands there, a number or one for each channel.
    """
    n, _, height, width = pictures.shape
    edge = torch.tensor(beyond, dtype=pictures.dtype)[None, :, None, None]
    wide = pad(pictures - edge, (margin,) * 4) + edge
    row = (rows[:, None] + torch.arange(height))[:, :, None]
    column = (columns[:, None] + torch.arange(width))[:, None, :]
    sample = torch.arange(n)[:, None, None]
    return wide[sample, :, row, column].permute(0, 3, 1, 2).contiguous()


def read_augmentation(words: Sequence[str], black: tuple[float, ...], seed: int) -> Augmentation:
    """The augmentation of ``flip`` and ``crop=N``.

    Raises:
        SelectionError: A word is neither.
    """
    flip, shift = False, 0
    for word in words:
        if word == "flip":
            flip = True
        elif found := re.fullmatch(r"crop=([1-9]\d{0,2})", word):
            shift = int(found[1])
        else:
            raise SelectionError(f"data.augment cannot be {word!r}; {nearest(word, FORMS)}.")
    return Augmentation(flip, shift, black, seed)
