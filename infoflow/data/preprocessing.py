"""From pictures to a network's input: size, channels, mean and deviation, and that in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from infoflow.errors import DataError
from infoflow.words import shape_text

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey picture (ITU-R BT.601)."""

_CHANNELS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become a network's input; ``prepared`` does it, ``sentence`` says it.

    Args:
        size: Height and width that the network takes, None to leave them.
        channels: 1 or 3, None to leave them.
        mean: Of each channel, in units of 0..1; one number stands for all channels.
        std: Likewise.
        resize: Shorter edge before the middle is cut out, None for the size itself.
        order: Of the channels.
        source: Where these figures come from, in words.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: int | None = None
    order: Literal["rgb", "bgr"] = "rgb"
    source: str = "nothing is known of the network's own normalisation"

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise DataError(
                f"pictures have 1 or 3 channels, and the network takes {self.channels}: give its "
                "data as arrays of floats (npz:PATH) or from a function of yours."
            )
        lengths = {1, self.channels} if self.channels else {1, 3}
        for what, numbers in (("mean", self.mean), ("standard deviation", self.std)):
            if len(numbers) not in lengths:
                raise DataError(
                    f"the {what} has {len(numbers)} numbers ({_numbers(numbers)}): give one, or "
                    f"one for each of {self.channels or 3} channels."
                )
        if not all(np.isfinite([*self.mean, *self.std])) or min(map(abs, self.std)) == 0:
            raise DataError(
                f"a mean of {_numbers(self.mean)} and a standard deviation of "
                f"{_numbers(self.std)}: finite numbers are needed, and no deviation of 0."
            )

    def prepared(self, images: np.ndarray[Any, Any]) -> Tensor:
        """(n, h, w) or (n, h, w, 3) uint8 to (n, channels, height, width) float32."""
        pixels = torch.from_numpy(np.array(images)).to(torch.float32) / 255
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
        pixels = self._resized(_with_channels(pixels, self.channels))
        if self.order == "bgr":
            pixels = pixels.flip(1)
        mean = torch.tensor(self.mean).reshape(1, -1, 1, 1)
        std = torch.tensor(self.std).reshape(1, -1, 1, 1)
        return ((pixels - mean) / std).contiguous()

    def _resized(self, pixels: Tensor) -> Tensor:
        edge, size = self.edges(pixels.shape[-2:])
        if edge != tuple(pixels.shape[-2:]):
            pixels = interpolate(pixels, edge, mode="bilinear", antialias=True)
        return _middle(pixels, size)

    def masks(self, masks: np.ndarray[Any, Any]) -> Tensor:
        """(n, h, w) label masks at the network's size, by the nearest pixel, int64."""
        labels = torch.from_numpy(masks.astype(np.float64))[:, None]
        edge, size = self.edges(labels.shape[-2:])
        if edge != tuple(labels.shape[-2:]):
            labels = interpolate(labels, edge, mode="nearest-exact")
        return _middle(labels, size)[:, 0].to(torch.int64)

    def edges(self, size: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size after resizing a picture of this size, and after cutting the middle out of it."""
        height, width = size
        if self.size is None:
            return (height, width), (height, width)
        # As little as covers the size asked for, keeping the proportions.
        share = max(self.size[0] / height, self.size[1] / width)
        if self.resize is not None:
            share = max(share, self.resize / min(height, width))
        edge = max(round(height * share), self.size[0]), max(round(width * share), self.size[1])
        return edge, self.size

    def sentence(self, size: Sequence[int] | None, channels: int) -> str:
        """What is done to pictures of this size (None where they differ) and channels, in words."""
        steps = []
        if self.channels is not None and self.channels != channels:
            how = "repeated to RGB" if channels == 1 else "to grey"
            steps.append(f"{_CHANNELS[channels]} {how}")
        if self.size is not None and (size is None or tuple(size) != self.size):
            steps.append(self._resizing(size))
        if self.order == "bgr":
            steps.append("channels in the order BGR")
        if any(self.mean) or self.std != (1.0,):
            steps.append(
                f"pixels in 0..1 minus ({_numbers(self.mean)}) over ({_numbers(self.std)})"
            )
        else:
            steps.append("pixels in 0..1")
        return f"Pictures: {', '.join(steps)} ({self.source})."

    def _resizing(self, size: Sequence[int] | None) -> str:
        assert self.size is not None
        was = f"from {shape_text(tuple(size))} " if size is not None else ""
        edge = self.edges(size)[0] if size is not None else None
        if edge == self.size:
            return f"resized {was}to {shape_text(self.size)}"
        shorter = self.resize or min(edge or self.size)
        return f"resized {was}to a shorter edge of {shorter}, its middle {shape_text(self.size)}"

    def changed(
        self,
        *,
        size: tuple[int, int] | None = None,
        channels: int | None = None,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
        order: Literal["rgb", "bgr"] | None = None,
        said_by: str = "as given",
    ) -> Preprocessing:
        """The same with what somebody said instead; ``said_by`` is who, for the sentence."""
        said = {"size": size, "channels": channels, "mean": mean, "std": std, "order": order}
        given = {name: value for name, value in said.items() if value is not None}
        if not given:
            return self
        told = f"{', '.join(given)} {said_by}"
        rest = f"; the rest: {self.source}" if {"mean", "std"} - given.keys() else ""
        resize = None if size is not None else self.resize
        changes: dict[str, Any] = {**given, "resize": resize, "source": f"{told}{rest}"}
        return replace(self, **changes)


def _with_channels(pixels: Tensor, channels: int | None) -> Tensor:
    count = pixels.shape[1]
    if channels is None or channels == count:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1)
    return torch.einsum("nchw,c->nhw", pixels, torch.tensor(GREY))[:, None]


def _middle(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    top, left = ((have - want) // 2 for have, want in zip(pixels.shape[-2:], size, strict=True))
    return pixels[..., top : top + size[0], left : left + size[1]]


def _numbers(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
