"""Tensors inside tuples, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

_MAIN = ("logits", "out", "output", "prediction", "last_hidden_state")


def tensors_of(nested: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Each tensor with the keys and positions that lead to it; other things are passed over."""
    if isinstance(nested, Tensor):
        yield path, nested
    elif isinstance(nested, Mapping):
        for key, value in nested.items():
            yield from tensors_of(value, (*path, str(key)))
    elif isinstance(nested, tuple | list):
        names = getattr(nested, "_fields", range(len(nested)))
        for name, value in zip(names, nested, strict=True):
            yield from tensors_of(value, (*path, str(name)))


def main_output(output: Any) -> Tensor | None:
    """The tensor that a network is read by.

    The output itself, the entry ``logits`` or ``out`` (``output``, ``prediction``,
    ``last_hidden_state``) of a dictionary or object, else the first floating-point tensor; None
    where there is none.
    """
    if isinstance(output, Tensor):
        return output
    for name in _MAIN:
        found = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(found, Tensor):
            return found
    floats = (tensor for _, tensor in tensors_of(output) if tensor.is_floating_point())
    return next(floats, None)
