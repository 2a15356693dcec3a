"""``folder:PATH``: pictures in a folder for each class, beside masks, or without labels.

Known are ``CLASS/picture``, below a folder of the split's name where there is one; ``images/`` and
``masks/`` with files of the same names; and pictures alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from infoflow.architectures.factories import package
from infoflow.data.arrays import PICTURES, enough, of_all
from infoflow.data.batch import Batch, of_one_input
from infoflow.data.data import Data, Task, fewer
from infoflow.data.labels import Array, as_targets, one_class
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError, first_line
from infoflow.nearest import nearest
from infoflow.words import counted, cut, listed, shape_text

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff"}
)
SPLITS = {"test": ("test", "val", "valid", "validation"), "train": ("train",)}
"""Names of the folder in which a split may lie."""

Mode = Literal["RGB", "L", "mask"]


@dataclass(frozen=True)
class Sample:
    """A picture, and its label or its mask's file."""

    picture: Path
    label: int | Path | None = None


def open_folder(
    name: str,
    path: Path,
    *,
    split: str = "test",
    samples: int | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """The pictures of a folder. Each is decoded once beforehand; unreadable ones are left out.

    Raises:
        DataError: There is no such folder, no picture in it, or pictures differ in size where the
            network's size is not known.
    """
    found, classes = samples_of(path, split)
    plan = preprocessing or Preprocessing()
    good, bad, sizes = _readable(found, samples, seed)
    if not good:
        names = listed([str(path) for path in bad], 3)
        raise DataError(f"{name}: none of its {len(bad)} pictures can be read: {names}.")
    enough(name, len(good))
    masks = any(isinstance(sample.label, Path) for sample in good)
    if plan.size is None and len(sizes) > 1:
        some = [shape_text(size) for size in sorted(sizes)]
        raise DataError(
            f"{name}: its pictures have different sizes ({cut(some, 3)}), and the network's is not "
            "known: say it with --input-size."
        )
    mode: Mode = "L" if plan.channels == 1 else "RGB"

    def pictures(which: Sequence[int]) -> list[Array]:
        return [decoded(good[i].picture, mode) for i in which]

    def read(start: int, stop: int) -> Batch:
        images = [plan.prepared(one[None]) for one in pictures(range(start, stop))]
        targets = None
        if masks:
            drawn = [decoded(_file(sample.label), "mask") for sample in good[start:stop]]
            targets = torch.cat([plan.masks(as_targets(mask[None])) for mask in drawn])
        elif classes is not None:
            targets = torch.tensor([sample.label for sample in good[start:stop]])
        return of_one_input(torch.cat(images), targets)

    labels = None if masks or classes is None else np.array([sample.label for sample in good])
    task: Task = "segmentation" if masks else "none" if classes is None else "classification"
    return Data(
        name=name,
        description=f"Pictures of {path}: {of_all(len(good), len(found) - len(bad), seed)}.",
        samples=len(good),
        classes=classes,
        task=task,
        x_name=PICTURES,
        read=read,
        preprocessing=plan.sentence(next(iter(sizes)) if len(sizes) == 1 else None, 3),
        pictures=pictures,
        notes=(
            *_skipped(bad),
            *fewer(len(found) - len(bad), samples),
            *one_class(labels, "classification", classes),
        ),
    )


def samples_of(path: Path, split: str) -> tuple[list[Sample], tuple[str, ...] | None]:
    """Every picture in the order of its name, and the classes, None where there are none.

    Raises:
        DataError: The folder is missing or has no pictures.
    """
    if not path.is_dir():
        raise DataError(f"{path}: there is no such folder of pictures.")
    home = next((path / n for n in SPLITS.get(split, (split,)) if (path / n).is_dir()), path)
    try:
        if (home / "masks").is_dir() and (home / "images").is_dir():
            return _masked(home), None
        folders = sorted(one for one in home.iterdir() if one.is_dir() and _has_pictures(one))
        classes = tuple(folder.name for folder in folders)
        splits = {one for names in SPLITS.values() for one in names}
        if home == path and classes and splits.issuperset(classes):
            raise DataError(
                f"{path} has no folder of the split {split!r}; {nearest(split, classes)}."
            )
        found = [
            Sample(picture, label)
            for label, folder in enumerate(folders)
            for picture in _pictures(folder, deep=True)
        ] or [Sample(picture) for picture in _pictures(home, deep=False)]
    except OSError as error:
        raise DataError(f"{home} cannot be listed: {first_line(error)}") from error
    if not found:
        raise DataError(
            f"{home} has no pictures ({', '.join(sorted(ENDINGS))}): there should be a folder for "
            "each class with its pictures, or pictures alone."
        )
    return found, classes or None


def _masked(home: Path) -> list[Sample]:
    drawn, inside = home / "masks", home / "images"
    masks = {path.relative_to(drawn).with_suffix(""): path for path in _pictures(drawn, deep=True)}
    found = _pictures(inside, deep=True)
    pictures = {path: path.relative_to(inside).with_suffix("") for path in found}
    lonely = [path.name for path, place in pictures.items() if place not in masks]
    if lonely or not pictures:
        raise DataError(
            f"{home}: {counted(len(lonely), 'picture')} without a mask ({cut(lonely, 3)})."
            if lonely
            else f"{inside} has no pictures."
        )
    return [Sample(path, masks[place]) for path, place in pictures.items()]


def _pictures(folder: Path, *, deep: bool) -> list[Path]:
    paths = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in paths if path.suffix.lower() in ENDINGS and path.is_file())


