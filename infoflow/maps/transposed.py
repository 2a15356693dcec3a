"""Weights stored (in, out): GPT-2's Conv1D, and what a format says is stored so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.maps.part import stem
from infoflow.maps.weight import Role, Tensors, Weight

if TYPE_CHECKING:
    import numpy as np

_CONV1D = ("c_attn", "q_attn", "c_proj", "c_fc")
NOTE = "stored (in, out), read as its transpose"


def transposed(tensor: StoredTensor, tensors: Tensors) -> Weight | None:
    """The transpose of a weight that is stored (in, out).

    Stored so where the format says it; where a bias has the length of the columns and not of
    the rows; and, for the names of GPT-2's Conv1D, where another weight of those names is: a
    square c_proj is like its siblings. nanoGPT, whose c_attn is a Linear (3C, C), is left as it is.
    """
    if len(tensor.shape) != 2:
        return None
    if not (tensor.facts.transposed if tensor.facts else _by_companions(tensor, tensors)):
        return None

    def load() -> np.ndarray[Any, Any]:
        return tensor.load().T

    facts = replace(tensor.facts, transposed=False) if tensor.facts else None
    made = replace(tensor, shape=tensor.shape[::-1], load=load, facts=facts)
    return Weight(made, (Role(tensor.name),), NOTE)


def _by_companions(tensor: StoredTensor, tensors: Tensors) -> bool:
    if tensor.name in tensors.transposed_names:
        return True
    module = stem(tensor.name).rpartition(".")[2]
    if module not in _CONV1D:
        return False
    rows, columns = tensor.shape
    if rows != columns:
        # Without a bias the shape still tells: query, key and value are three times the width.
        return module == "c_attn" and columns == 3 * rows
    return not tensors.transposed_modules.isdisjoint(_CONV1D)
