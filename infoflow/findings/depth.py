"""Which layers may follow one another along the depth, by names and order alone.

A report does not hold the network's graph. What its names say for certain, or nearly so, is used
here to leave out what is no chain: parts of an attention, blocks that may have a skip, and
anything with a normalisation between.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from infoflow.report import LayerSummary, Report, Status, TensorRecord

_ATTENTION = re.compile(
    r"(?:^|[._])(?:q|k|v|q_?proj|k_?proj|v_?proj|wq|wk|wv|query|key|value|to_[qkv]|to_qkv|to_kv|"
    r"qkv|qkv_proj|wqkv|c_attn|in_proj|query_key_value)$",
    re.IGNORECASE,
)
_SIDE_BY_SIDE = re.compile(
    r"(?:^|\.)(?:ih|hh|hr)(?:_l\d+)?(?:_reverse)?(?:\.[a-z]+)?$|(?:^|\.)experts\.|\.(?:gate|up)$"
)
"""Gates of recurrent layers, experts of a mixture, the two halves of a gated unit."""
_SHIFT = re.compile(r"(?:^|[._])(?:bias\w*|\w+_bias|beta|shift|running_mean)$", re.IGNORECASE)
_END = 200  # characters of a name; the pattern takes the square of what it is given
_REPEATS = 3
"""Numbered blocks alike that make a tower of blocks."""


def works_beside_others(layer: LayerSummary) -> bool:
    """Whether a layer is parallel to others by its name: a query, a gate, an expert."""
    return bool(_ATTENTION.search(layer.name) or _SIDE_BY_SIDE.search(layer.name))


def may_normalise(record: TensorRecord) -> bool:
    """Whether a tensor may be the scale of a normalisation (or of a residual branch).

    One number a channel, or one in all, in a floating-point type, by its name no shift and by its
    reason no slope of an activation.
    """
    channels = sum(length > 1 for length in record.shape)
    return (
        channels <= 1
        and (len(record.shape) <= 1 or "scale" in record.reason)
        and "float" in record.dtype
        and record.status is not Status.NOT_SUPPORTED
        and "slope" not in record.reason
        and not _SHIFT.search(record.name[-_END:])
    )


def after_scales(report: Report) -> set[str]:
    """Names of the layers that directly follow a tensor that may normalise, in file order."""
    names = {layer.name for layer in report.layers}
    found, pending = set(), False
    for record in report.coverage.tensors:
        stem = record.name.removesuffix("_weight").removesuffix(".weight")
        mine = {record.name.removesuffix(".weight"), *(f"{stem}.{part}" for part in "qkv")} & names
        if mine and record.status is Status.ANALYSED and pending:
            found |= mine
            pending = False
        pending = pending or may_normalise(record)
    return found


def in_repeated_blocks(report: Report) -> set[str]:
    """Names of the layers in blocks of several layers that repeat: what has skips, if anything.

    ``blocks.3.fc1`` and ``blocks.3.fc2``, where two more numbered blocks of ``blocks`` hold layers
    of the same names. A stack of single layers (``hidden.3``, ``net.3.linear``) is no such tower.
    """
    found: set[str] = set()
    towers: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for layer in report.layers:
        if layer.kind != "normalisation":
            for tower, index, inner in _splits(layer.name):
                towers[tower][index][inner] = layer.name
    for blocks in towers.values():
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for index, inside in blocks.items():
            if len(inside) > 1:
                alike[tuple(sorted(inside))].append(index)
        for indices in alike.values():
            if len(indices) >= _REPEATS:
                found.update(name for index in indices for name in blocks[index].values())
    return found


def _splits(name: str) -> Iterator[tuple[str, str, str]]:
    """Every way to read a name as a tower, a block's number and a layer in it."""
    parts = name.split(".")
    for place, part in enumerate(parts[:-1]):
        if part.isdecimal():
            yield ".".join(parts[:place]), part, ".".join(parts[place + 1 :])
