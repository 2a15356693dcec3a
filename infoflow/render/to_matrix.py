"""A matrix as the bytes of a file: scipy's .npz, numpy's .npy, Matrix Market, MATLAB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from infoflow.errors import OutputError
from infoflow.render.text import printable

Write = Callable[[IO[bytes], Any, str], None]


def _npz(file: IO[bytes], matrix: Any, title: str) -> None:
    from scipy.sparse import save_npz

    # Uncompressed: as quick as the disk, and numpy.load can map its parts.
    save_npz(file, matrix, compressed=False)


def _npy(file: IO[bytes], matrix: Any, title: str) -> None:
    np.save(file, matrix, allow_pickle=False)


def _mtx(file: IO[bytes], matrix: Any, title: str) -> None:
    from scipy.io import mmwrite

    # Not "auto": that would look for a symmetry, which takes longer than writing.
    mmwrite(file, matrix, comment=printable(title), symmetry="general")


def _mat(file: IO[bytes], matrix: Any, title: str) -> None:
    from scipy.io import savemat

    name = title.rpartition(" · ")[2].partition(" ")[0]
    savemat(file, {name.replace("-", "_"): matrix}, oned_as="column")


ENDINGS: Mapping[str, tuple[str, Write]] = {
    ".npz": ("scipy sparse", _npz),
    ".npy": ("numpy, dense", _npy),
    ".mtx": ("Matrix Market", _mtx),
    ".mat": ("MATLAB", _mat),
}
"""What each ending is, and what writes it."""

ARRAYS = (".npy", ".mat")
"""Endings that hold an array of more than two dimensions."""


def ending_of(path: Path, *, matrix: bool = True) -> str:
    """The ending of a matrix's file, in lower case.

    Args:
        path: Of the file.
        matrix: Whether what is written has rows and columns, and no more dimensions.

    Raises:
        OutputError: It says no format, or one that cannot hold it.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        kinds = ", ".join(f"{word} ({what})" for word, (what, _) in ENDINGS.items())
        raise OutputError(
            f"{printable(str(path))}: its ending does not say a format; there are {kinds}."
        )
    if not matrix and ending not in ARRAYS:
        raise OutputError(
            f"{printable(str(path))}: a {ending} file holds a matrix and the symbol is an array "
            f"of more dimensions; write {' or '.join(ARRAYS)}."
        )
    return ending


def writer(matrix: Any, ending: str, title: str) -> Callable[[IO[bytes]], None]:
    """What writes the matrix into a file that is open.

    Args:
        matrix: A scipy.sparse csr matrix or a numpy array.
        ending: A key of ``ENDINGS``.
        title: ``file · layer · what``: the comment of Matrix Market; its last word names the
            variable in MATLAB.
    """
    write = ENDINGS[ending][1]
    return lambda file: write(file, matrix, title)