def _has_pictures(folder: Path) -> bool:
    return any(path.suffix.lower() in ENDINGS for path in folder.rglob("*"))


def _readable(
    found: list[Sample], samples: int | None, seed: int
) -> tuple[list[Sample], list[Path], set[tuple[int, ...]]]:
    """As many readable samples as are wanted, those that are not readable, and the sizes seen."""
    few = samples is not None and samples < len(found)
    order = np.random.default_rng(seed).permutation(len(found)) if few else np.arange(len(found))
    good: list[Sample] = []
    bad: list[Path] = []
    sizes: set[tuple[int, ...]] = set()
    for i in order:
        if samples is not None and len(good) == samples:
            break
        sample = found[i]
        try:
            size = decoded(sample.picture, "RGB").shape[:2]
            if isinstance(sample.label, Path) and decoded(sample.label, "mask").shape != size:
                raise DataError(f"{sample.label} is not as large as its picture.")
        except DataError:
            bad.append(sample.picture)
            continue
        good.append(sample)
        sizes.add(size)
    return good, bad, sizes


def decoded(path: Path, mode: Mode) -> Array:
    """A picture as uint8, (h, w, 3) or (h, w); of a mask the numbers as stored.

    Raises:
        DataError: It cannot be read.
    """
    Image = package("PIL.Image", "pillow", f"the picture {path}", "give arrays (npz:PATH)")

    try:
        with warnings.catch_warnings():
            # A picture of 90 million pixels and more is a warning of Pillow's: here it is a fault.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _pixels(image, mode)
    except (OSError, ValueError, SyntaxError, EOFError, Warning) as error:
        raise DataError(f"{path} cannot be read as a picture: {first_line(error)}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} is too large a picture: {first_line(error)}") from error


def _pixels(image: Any, mode: Mode) -> Array:
    if mode == "mask":
        return np.asarray(image if image.mode in ("P", "L", "1") else image.convert("L"), np.uint8)
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 257).convert("L")
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are numbers of the mode {image.mode}, not bytes")
    return np.asarray(image.convert(mode))


def _file(label: int | Path | None) -> Path:
    assert isinstance(label, Path)
    return label


def _skipped(bad: list[Path]) -> tuple[str, ...]:
    if not bad:
        return ()
    names = listed([str(path) for path in bad], 5)
    return (
        f"{counted(len(bad), 'file')} cannot be read and {'is' if len(bad) == 1 else 'are'} "
        f"left out: {names}.",
    )
