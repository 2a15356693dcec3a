"""How much memory a matrix and its file take, and the refusal before it runs out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from infoflow.errors import OperatorError, SelectionError
from infoflow.extraction.choice import Choice, smaller_choices
from infoflow.extraction.forms import TRANSPOSED
from infoflow.layers import Layer
from infoflow.memory import available_memory, bytes_text
from infoflow.words import sides_text

START_UP = 150 * 2**20
"""Bytes of the process itself."""

PATTERN = 30
"""Bytes of working memory a non-zero of *one* output channel (tables that all channels share)."""

MATLAB_LIMIT = 2**32 - 2**16
"""Bytes of one variable that a .mat file (version 5) holds."""

COPIES = {".npz": 0, ".npy": 0, ".mtx": 1, ".mat": 2}
"""Times that writing a file copies the sparse matrix."""


def needed(choice: Choice, ending: str) -> int:
    """Bytes of memory at the peak, to build the matrix and to write it to a file of that kind."""
    estimate, summary = choice.estimate, choice.layer.summary
    weight = 8 * math.prod(summary.shape)
    if estimate.sparse_bytes is None:
        return START_UP + 3 * weight + 2 * estimate.dense_bytes
    sparse, dense = estimate.sparse_bytes, estimate.dense_bytes
    if not choice.form.sparse:
        converted = 3 * sparse if ending == ".npz" else dense  # scipy counts, then copies twice
        return START_UP + weight + dense + converted
    assert estimate.nonzeros is not None
    channels = summary.shape[0] if choice.wanted.what == "layer" else 1
    building = sparse + PATTERN * estimate.nonzeros // channels
    if summary.kind == TRANSPOSED:
        building = max(building, 2 * sparse)
    writing = sparse + (dense if ending == ".npy" else COPIES[ending] * sparse)
    return START_UP + weight + max(building, writing)


def memory_limit(most: int | None) -> int | None:
    """Bytes that may be used: what is free, and no more than ``most``; None where unknown."""
    free = available_memory()
    known = [limit for limit in (free, most) if limit is not None]
    return min(known, default=None)


def refuse_too_large(choice: Choice, ending: str, limit: int | None) -> None:
    """Refuse what does not fit, before any of it is made.

    Args:
        choice: What is wanted.
        ending: Of the file.
        limit: Bytes that may be used, None where nobody knows.

    Raises:
        OperatorError: It does not fit into memory, or not into a .mat file; names a smaller choice.
    """
    name = f"{choice.layer.summary.name} as {choice.wanted.what}"
    in_file = _matlab_bytes(choice)
    if ending == ".mat" and in_file > MATLAB_LIMIT:
        other = ".npz" if choice.form.sparse else ".npy"
        raise OperatorError(
            f"{name} takes {bytes_text(in_file)} and a .mat file holds at most "
            f"{bytes_text(MATLAB_LIMIT)}; write a {other} file."
        )
    need = needed(choice, ending)
    if limit is None or need <= limit:
        return
    shape = sides_text(choice.estimate.shape)
    raise OperatorError(
        f"{name} is {shape} and needs {bytes_text(need)} of memory, of which {bytes_text(limit)} "
        f"may be used; {_smaller(choice, ending, limit)}."
    )


def _matlab_bytes(choice: Choice) -> int:
    """Of the variable in a .mat file: compressed columns with 32-bit indices, or the array."""
    estimate = choice.estimate
    if not choice.form.sparse or estimate.nonzeros is None:
        return estimate.dense_bytes
    return 12 * estimate.nonzeros + 4 * (estimate.shape[1] + 1)


def _smaller(choice: Choice, ending: str, limit: int) -> str:
    """A choice that fits, in words."""
    if ending == ".npy" and choice.form.sparse and needed(choice, ".npz") <= limit:
        return f"a sparse file (.npz) needs {bytes_text(needed(choice, '.npz'))}"
    for words, other in smaller_choices(choice):
        try:
            need = needed(other, ".npy" if other.wanted.what == "symbol" else ending)
        except (OperatorError, SelectionError):
            continue
        if need <= limit:
            return f"{words} needs {bytes_text(need)}"
    return (
        "nothing of this layer is smaller; in Python, "
        "infoflow.operators.layer_operator(…).linear_operator() multiplies without the matrix"
    )


def build(choice: Choice, layer: Layer, ending: str) -> Any:
    """The matrix as the file will hold it: a sparse ``csr_array`` or a numpy array.

    Args:
        choice: What is wanted.
        layer: The layer that ``choice.layer`` has read.
        ending: Of the file: .npy is dense, .npz sparse, the others as the matrix is built.
    """
    matrix = choice.form.build(choice.subject(layer), choice.wanted)
    if choice.form.sparse and ending == ".npy":
        return matrix.toarray()
    if ending == ".npz" and isinstance(matrix, np.ndarray):
        from scipy.sparse import csr_array

        return csr_array(matrix)
    return matrix
