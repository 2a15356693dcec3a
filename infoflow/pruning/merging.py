"""What a filter gave is given by those that stay: outgoing weights merged by least squares.

Where a removed channel's map is a_j = Σ c_k a_k of the channels that stay, what follows takes it in
without loss as W_k + c_k W_j. The c are those of least squares, without a constant (so that
zero padding stays what it is), at the very place where the next layer reads the maps: after
the norm and the nonlinearity. A copy by a positive factor passes a ReLU and is merged
exactly; a negated one is not.

Source: least squares on maps, He, Zhang and Sun, Channel pruning for accelerating very deep
neural networks, 2017; there for the inputs that a layer keeps, without choosing filters before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.data import Data
from infoflow.pruning.convolutions import Convolution
from infoflow.pruning.flow import follow
from infoflow.pruning.layouts import Layout

TOLERANCE = 1e-8
"""Eigenvalues below this part of the greatest count as 0."""


@dataclass(frozen=True)
class Intake:
    """A layer that multiplies a convolution's channels with its weight.

    Args:
        weight: The weight's name.
        axis: Of the weight, that counts what comes in.
        start: First entry of the convolution's channels.
        each: Entries for one channel.
    """

    weight: str
    axis: int
    start: int
    each: int


@dataclass(frozen=True)
class Intakes:
    """Where the channels of convolutions are taken in.

    Args:
        moments: (C, C) Σ a aᵀ of the channels as each layer reads them, over samples and positions.
        blocked: Why the channels of other convolutions cannot be followed.
    """

    moments: dict[str, dict[Intake, Tensor]]
    blocked: dict[str, str]


def intakes(
    module: nn.Module,
    layers: Sequence[Convolution],
    data: Data,
    *,
    samples: int,
    batch_size: int,
    prepare: Any,
) -> Intakes:
    """Second moments of channels where they are read, of the first samples.

    Args:
        module: The network, unpruned.
        layers: Convolutions.
        data: Samples.
        samples: How many of them, at most.
        batch_size: Samples at a time.
        prepare: Moves a batch to the network's device and precision.
    """
    found = Intakes({}, {})

    def read(name: str, axis: int, tensor: Tensor, layout: Layout) -> None:
        start = 0
        for one in layout.segments:
            if one.source is not None:
                place = Intake(name, axis, start, one.each)
                part = tensor.narrow(layout.axis, start, one.length).movedim(layout.axis, 0)
                maps = part.reshape(one.channels, -1).to(torch.float64)
                here = found.moments.setdefault(one.source, {})
                here[place] = here.get(place, 0) + maps @ maps.T
            start += one.length

    few = replace(data, samples=min(data.samples, samples))
    for batch in map(prepare, few.batches(batch_size)):
        found.blocked.update(follow(module, layers, batch, read).blocked)
    return found


def merge(module: nn.Module, filters: Mapping[str, Sequence[int]], taken: Intakes) -> list[str]:
    """Add the outgoing weights of filters to those of the ones that stay, in place.

    To be called while the filters still have their weights downstream: those are read.

    Args:
        module: The network.
        filters: Numbers of filters that go, by layer.
        taken: Of the unpruned network.

    Returns:
        Layers whose filters were merged; channels of others cannot be followed.
    """
    merged = []
    changes: dict[str, Tensor] = {}
    for layer, chosen in filters.items():
        if layer in taken.blocked or layer not in taken.moments or not chosen:
            continue
        for place, moments in taken.moments[layer].items():
            weight = module.get_parameter(place.weight)
            change = _change(weight, place, moments, list(chosen))
            changes[place.weight] = changes.get(place.weight, 0) + change
        merged.append(layer)
    with torch.no_grad():
        for name, change in changes.items():
            module.get_parameter(name).add_(change)
    return merged


def _change(weight: Tensor, place: Intake, moments: Tensor, gone: list[int]) -> Tensor:
    """What is added to a weight."""
    channels = len(moments)
    stays = [one for one in range(channels) if one not in set(gone)]
    coefficients = least_squares(moments, stays, gone).to(weight.device)
    length = channels * place.each
    own = weight.detach().movedim(place.axis, 0)[place.start : place.start + length]
    each = own.reshape(channels, -1).to(torch.float64)
    change = torch.zeros_like(weight)
    rows = change.movedim(place.axis, 0)[place.start : place.start + length]
    added = torch.zeros_like(each)
    added[stays] = coefficients @ each[gone]
    rows.copy_(added.reshape(own.shape))
    return change


def least_squares(moments: Tensor, stays: Sequence[int], gone: Sequence[int]) -> Tensor:
    """Coefficients (stays, gone) of the maps that go on those that stay, without a constant.

    Args:
        moments: (C, C) Σ a aᵀ.
        stays: Channels.
        gone: Likewise.
    """
    among = moments[stays][:, stays]
    values, vectors = torch.linalg.eigh(among)
    large = values > TOLERANCE * values[-1].clamp(min=0)
    inverse = torch.where(large, 1 / torch.where(large, values, 1.0), 0.0)
    found: Tensor = vectors @ (inverse[:, None] * (vectors.T @ moments[stays][:, gone]))
    return found
