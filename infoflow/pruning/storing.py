"""The tensors of a pruned network as the file has them: its names, its types, its own numbers.

What pruning did not change is byte for byte what it was. A weight that the file keeps as several
tensors (quantised, pruned by a mask, weight norm) is changed there, where reading them again gives
exactly the pruned weight; else it is written as one tensor, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from infoflow.architectures.spelling import modern
from infoflow.checkpoints import Checkpoint
from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.errors import OutputError
from infoflow.maps import Tensors, Weight
from infoflow.maps import weights as weights_in
from infoflow.maps.scaled import spread
from infoflow.pruning.cutting import Gone

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Stored:
    """What is to be written.

    Args:
        tensors: By name, in the file's order.
        notes: What differs from the file besides what was pruned.
    """

    tensors: Arrays = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What pruning did to the numbers of a network, by the names of its tensors.

    Args:
        before: The network's tensors.
        after: Those with dead filters and merged weights, in the same shapes.
        gone: What is taken out of them.
    """

    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]
    gone: Gone

    def numbers(self, name: str) -> tuple[Array, Array]:
        """New numbers, and which of them are others than before."""
        old, new = _array(self.before[name]), _array(self.after[name])
        other = (new != old) & ~(np.isnan(new) & np.isnan(old))
        return new, other | ((new == 0) & (np.signbit(new) != np.signbit(old)))

    def cut(self, name: str, array: Array) -> Array:
        """Without what is taken out."""
        for axis, entries in self.gone.get(name, {}).items():
            array = np.delete(array, entries, axis=axis)
        return array


def stored(checkpoint: Checkpoint, changes: Changes) -> Stored:
    """The file's tensors with what was pruned.

    Raises:
        OutputError: A merged weight does not fit into the type of the file.
    """
    found: Arrays = {}
    notes: list[str] = []
    for weight in weights_in(Tensors.of(checkpoint)):
        names = [role.name for role in weight.roles]
        own = all(modern(name) in changes.after for name in names)
        if weight.computed and not own and modern(weight.tensor.name) in changes.after:
            parts, note = _computed(checkpoint, weight, changes)
            found |= parts
            notes += [note] if note else []
            continue
        for name in names:
            tensor = checkpoint.tensors[name]
            if tensor.unread:
                notes.append(f"{name} is not written: {tensor.unread}.")
            else:
                found[name] = _plain(np.asarray(tensor.load()), name, changes)
    order = {name: place for place, name in enumerate(checkpoint.tensors)}
    last = len(order)
    ordered = sorted(found.items(), key=lambda item: order.get(item[0], last))
    return Stored(dict(ordered), tuple(notes))


def _plain(raw: Array, name: str, changes: Changes) -> Array:
    known = modern(name)
    if known not in changes.after:
        return raw
    new, other = changes.numbers(known)
    if other.any():
        raw = raw.copy()
        with np.errstate(over="ignore"):
            raw[other] = new[other].astype(raw.dtype)
        if not np.isfinite(raw[other].astype(np.float64)).all():
            raise OutputError(
                f"{name}: its merged weights do not fit into {raw.dtype}, the file's type; leave "
                "--merge out."
            )
    return changes.cut(known, raw)


def _computed(checkpoint: Checkpoint, weight: Weight, changes: Changes) -> tuple[Arrays, str]:
    """The parts of a weight that is computed, or itself and a note."""
    name = modern(weight.tensor.name)
    parts = {role.name: np.asarray(checkpoint.tensors[role.name].load()) for role in weight.roles}
    new, other = changes.numbers(name)
    if not other.any() and name not in changes.gone:
        return parts, ""
    rows = np.flatnonzero(other.reshape(len(other), -1).any(axis=1))
    expected = changes.cut(name, new)
    for candidate in _candidates(weight, parts, rows):
        smaller = _smaller(candidate, new.shape, changes.gone.get(name, {}))
        if _same(_again(checkpoint, weight, smaller), expected):
            return smaller, ""
    kind = weight.tensor.dtype
    note = (
        f"{weight.tensor.name} is written as one tensor of {expected.dtype}: as {kind}, made of "
        f"{len(parts)} tensors, it cannot hold the pruned numbers exactly."
    )
    return {weight.tensor.name: expected}, note


def _candidates(weight: Weight, parts: Arrays, rows: Array) -> Iterator[Arrays]:
    """Ways to make rows 0: in the first of the parts (its zero point), or in the second."""
    names = list(parts)
    zero = next((r.name for r in weight.roles if r.words.startswith("zero point")), None)
    for name in names[:2]:
        array = parts[name]
        if not array.ndim or (len(rows) and rows.max() >= array.shape[0]):
            continue
        changed = array.copy()
        if zero is not None and name == names[0]:
            points = np.broadcast_to(spread(parts[zero], array.shape), array.shape)
            changed[rows] = points[rows].astype(array.dtype)
        else:
            changed[rows] = 0
        yield parts | {name: changed}


def _smaller(parts: Arrays, shape: tuple[int, ...], axes: Mapping[int, list[int]]) -> Arrays:
    """Without entries of each axis, in every part that has an entry for each."""
    found = dict(parts)
    for name, array in parts.items():
        for axis, entries in axes.items():
            if axis < array.ndim and array.shape[axis] == shape[axis]:
                found[name] = np.delete(found[name], entries, axis=axis)
    return found


def _again(checkpoint: Checkpoint, weight: Weight, parts: Arrays) -> Array | None:
    """The weight that other parts hold."""
    tensors = {name: _held(checkpoint.tensors[name], array) for name, array in parts.items()}
    for one in weights_in(Tensors(tensors, checkpoint.metadata, checkpoint.path)):
        if one.tensor.name == weight.tensor.name and not one.tensor.unread:
            return np.asarray(one.tensor.load())
    return None


def _held(tensor: StoredTensor, array: Array) -> StoredTensor:
    return replace(tensor, shape=array.shape, load=lambda: array, memory="")


def _same(found: Array | None, expected: Array) -> bool:
    return found is not None and np.array_equal(found.astype(expected.dtype), expected)


def _array(tensor: Tensor) -> Array:
    tensor = tensor.detach().cpu()
    array: Array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array
