"""Exact zeros, and numbers that are none: counted on the stored weight, never turned into an ε.

Both counts look at every number of the file once, in blocks, and make no copy of it. A block is
proved finite by its dot product with itself, which a NaN or an infinity would carry along;
only a block that fails the proof (or overflows it) is searched number by number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.operators.arrays import namespace
from infoflow.report import Measurement

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

Array = Any

_BLOCK = 1 << 18
"""Numbers read at once: a megabyte of float32, which stays in the cache between the two looks."""

_KINDS = frozenset({"dense", "convolution", "transposed convolution", "normalisation", "embedding"})


def count_zeros(weight: Array) -> int:
    """Numbers that are exactly zero, of either sign.

    Args:
        weight: A numpy array of any floating type (float16, bfloat16 and float8 too, perhaps
            memory-mapped and unaligned), or another array of the array API. Any shape.

    Returns:
        The count. A NaN is not zero.
    """
    if not isinstance(weight, np.ndarray):
        xp = namespace(weight)
        return int(xp.sum(xp.astype(weight == 0, xp.int64)))
    return sum(_zeros_of_block(block) for block in _blocks(weight))


def count_non_finite(weight: Array) -> int:
    """Numbers that are NaN or infinite.

    Args:
        weight: As for `count_zeros`.

    Returns:
        The count; 0 for integers.
    """
    if not isinstance(weight, np.ndarray):
        xp = namespace(weight)
        return int(xp.sum(xp.astype(~xp.isfinite(weight), xp.int64)))
    # The proof by dot product overflows where a weight is huge; that is its answer, no fault.
    with np.errstate(all="ignore"):
        return sum(_non_finite_of_block(block) for block in _blocks(weight))


def _blocks(weight: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """The numbers in the order of the memory, which makes views of any contiguous array."""
    flat = weight.ravel(order="K")
    for start in range(0, flat.size, _BLOCK):
        yield flat[start : start + _BLOCK]


def _zeros_of_block(block: np.ndarray[Any, Any]) -> int:
    if _is_narrow(block) and block.dtype.itemsize == 1:
        return int(_counts_by_pattern(block)[_values_of_patterns(block.dtype) == 0].sum())
    if _is_narrow(block):
        # Without the sign bit: numpy has no vector code for comparing these types.
        return int(np.count_nonzero((block.view(np.uint16) & 0x7FFF) == 0))
    return int(np.count_nonzero(block == 0))


def _non_finite_of_block(block: np.ndarray[Any, Any]) -> int:
    if block.dtype.kind in "iub":
        return 0
    if _is_narrow(block) and block.dtype.itemsize == 1:
        values = _values_of_patterns(block.dtype)
        return int(_counts_by_pattern(block)[~np.isfinite(values)].sum())
    if _is_narrow(block):
        exponent = np.asarray([np.inf]).astype(block.dtype).view(np.uint16)
        return int(np.count_nonzero((block.view(np.uint16) & exponent) == exponent))
    if np.isfinite(np.dot(block, block)):
        return 0
    return int(np.count_nonzero(~np.isfinite(block)))


def _is_narrow(block: np.ndarray[Any, Any]) -> bool:
    """Whether it is a floating type of 8 or 16 bits."""
    return block.dtype.itemsize <= 2 and block.dtype.kind not in "iub"


def _counts_by_pattern(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.bincount(block.view(np.uint8), minlength=256)


def _values_of_patterns(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    return np.arange(256, dtype=np.uint8).view(dtype).astype(np.float32)


def zeros(subject: Subject) -> Iterator[Measurement]:
    """Count and share of the weights that are exactly zero.

    Of a normalisation: of its scales γ. Unit: count, and share of all numbers of the tensor.
    """
    weight = subject.layer.weight
    size = math.prod(weight.shape)
    count = count_zeros(weight)
    name = subject.layer.name
    method = "exact zeros of the stored weight, of either sign"
    yield Measurement(name, "zeros", "count", float(count), "count", method=method)
    if size:
        yield Measurement(name, "zeros", "share", count / size, "share", method=method)


def non_finite(subject: Subject) -> Iterator[Measurement]:
    """Count of weights that are NaN or infinite.

    Of a normalisation: of its scales γ and of its running variances.
    """
    layer = subject.layer
    count = subject.non_finite
    note = ""
    if layer.kind == "normalisation" and layer.normalisation is not None:
        variance = layer.normalisation.variance
        broken = 0 if variance is None else count_non_finite(variance)
        if broken:
            note = f"{broken:,} of them in the running variance"
        count += broken
    yield Measurement(
        layer.name,
        "non-finite",
        "count",
        float(count),
        "count",
        method="NaN and infinite numbers of the stored weight",
        note=note,
    )


ZEROS = Measure(
    name="zeros",
    symbol="zeros",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="paper",
    summary="weights that are exactly zero, as a count and a share",
    source="infoflow; exact zeros are counted apart from ENT §4.2's log|c₁₁|",
    compute=zeros,
)

NON_FINITE = Measure(
    name="non-finite",
    symbol="NaN, ∞",
    unit="count",
    needs="weights",
    kinds=_KINDS | {"low-rank update"},
    group="paper",
    summary="weights that are NaN or infinite: a damaged file or a diverged training",
    source="infoflow",
    compute=non_finite,
)

MEASURES = (ZEROS, NON_FINITE)
