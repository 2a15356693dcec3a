"""How large the weights of a layer are, and what that does to a signal that passes through."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.operators.arrays import namespace
from infoflow.report import MINUS_INFINITY, Measurement

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject

Array = Any

_BLOCK = 1 << 18
_KINDS = frozenset({"dense", "convolution", "transposed convolution"})


def root_mean_square(weight: Array) -> float:
    """√(mean w²) over all numbers of a finite weight, in float64 whatever its type.

    Blocks are converted one at a time, so that a memory-mapped weight is never copied whole.
    Each is divided by its largest magnitude first: squares neither overflow nor vanish.
    """
    size = math.prod(weight.shape)
    if not size:
        raise ValueError("an empty weight has no mean square")
    if not isinstance(weight, np.ndarray):
        xp = namespace(weight)
        weight = xp.astype(weight, xp.float64)
        largest = float(xp.max(xp.abs(weight)))
        return largest * math.sqrt(float(xp.mean((weight / largest) ** 2))) if largest else 0.0
    flat = weight.ravel(order="K")
    norms = [_norm(flat[start : start + _BLOCK]) for start in range(0, size, _BLOCK)]
    return math.hypot(*norms) / math.sqrt(size)


def _norm(block: np.ndarray[Any, Any]) -> float:
    values = block.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        square = float(np.dot(values, values))
    if np.finfo(np.float64).tiny < square < math.inf:
        return math.sqrt(square)
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return 0.0
    values /= largest
    return largest * math.sqrt(float(np.dot(values, values)))


def largest_magnitude(weight: Array) -> float:
    """Largest |w| over all numbers of a finite weight, without a copy of the whole."""
    if not isinstance(weight, np.ndarray):
        xp = namespace(weight)
        return float(xp.max(xp.abs(weight)))
    flat = weight.ravel(order="K")
    return max(
        float(np.max(np.abs(flat[start : start + _BLOCK].astype(np.float64))))
        for start in range(0, flat.size, _BLOCK)
    )


def fan_in(layer: Layer) -> float:
    """How many numbers of the input each output sums, on average over positions.

    Dense (N, d): d. Convolution (C_out, C_in/groups, p, q): C_in/groups · p·q. Transposed
    convolution (C_in, C_out/groups, p, q): C_in/groups · p·q / (stride product), since every
    output position is reached by that share of the taps.
    """
    shape = layer.weight.shape
    if layer.kind != "transposed convolution":
        return float(math.prod(shape[1:]))
    groups = layer.geometry.groups if layer.geometry else 1
    stride = math.prod(layer.geometry.stride) if layer.geometry else 1
    return float(shape[0] / groups * math.prod(shape[2:]) / stride)


def weight_scale(subject: Subject) -> Iterator[Measurement]:
    """Root mean square of the weights (of an update: of its product), √(mean w²); no unit."""
    layer = subject.layer
    rms = root_mean_square(layer.weight)
    if layer.whole:
        # The part in the directions that it uses has the product's norm, in fewer numbers.
        rms *= math.sqrt(math.prod(layer.weight.shape) / math.prod(layer.whole))
    yield Measurement(
        layer.name,
        "weight-scale",
        "value",
        rms,
        "root mean square",
        method="√(mean w²) in float64 over every weight of the layer",
        note=layer.note if layer.whole else "",
    )


def signal_gain(subject: Subject) -> Iterator[Measurement]:
    """Change of the log root mean square of a signal that has no preferred direction.

    ½·log(fan_in · mean w²) in nats: what the linear map alone does. No activation is assumed: one
    that contracts (tanh, ReLU, GELU) only loses more, a ReLU ½ log 2 = 0.347 (He et al. 2015,
    eq. 10). Zero for LeCun's initialisation and for square orthogonal weights, 0.347 for He's;
    −½ log 3 = −0.549 for torch's default, whose variance is 1/(3·fan_in). It is exact in
    expectation for independent weights; a trained layer that is aligned with its signal passes
    more.
    """
    layer = subject.layer
    rms = root_mean_square(layer.weight)
    method = "½·log(fan_in·mean w²): a signal without preferred direction, no activation"
    if rms == 0:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        yield Measurement(
            layer.name, "signal-gain", "value", None, "nats", method=method, note=note
        )
        return
    gain = math.log(rms) + 0.5 * math.log(fan_in(layer))
    yield Measurement(layer.name, "signal-gain", "value", gain, "nats", method=method)


WEIGHT_SCALE = Measure(
    name="weight-scale",
    symbol="rms w",
    unit="root mean square",
    needs="weights",
    kinds=_KINDS | {"embedding", "low-rank update"},
    group="default",
    summary="root mean square of the weights: what weight decay and initialisation set",
    source="infoflow",
    compute=weight_scale,
)

SIGNAL_GAIN = Measure(
    name="signal-gain",
    symbol="linear gain",
    unit="nats",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="how the linear map alone scales a signal without preferred direction",
    source="He et al. 2015 (Delving deep into rectifiers), eq. 7",
    compute=signal_gain,
)

MEASURES = (WEIGHT_SCALE, SIGNAL_GAIN)
