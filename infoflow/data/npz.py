"""``npz:PATH``: the arrays ``images`` and ``labels`` (or ``masks``) of a file of numpy's."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.data.arrays import from_arrays
from infoflow.data.data import Data
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError, first_line
from infoflow.nearest import nearest

_NAMES = ("images", "labels", "masks", "targets", "classes")


def open_npz(
    name: str,
    path: Path,
    *,
    samples: int | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Data:
    """The samples of a file.

    Raises:
        DataError: It cannot be read, or holds no array ``images``.
    """
    arrays = read_npz(path)
    if "images" not in arrays:
        raise DataError(f"{path} has no array 'images'; {nearest('images', arrays)}.")
    labels = next((arrays[n] for n in ("labels", "masks", "targets") if n in arrays), None)
    names = arrays.get("classes")
    return from_arrays(
        name,
        arrays["images"],
        labels,
        classes=None if names is None else [str(one) for one in np.atleast_1d(names)],
        samples=samples,
        seed=seed,
        preprocessing=preprocessing,
    )


def read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file that this room knows (others by name only, empty); no code is run.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        with path.open("rb") as stream:  # numpy leaves a damaged file open
            if stream.read(2) not in (b"PK", b"\x93N"):
                raise DataError(f"{path} is no .npz file: it does not begin like one.")
            stream.seek(0)
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path} is one array; an .npz file with 'images' is needed.")
            empty = np.empty(0)
            return {
                name: _array(path, archive, name) if name in _NAMES else empty
                for name in archive.files
            }
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as an .npz file of plain arrays: {first_line(error)}"
        ) from None


def _array(path: Path, archive: Any, name: str) -> np.ndarray[Any, Any]:
    try:
        found: np.ndarray[Any, Any] = archive[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise DataError(
            f"{path}: its array {name!r} holds objects of Python, not numbers (samples of "
            "different shapes, perhaps): save one array of one shape and type."
        ) from None
    return found
