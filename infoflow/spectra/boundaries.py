"""What the borders do to a convolution's log-volume: circular, valid and same, a position each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from infoflow.errors import OperatorError
from infoflow.facts import Geometry
from infoflow.layers import Array
from infoflow.operators.layer import LayerOperator, layer_operator
from infoflow.spectra.density import circular_log_volume
from infoflow.spectra.matrix import exact_log_volume, is_affordable
from infoflow.spectra.rank import generic_rank
from infoflow.words import sides_text


@dataclass(frozen=True)
class Boundary:
    """A layer's log-volume with one kind of border.

    Args:
        name: ``circular``, ``valid`` (no padding), ``same`` (zeros, as many positions of the
            output as of the input at stride 1) or ``own`` (the layer's own padding).
        value: Nats a position: the operator's log-volume over its *own* number of positions.
            None where it is −∞ or not computed.
        positions: Singular values of the operator over those a position: positions of the output
            where a layer has no more outputs than inputs (times phases), else of the input's
            coarse grid; the other way round for a transposed layer.
        gap: The value less the circular one: the boundary error. None without either.
        note: Why there is no value, or ``""``.
    """

    name: str
    value: float | None
    positions: float
    gap: float | None
    note: str = ""


def boundaries(
    weight: Array,
    geometry: Geometry,
    input_size: tuple[int, ...],
    *,
    epsilon: float,
    generator: np.random.Generator,
) -> tuple[Boundary, ...]:
    """The four log-volumes a position, circular first; of the exact ones those that are affordable.

    The gap to *valid* shrinks like 1/n; *same* need not converge to the circular value for a
    kernel whose symbol winds around zero.

    Args:
        weight: As torch stores it.
        geometry: The layer's.
        input_size: Of its input.
        epsilon: ε of the stored weights (``machine_epsilon``).
        generator: Of the frequencies at which the rank is found.
    """
    own = layer_operator(weight, geometry, input_size)
    found = [circular_boundary(own, input_size, epsilon, generator)]
    wanted = {
        "valid": _padded(geometry, (0,) * len(input_size)),
        "same": _same(weight, geometry),
        "own": geometry if any(geometry.output_padding) else replace(geometry, output_padding=()),
    }
    known: dict[Geometry | None, Boundary] = {}
    for name, other in wanted.items():
        if other not in known:
            known[other] = _exact(name, weight, other, input_size, epsilon, found[0].value)
        found.append(replace(known[other], name=name))
    return tuple(found)


def circular_boundary(
    operator: LayerOperator,
    input_size: tuple[int, ...],
    epsilon: float,
    generator: np.random.Generator,
) -> Boundary:
    """The circular log-volume a position, of a layer of any size.

    Args:
        operator: The layer; its padding does not matter.
        input_size: Of its input.
        epsilon: ε of the stored weights.
        generator: Of the frequencies at which the rank is found.
    """
    kernel = operator.kernel
    positions = math.prod(kernel.positions(input_size))
    if not kernel.transposed and any(n % s for n, s in zip(input_size, kernel.stride, strict=True)):
        note = "not computed: the input is no multiple of the stride"
        return Boundary("circular", None, positions, None, note)
    rank = generic_rank(kernel, epsilon=epsilon, generator=generator)
    found = circular_log_volume(kernel, rank, input_size)
    if found.value is None:
        reason = rank.sentence or f"singular at {found.singular} of {found.frequencies} frequencies"
        return Boundary("circular", None, positions, None, f"−∞: {reason}")
    return Boundary("circular", found.value / positions, positions, 0.0)


def _exact(
    name: str,
    weight: Array,
    geometry: Geometry | None,
    input_size: tuple[int, ...],
    epsilon: float,
    circular: float | None,
) -> Boundary:
    if geometry is None:
        note = "not computed: an even kernel cannot be padded alike at both ends"
        return Boundary(name, None, 0, None, note)
    try:
        operator = layer_operator(weight, geometry, input_size)
    except OperatorError as error:
        return Boundary(name, None, 0, None, f"not computed: {error}")
    positions = min(operator.reached) / operator.kernel.rank_channels
    if not is_affordable(operator.shape):
        sides = sides_text(operator.shape)
        return Boundary(name, None, positions, None, f"not computed: {sides} is too large")
    found = exact_log_volume(operator, epsilon=epsilon)
    if found.value is None:
        kept = "" if found.over_rank is None else f"; {found.over_rank / positions:.3f} over it"
        return Boundary(name, None, positions, None, found.note + kept)
    value = found.value / positions
    return Boundary(name, value, positions, None if circular is None else value - circular)


def _same(weight: Array, geometry: Geometry) -> Geometry | None:
    """Zeros at both ends, half of what the kernel reaches; None where that is no whole number."""
    reach = [r * (k - 1) for r, k in zip(geometry.dilation, weight.shape[2:], strict=True)]
    if any(extent % 2 for extent in reach):
        return None
    return _padded(geometry, tuple(extent // 2 for extent in reach))


def _padded(geometry: Geometry, padding: tuple[int, ...]) -> Geometry:
    return replace(
        geometry, padding=padding, padding_mode="zeros", output_padding=(), end_padding=()
    )
