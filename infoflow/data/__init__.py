"""Data for the activations: names, folders, arrays, functions of the user's, drawn shapes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infoflow.data.batch import Batch, of_one_input
from infoflow.data.data import Data, Task
from infoflow.data.folder import open_folder
from infoflow.data.hugging_face import open_hugging_face
from infoflow.data.names import open_named
from infoflow.data.npz import open_npz
from infoflow.data.preprocessing import Preprocessing
from infoflow.data.shapes import open_shapes
from infoflow.data.user_function import is_function, open_function
from infoflow.errors import DataError

__all__ = [
    "DATASETS",
    "Batch",
    "Data",
    "Kind",
    "Preprocessing",
    "Request",
    "Task",
    "of_one_input",
    "open_data",
]


@dataclass(frozen=True)
class Request:
    """What somebody asked for with ``--data`` and the options beside it."""

    spec: str
    split: str = "test"
    samples: int | None = None
    seed: int = 0
    root: Path | None = None
    download: bool = False
    preprocessing: Preprocessing | None = None

    @property
    def path(self) -> Path:
        """What stands after the first colon."""
        return Path(self.spec.partition(":")[2]).expanduser()

    @property
    def choice(self) -> dict[str, Any]:
        """Which samples, and what is done to pictures."""
        return {
            "samples": self.samples,
            "seed": self.seed,
            "preprocessing": self.preprocessing,
        }


@dataclass(frozen=True)
class Kind:
    """One kind of data; ``DATASETS`` lists them all.

    Args:
        form: How it is written.
        summary: One phrase.
        knows: Whether a specification is of this kind.
        open: The data.
    """

    form: str
    summary: str
    knows: Callable[[str], bool]
    open: Callable[[Request], Data]


DATASETS: tuple[Kind, ...] = (
    Kind(
        "shapes, shapes:masks",
        "drawn shapes with labels or masks, which need no file",
        lambda spec: spec.partition(":")[0] == "shapes",
        lambda ask: open_shapes(ask.spec, split=ask.split, **ask.choice),
    ),
    Kind(
        "npz:PATH",
        "arrays images and labels (or masks) of a numpy file",
        lambda spec: spec.startswith("npz:"),
        lambda ask: open_npz(ask.spec, ask.path, **ask.choice),
    ),
    Kind(
        "folder:PATH",
        "pictures: a folder for each class, or images/ beside masks/, or pictures alone",
        lambda spec: spec.startswith("folder:"),
        lambda ask: open_folder(ask.spec, ask.path, split=ask.split, **ask.choice),
    ),
    Kind(
        "hf:PATH",
        "a data set on this disk that Hugging Face's datasets saved",
        lambda spec: spec.startswith("hf:"),
        lambda ask: open_hugging_face(ask.spec, ask.path, split=ask.split, **ask.choice),
    ),
    Kind(
        "path/file.py:function",
        "any iterable of batches: tensors, tuples of inputs and targets, or dictionaries",
        is_function,
        lambda ask: open_function(ask.spec, samples=ask.samples),
    ),
    Kind(
        "NAME",
        "mnist, fashion-mnist, kmnist, cifar10, cifar100, svhn, or any ROOT/NAME/SPLIT.npz",
        lambda spec: True,
        lambda ask: open_named(
            ask.spec, split=ask.split, root=ask.root, download=ask.download, **ask.choice
        ),
    ),
)
"""Every kind of data, in the order in which they are tried."""


def open_data(
    spec: str,
    *,
    split: str = "test",
    samples: int | None = None,
    seed: int = 0,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """Data by what was written after ``--data``.

    Args:
        spec: One of the forms in ``DATASETS``.
        split: ``test``, ``train``, or another that is there.
        samples: How many to take, drawn without replacement; None for all.
        seed: Of that draw.
        root: Folder of the named sets; else the variable ``INFOFLOW_DATA``, else torchvision's.
        download: Whether a named set that is not there may be fetched.
        preprocessing: For pictures (`infoflow.data.normalisations.own_preprocessing`).

    Returns:
        The same samples in the same order for every batch size and in every pass.

    Raises:
        DataError: One sentence: nothing of that name, unreadable, or unfit.
        MissingDependencyError: A package that this kind needs is not there.
    """
    if spec.endswith(":") and not spec.startswith("shapes"):
        raise DataError(f"{spec} says nothing after the colon; write {spec}PATH.")
    folder = Path(root).expanduser() if root is not None else None
    ask = Request(spec, split, samples, seed, folder, download, preprocessing)
    return next(kind for kind in DATASETS if kind.knows(spec)).open(ask)
