"""What the random twin of a layer is drawn from: family and scale, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infoflow.measures.weights.scale import largest_magnitude, root_mean_square
from infoflow.measures.weights.twin_slices import TWINS
from infoflow.measures.weights.zeros import count_zeros

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject


BOUNDED = 1.9
"""Largest magnitude over root mean square below which weights look bounded. A uniform draw has
about √3 = 1.73 (of 64 weights 1.9 or more in 3 % of cases); a Gaussian one of 64 weights stays
below 1.9 in 0.2 % of cases, of 100 in 0.004 %."""

FEWEST_WEIGHTS = 64
"""Fewer weights do not tell a uniform draw from a Gaussian one."""


@dataclass(frozen=True)
class Twin:
    """What the twin of a layer is drawn from, or why there is none.

    Args:
        family: ``normal`` or ``uniform``; ``""`` where there is no twin.
        log_scale: Logarithm of the root mean square of all weights.
        log_scale_live: The same of those that are not exactly zero.
        live: Number of those.
        method: Family and scale in words.
        note: Why there is no twin.
    """

    family: str
    log_scale: float = 0.0
    log_scale_live: float = 0.0
    live: int = 0
    method: str = ""
    note: str = ""


def twin_of(layer: Layer) -> Twin:
    """The layer's twin: family from its initialisation, scale from its weights.

    Where the initialisation is unknown, at least 64 weights that are bounded like a uniform
    draw's (torch's default is uniform) have a uniform twin, all others a Gaussian one.
    """
    initialisation = layer.initialisation
    if initialisation and initialisation.family not in TWINS:
        return Twin(
            "",
            note=f"no random twin: a fresh network holds {initialisation.scale:g} everywhere here",
        )
    rms = root_mean_square(layer.weight)
    if rms == 0:
        return Twin("", note="no random twin: every weight is exactly zero")
    size = math.prod(layer.weight.shape)
    # Nothing of a dense layer's twin depends on its zeros, so they are not counted.
    live = size - (count_zeros(layer.weight) if layer.kind != "dense" else 0)
    if initialisation:
        family, why = initialisation.family, "the architecture's initialisation"
    elif size >= FEWEST_WEIGHTS and largest_magnitude(layer.weight) < BOUNDED * rms:
        family = "uniform"
        why = "the weights are bounded like a uniform draw's; initialisation unknown"
    else:
        family, why = "normal", "initialisation unknown"
    word = "Gaussian" if family == "normal" else family
    return Twin(
        family,
        math.log(rms),
        math.log(rms) + 0.5 * math.log(size / live),
        live,
        f"{word} twin ({why}) of the layer's own standard deviation {rms:.4g}",
    )


def twin(subject: Subject) -> Twin:
    """The subject's twin, computed once."""
    memory = vars(subject)
    if "random twin" not in memory:
        memory["random twin"] = twin_of(subject.layer)
    found: Twin = memory["random twin"]
    return found
