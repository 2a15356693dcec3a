"""Tensors that an ONNX graph computes from its constants alone, computed when they are read.

Exporters turn, reshape, cut and join weights before they use them (torch's gates of an LSTM), and
keep quantised ones as whole numbers with a scale. Only what rearranges or rescales is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from infoflow.checkpoints.layout import MOST_DIMENSIONS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Constant:
    """A tensor that is known before the network runs.

    Args:
        sources: Names of the stored tensors that it is made of.
        stored: How many numbers they hold together.
        shape: Its shape.
        dtype: The type in which it is stored; float32 for one that was quantised.
        load: Reads and computes it.
        memory: Identity of the stored memory, as in `StoredTensor`.
        unread: Why ``load`` raises, or ``""``.
        quantised: Whether whole numbers were multiplied by their scale.
    """

    sources: tuple[str, ...]
    stored: int
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], Array]
    memory: str = ""
    unread: str = ""
    quantised: bool = False

    @property
    def is_float(self) -> bool:
        """Whether it can be a weight."""
        return "float" in self.dtype

    def through(self, change: Callable[[Array], Array], shape: tuple[int, ...]) -> Constant:
        """The same numbers in another arrangement."""
        return replace(self, shape=shape, load=lambda: change(self.load()), memory="")

    def numbers(self) -> tuple[int, ...] | None:
        """The whole numbers of a short list (axes, a shape), None for anything else."""
        if self.unread or len(self.shape) > 1 or self.dtype not in ("int32", "int64"):
            return None
        if self.shape and self.shape[0] > MOST_DIMENSIONS:
            return None
        return tuple(int(number) for number in self.load().reshape(-1))


Inputs = Sequence[Constant | None]
Attributes = Mapping[str, Any]


def transposed(constant: Constant, axes: Sequence[int] | None = None) -> Constant | None:
    """With its dimensions in another order, the opposite one by default."""
    dimensions = len(constant.shape)
    order = tuple(axes) if axes else tuple(reversed(range(dimensions)))
    if sorted(order) != list(range(dimensions)):
        return None
    return constant.through(
        lambda array: array.transpose(order), tuple(constant.shape[axis] for axis in order)
    )


def reshaped(constant: Constant, shape: tuple[int, ...]) -> Constant:
    """In another shape of the same size."""
    return constant.through(lambda array: array.reshape(shape), shape)


def scaled(constant: Constant, factor: float) -> Constant:
    """Multiplied by a number."""
    return constant.through(lambda array: array * np.asarray(factor, array.dtype), constant.shape)


def dequantised(
    weight: Constant, scale: Constant | None, zero: Constant | None, axis: int
) -> Constant | None:
    """(whole numbers − zero point) · scale, both one number or one along ``axis``."""
    if scale is None or not scale.is_float or weight.dtype not in ("int8", "uint8", "int32"):
        return None
    dimensions = len(weight.shape)
    axis += dimensions if axis < 0 else 0
    if any(part and not _fits(part, weight.shape, axis) for part in (scale, zero)):
        return None
    along = tuple(-1 if place == axis else 1 for place in range(dimensions))

    def load() -> Array:
        numbers = weight.load().astype(np.float32)
        if zero is not None:
            numbers -= _spread(zero.load().astype(np.float32), along)
        return numbers * _spread(scale.load().astype(np.float32), along)

    return replace(weight, dtype="float32", load=load, memory="", quantised=True)


def _fits(part: Constant, shape: tuple[int, ...], axis: int) -> bool:
    return part.shape in ((), (1,)) or (0 <= axis < len(shape) and part.shape == (shape[axis],))


def _spread(part: Array, along: tuple[int, ...]) -> Array:
    return part.reshape(along) if part.size > 1 else part.reshape(())


def _identity(inputs: Inputs, attributes: Attributes) -> Constant | None:
    return inputs[0]


def _cast(inputs: Inputs, attributes: Attributes) -> Constant | None:
    # Half precision that is widened for use stays what it is in the file.
    first = inputs[0]
    return first if first and first.is_float and attributes.get("to") in (1, 10, 11, 16) else None


def _transpose(inputs: Inputs, attributes: Attributes) -> Constant | None:
    return transposed(inputs[0], attributes.get("perm")) if inputs[0] else None


def _axes(inputs: Inputs, attributes: Attributes, dimensions: int) -> tuple[int, ...] | None:
    given = attributes.get("axes")
    if given is None and len(inputs) > 1:
        given = inputs[1].numbers() if inputs[1] else None
    if given is None or any(not -dimensions <= axis < dimensions for axis in given):
        return None
    return tuple(axis % dimensions for axis in given)


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Constant | None:
    first = inputs[0]
    if first is None or first.unread:
        return None
    given = attributes.get("axes") or (inputs[1].numbers() if inputs[1:] and inputs[1] else None)
    dimensions = len(first.shape) + len(given or ())
    axes = _axes(inputs, attributes, dimensions)
    if axes is None or dimensions > MOST_DIMENSIONS or len(set(axes)) != len(axes):
        return None
    old = iter(first.shape)
    return reshaped(first, tuple(1 if i in axes else next(old) for i in range(dimensions)))


def _squeeze(inputs: Inputs, attributes: Attributes) -> Constant | None:
    first = inputs[0]
    axes = _axes(inputs, attributes, len(first.shape)) if first else None
    if first is None or axes is None or any(first.shape[axis] != 1 for axis in axes):
        return None
    return reshaped(first, tuple(n for i, n in enumerate(first.shape) if i not in axes))


def _reshape(inputs: Inputs, attributes: Attributes) -> Constant | None:
    first, target = inputs[0], inputs[1] if len(inputs) > 1 else None
    sizes = target.numbers() if target else None
    if first is None or sizes is None or 0 in first.shape:
        return None
    kept = [first.shape[i] if n == 0 and i < len(first.shape) else n for i, n in enumerate(sizes)]
    size = math.prod(first.shape)
    if kept.count(-1) == 1:
        rest = -math.prod(kept)
        kept[kept.index(-1)] = size // rest if rest > 0 else 0
    if any(n < 1 for n in kept) or math.prod(kept) != size:
        return None
    return reshaped(first, tuple(kept))


def _slice(inputs: Inputs, attributes: Attributes) -> Constant | None:
    first = inputs[0]
    if first is None:
        return None
    given = [part.numbers() if part else None for part in inputs[1:5]]
    given += [None] * (4 - len(given))
    starts = attributes.get("starts") or given[0]
    ends = attributes.get("ends") or given[1]
    if starts is None or ends is None or len(starts) != len(ends):
        return None
    axes = attributes.get("axes") or given[2] or tuple(range(len(starts)))
    steps = given[3] or (1,) * len(starts)
    if len(axes) != len(starts) or len(steps) != len(starts) or 0 in steps:
        return None
    if any(not -len(first.shape) <= axis < len(first.shape) for axis in axes):
        return None
    window = [slice(None)] * len(first.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Beyond the beginning ONNX stops there, where Python's own rule counts from the end.
        least = -first.shape[axis] - 1
        window[axis] = slice(start, max(end, least) if step > 0 or end > least else None, step)
    shape = tuple(len(range(size)[part]) for size, part in zip(first.shape, window, strict=True))
    return first.through(lambda array: array[tuple(window)], shape)


def _concat(inputs: Inputs, attributes: Attributes) -> Constant | None:
    parts = [part for part in inputs if part is not None]
    if len(parts) != len(inputs) or not parts or any(part.unread for part in parts):
        return None
    first, axis = parts[0], attributes.get("axis", 0)
    if not -len(first.shape) <= axis < len(first.shape):
        return None
    axis %= len(first.shape)
    rest = {(part.dtype, part.shape[:axis], part.shape[axis + 1 :]) for part in parts}
    size = sum(part.shape[axis] for part in parts)
    shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    stored = sum({part.sources: part.stored for part in parts}.values())
    # Joining a tensor with itself, again and again, would make any size.
    if len(rest) != 1 or math.prod(shape) > stored:
        return None
    return replace(
        first,
        sources=sources,
        stored=stored,
        shape=shape,
        load=lambda: np.concatenate([part.load() for part in parts], axis),
        memory="",
        quantised=any(part.quantised for part in parts),
    )


def _dequantise(inputs: Inputs, attributes: Attributes) -> Constant | None:
    first, scale, zero = (*inputs, None, None)[:3]
    if first is None or attributes.get("block_size"):
        return None
    return dequantised(first, scale, zero, attributes.get("axis", 1))


FOLDED: Mapping[str, Callable[[Inputs, Attributes], Constant | None]] = {
    "Identity": _identity,
    "Cast": _cast,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Slice": _slice,
    "Concat": _concat,
    "DequantizeLinear": _dequantise,
}
"""The operators that are followed; None where their inputs are no constants, or do not fit."""


def folded(operator: str, inputs: Inputs, attributes: Attributes) -> Constant | None:
    """The constant that an operator makes of constants, None where it makes none."""
    if operator not in FOLDED or not inputs or inputs[0] is None or inputs[0].unread:
        return None
    return FOLDED[operator](inputs, attributes)
