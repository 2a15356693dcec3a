"""``shapes``: drawn pictures of ten shapes, with labels and masks, which need no file.

Each picture holds one shape of random place, size, angle and colour on a background of another
colour with noise. Picture i is the same in every run and at every resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from infoflow.data.arrays import PICTURES, enough, of_all
from infoflow.data.batch import Batch, of_one_input
from infoflow.data.data import Data, chosen, fewer
from infoflow.data.labels import Array
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError

AVAILABLE = 10_000
"""Pictures of each split."""

SIDE = 32
"""Of a picture, where the network does not say how large it wants them."""

FINER = 2
"""Sub-pixels a pixel and direction, for smooth edges."""

SPLITS = ("train", "test")

Inside = Callable[[Array, Array], Array]


def _polar(u: Array, v: Array) -> tuple[Array, Array]:
    return np.hypot(u, v), np.arctan2(v, u)


def _star(u: Array, v: Array) -> Array:
    radius, angle = _polar(u, v)
    inside: Array = radius < 0.62 + 0.38 * np.cos(5 * angle)
    return inside


SHAPES: Mapping[str, Inside] = {
    "disc": lambda u, v: np.hypot(u, v) < 0.9,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.75) < 0.22,
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) < 0.75,
    "frame": lambda u, v: np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.63) < 0.18,
    "triangle": lambda u, v: (v > -0.55) & (np.abs(u) * 1.6 + v < 0.9),
    "cross": lambda u, v: (
        (np.minimum(np.abs(u), np.abs(v)) < 0.25) & (np.maximum(np.abs(u), np.abs(v)) < 0.95)
    ),
    "bar": lambda u, v: (np.abs(u) < 1.0) & (np.abs(v) < 0.28),
    "star": _star,
    "half disc": lambda u, v: (np.hypot(u, v + 0.35) < 0.95) & (v > -0.35),
    "crescent": lambda u, v: (np.hypot(u, v) < 0.9) & (np.hypot(u - 0.45, v) > 0.7),
}
"""Whether a point (u, v) lies inside a shape of radius about 1 around 0."""


def open_shapes(
    name: str,
    *,
    split: str = "test",
    samples: int | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """``shapes`` (the label is the shape) or ``shapes:masks`` (a label a pixel, 0: background).

    Pictures are drawn at the size that the network takes.

    Raises:
        DataError: The name or the split is none of these.
    """
    kind = name.partition(":")[2]
    if kind not in ("", "labels", "masks"):
        raise DataError(f"{name!r}: write shapes, or shapes:masks for a label a pixel.")
    if split not in SPLITS:
        raise DataError(f"shapes has the splits 'train' and 'test', not {split!r}.")
    enough(name, AVAILABLE if samples is None else min(samples, AVAILABLE))
    order = chosen(AVAILABLE, samples, seed)
    plan = preprocessing or Preprocessing()
    height, width = plan.size or (SIDE, SIDE)
    numbers = [int(i) + AVAILABLE * SPLITS.index(split) for i in order]
    masks = kind == "masks"

    def read(start: int, stop: int) -> Batch:
        drawn = [picture(number, height, width) for number in numbers[start:stop]]
        images = np.stack([image for image, _, _ in drawn])
        labels = [mask if masks else np.int64(label) for _, mask, label in drawn]
        targets = torch.from_numpy(np.stack(labels).astype(np.int64))
        return of_one_input(plan.prepared(images), targets)

    return Data(
        name=name,
        description=f"Drawn shapes, {split}: {of_all(len(order), AVAILABLE, seed)}.",
        samples=len(order),
        classes=("background", *SHAPES) if masks else tuple(SHAPES),
        task="segmentation" if masks else "classification",
        x_name=PICTURES,
        read=read,
        preprocessing=plan.sentence((height, width), 3),
        pictures=lambda which: [picture(numbers[i], height, width)[0] for i in which],
        notes=fewer(AVAILABLE, samples),
    )


def picture(number: int, height: int, width: int) -> tuple[Array, Array, int]:
    """One picture (h, w, 3) as uint8, its mask (h, w) of 0 and 1 + label, and its label."""
    random = np.random.default_rng([20, number])
    label = int(random.integers(len(SHAPES)))
    radius = random.uniform(0.45, 0.75)  # of half the shorter side
    centre = random.uniform(-1, 1, 2) * (0.95 - radius)
    angle = random.uniform(0, 2 * np.pi)
    ground = random.uniform(0, 255, 3)
    colour = (ground + random.choice((-1, 1), 3) * random.uniform(70, 128, 3)) % 256
    noise = np.random.default_rng([21, number]).normal(0, 10, (height, width, 3))
    inside = _drawn(tuple(SHAPES.values())[label], height, width, radius, centre, angle)
    share = inside.reshape(height, FINER, width, FINER).mean(axis=(1, 3))
    pixels = ground + share[..., None] * (colour - ground) + noise
    mask = np.where(share >= 0.5, label + 1, 0).astype(np.uint8)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8), mask, label


def _drawn(
    inside: Inside, height: int, width: int, radius: float, centre: Any, angle: float
) -> Array:
    half = min(height, width) / 2
    rows = ((np.arange(height * FINER) + 0.5) / FINER - height / 2) / half
    columns = ((np.arange(width * FINER) + 0.5) / FINER - width / 2) / half
    y, x = np.meshgrid(rows - centre[0], columns - centre[1], indexing="ij")
    u = (np.cos(angle) * x + np.sin(angle) * y) / radius
    v = (np.cos(angle) * y - np.sin(angle) * x) / radius
    return inside(u, v)
