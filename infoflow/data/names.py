"""Data sets by name: from ``ROOT/NAME/SPLIT.npz``, else through torchvision."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.architectures.factories import package
from infoflow.data.arrays import from_arrays
from infoflow.data.data import Data
from infoflow.data.npz import read_npz
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError, first_line
from infoflow.nearest import nearest

VARIABLE = "INFOFLOW_DATA"

_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_THINGS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


@dataclass(frozen=True)
class NamedSet:
    """A data set that is known by name.

    Args:
        title: For people.
        torchvision: The name of its class there, ``""`` where there is none.
        classes: Their names, None where torchvision gives them.
    """

    title: str
    torchvision: str
    classes: tuple[str, ...] | None


NAMES: Mapping[str, NamedSet] = {
    "mnist": NamedSet("MNIST", "MNIST", _DIGITS),
    "fashion-mnist": NamedSet("Fashion-MNIST", "FashionMNIST", _CLOTHES),
    "kmnist": NamedSet("Kuzushiji-MNIST", "KMNIST", None),
    "cifar10": NamedSet("CIFAR-10", "CIFAR10", _THINGS),
    "cifar10-jpeg": NamedSet("CIFAR-10 as JPEG", "", _THINGS),
    "cifar100": NamedSet("CIFAR-100", "CIFAR100", None),
    "svhn": NamedSet("SVHN", "SVHN", _DIGITS),
}


def open_named(
    name: str,
    *,
    split: str = "test",
    samples: int | None = None,
    seed: int = 0,
    root: Path | None = None,
    download: bool = False,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """A named set: any ``ROOT/NAME/SPLIT.npz``, else torchvision's of that name.

    ROOT is ``root``, or what the variable ``INFOFLOW_DATA`` says, or torchvision's own folder.

    Raises:
        DataError: It is not there, or nothing is known under that name.
        MissingDependencyError: It has to come through torchvision, which is not there.
    """
    folder = root or given_root() or default_root()
    known = NAMES.get(name)
    file = folder / name / f"{split}.npz"
    if file.is_file():
        arrays = read_npz(file)
        missing = {"images", "labels"} - set(arrays)
        if missing:
            raise DataError(f"{file} has no array {min(missing)!r}; {nearest('images', arrays)}.")
        images, labels = arrays["images"], arrays["labels"]
        classes = known.classes if known else None
    elif known is None or not known.torchvision:
        raise DataError(_not_there(name, file, known))
    else:
        images, labels, classes = _torchvision(name, known, folder, split, download)
    return from_arrays(
        name,
        images,
        labels,
        title=f"{known.title if known else name}, {split}",
        classes=classes,
        samples=samples,
        seed=seed,
        preprocessing=preprocessing,
    )


def given_root() -> Path | None:
    """The folder that the variable ``INFOFLOW_DATA`` names."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def default_root() -> Path:
    """Where torchvision itself keeps data sets: below torch's home."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(home).expanduser() / "datasets" / "vision"


def _not_there(name: str, file: Path, known: NamedSet | None) -> str:
    others = sorted(path.stem for path in file.parent.glob("*.npz"))
    if others:
        return f"{file} is not there; {file.parent} has the {nearest(file.stem, others)}."
    if known is not None:
        return f"{name}: there is no {file}; say where it is with --data-root or {VARIABLE}."
    there = Path(name)
    if there.is_dir():
        return f"{name!r} is a folder: write folder:{name}, or hf:{name}."
    if there.suffix == ".npz" and there.is_file():
        return f"{name!r} is a file of arrays: write npz:{name}."
    return (
        f"{name!r} is no data set, and there is no {file}; {nearest(name, [*NAMES, 'shapes'])}. "
        "Others are given as folder:PATH, npz:PATH, hf:PATH or path/file.py:function."
    )


def _torchvision(
    name: str, known: NamedSet, folder: Path, split: str, download: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[str, ...] | None]:
    if split not in ("train", "test"):
        raise DataError(f"{name} has the splits 'train' and 'test', not {split!r}.")
    sets = package(
        "torchvision.datasets",
        "torchvision",
        f"the data set {name} where there is no {folder / name / f'{split}.npz'}",
        "put that file there",
    )
    which = {"split": split} if known.torchvision == "SVHN" else {"train": split == "train"}
    try:
        found = getattr(sets, known.torchvision)(folder, download=download, **which)
    except (RuntimeError, OSError) as error:
        if download:
            raise DataError(
                f"{name} could not be fetched into {folder}: {first_line(error)}"
            ) from error
        raise DataError(
            f"{name} is not in {folder} (neither {name}/{split}.npz nor torchvision's files): say "
            f"where it is with --data-root or {VARIABLE}, or fetch it with --download."
        ) from error
    images = np.asarray(found.data)
    labels = np.asarray(found.labels if hasattr(found, "labels") else found.targets, np.int64)
    if images.ndim == 4 and images.shape[1] == 3:  # SVHN has its channels first
        images = np.moveaxis(images, 1, 3)
    names = known.classes or getattr(found, "classes", None)
    return images, labels, None if names is None else tuple(map(str, names))
