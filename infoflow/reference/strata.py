"""Which layers are compared with which: kinds that a checkpoint tells apart by itself.

The place in the network (first, last) is no kind: a file that is not recognised does not say its
order. What sets such layers apart is that they have few directions, and those are not placed.
"""

from __future__ import annotations

import math

from infoflow.reference.random_layer import sides
from infoflow.report import LayerSummary

SMALLEST = 8
"""Directions a group from which on spectra compare: below, a share of the rank says little."""

DENSE = "dense layers"
POINTWISE = "1×1 convolutions and patches"
SPATIAL = "spatial convolutions"
GROUPED = "grouped convolutions"
TRANSPOSED = "transposed convolutions"

STRATA = (DENSE, SPATIAL, POINTWISE, GROUPED, TRANSPOSED)


def stratum(layer: LayerSummary) -> str:
    """The kind of a layer, or ``""`` where it is not compared with others.

    Spatial: the kernel is larger than the stride in some direction, so that frequencies matter.
    Others are one matrix at each position. Depthwise convolutions and all of fewer than
    `SMALLEST` directions a group belong to none.
    """
    if layer.kind == "normalisation" or len(layer.shape) < 2 or sides(layer)[0] < SMALLEST:
        return ""
    if layer.kind == "dense":
        return DENSE
    if layer.groups > 1:
        return GROUPED
    if layer.kind == "transposed convolution":
        return TRANSPOSED
    stride = layer.stride or (1,) * len(layer.shape[2:])
    overlap = any(taps > step for taps, step in zip(layer.shape[2:], stride, strict=True))
    return SPATIAL if overlap and math.prod(layer.shape[2:]) > 1 else POINTWISE
