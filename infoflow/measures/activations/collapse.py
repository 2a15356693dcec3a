"""Where the signal dies: the first layer that the data hardly move (LBE's trainability).

The theorem (the gradient is independent of the labels when H^L = 0) needs exactly equal
activations; these words are evidence, not proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from infoflow.measures.activations.batch_entropy import batch_entropy
from infoflow.statistics.moments import Moments

Collapse = Literal["collapsed", "nearly collapsed", "alive"]

STILL = 2.0**-20
"""Standard deviation, as a share of the layer's largest magnitude, below which a unit is still."""

QUIET = 1e-3
"""Batch-entropy in nats below which a layer is nearly collapsed."""


def collapse(moments: Moments) -> Collapse:
    """What a layer's units say together.

    ``nearly collapsed``: the mean batch-entropy (LBE eq. 2) is below 1e-3 nats. ``collapsed``:
    moreover every unit's σ is below 2⁻²⁰ of the layer's largest magnitude, so that float32 cannot
    tell the samples apart. (Not of the unit's own: a unit is a sum of terms of the layer's size,
    and one that is nearly 0 consists of their rounding.)
    """
    if float(batch_entropy(moments.variance, moments.count).mean()) >= QUIET:
        return "alive"
    largest = moments.magnitude.max()
    still = bool((moments.variance.sqrt() <= STILL * largest).all())
    return "collapsed" if still else "nearly collapsed"


def first_collapse(layers: Sequence[Moments]) -> int | None:
    """Index of the first layer in order of depth that is collapsed or nearly so; None if alive."""
    for place, moments in enumerate(layers):
        if collapse(moments) != "alive":
            return place
    return None
