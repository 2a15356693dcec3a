"""Channels taken out of the tensors of a network, where what follows them can do without."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.capture.nesting import tensors_of
from infoflow.data.batch import Batch
from infoflow.errors import first_line
from infoflow.pruning.convolutions import CONVOLUTIONS, Convolution
from infoflow.pruning.flow import Followed, follow
from infoflow.pruning.layouts import entries

CLOSE = 1e-5
"""Largest difference of outputs, over the largest output (or 1), in float32."""

Filters = Mapping[str, Sequence[int]]
"""Numbers of filters by the name of their layer."""
Gone = dict[str, dict[int, list[int]]]
"""Entries that are taken out of each axis of a tensor, by its name."""


@dataclass(frozen=True)
class Cut:
    """A network without some channels.

    Args:
        module: With smaller tensors.
        gone: What was taken out of them.
        removed: Filters whose channels are gone, by layer.
        stayed: Why those of other layers are still there, zeroed.
    """

    module: nn.Module
    gone: Gone = field(default_factory=dict)
    removed: dict[str, list[int]] = field(default_factory=dict)
    stayed: dict[str, str] = field(default_factory=dict)


def cut(
    zeroed: nn.Module,
    layers: Sequence[Convolution],
    filters: Filters,
    batch: Batch,
    batches: Callable[[], Iterator[Batch]],
) -> Cut:
    """Take dead channels out: the convolution's filters, its norm's numbers, the next one's inputs.

    Where channels go is seen in the operations of a run. Each layer is tried by itself on a few
    samples, and all together on all of them: outputs are those of the zeroed network to 1e-5.

    Args:
        zeroed: The network, in which the filters are dead.
        layers: Convolutions; those of ``filters`` among them.
        filters: What is dead.
        batch: A few samples, at least two, where the network is.
        batches: All samples, in batches.
    """
    found = follow(zeroed, layers, batch)
    stayed, possible = {}, {}
    for name, dead in ((name, sorted(dead)) for name, dead in filters.items() if dead):
        reason = found.blocked.get(name) or _tried(zeroed, found, {name: dead}, [batch])
        if reason:
            stayed[name] = reason
        else:
            possible[name] = dead
    reason = _tried(zeroed, found, possible, batches()) if possible else ""
    if reason:
        return Cut(zeroed, stayed={**dict.fromkeys(possible, reason), **stayed})
    gone = taken_out(found, possible)
    return Cut(without(zeroed, gone), gone, possible, stayed)


def taken_out(found: Followed, filters: Filters) -> Gone:
    """The entries of each tensor that belong to these filters."""
    chosen = {name: list(dead) for name, dead in filters.items()}
    gone: Gone = {}
    for (name, axis), segments in found.uses.items():
        if places := entries(segments, chosen):
            gone.setdefault(name, {})[axis] = places
    return gone


def _tried(
    zeroed: nn.Module, found: Followed, filters: Filters, batches: Iterator[Batch] | list[Batch]
) -> str:
    """Why the network cannot do without; ``""`` where its outputs stay what they are."""
    smaller = without(zeroed, taken_out(found, filters))
    for batch in batches:
        with torch.no_grad():
            expected = batch.call(zeroed)
            try:
                output = batch.call(smaller)
            except Exception as error:  # whatever a network's own code raises
                return f"without them the network does not run ({first_line(error)})"
        if not _close(expected, output):
            return "without them the network's outputs are others"
    return ""


def _close(expected: Any, output: Any) -> bool:
    pairs = zip(tensors_of(expected), tensors_of(output), strict=True)
    return all(a.shape == b.shape and _near(a, b) for (_, a), (_, b) in pairs)


def _near(a: Tensor, b: Tensor) -> bool:
    if not a.is_floating_point():
        return torch.equal(a, b)
    finite = a[a.isfinite()].abs()
    largest = max(float(finite.max()), 1.0) if finite.numel() else 1.0
    return torch.allclose(a, b, rtol=0, atol=CLOSE * largest, equal_nan=True)


def without(module: nn.Module, gone: Gone) -> nn.Module:
    """A copy whose tensors lack some entries, and whose layers know their new sizes."""
    smaller = copy.deepcopy(module)
    for name, axes in gone.items():
        place, _, leaf = name.rpartition(".")
        part = smaller.get_submodule(place)
        old = getattr(part, leaf)
        new = old.detach()
        for axis, entries_gone in axes.items():
            new = new.index_select(axis, _kept(new.shape[axis], entries_gone).to(new.device))
        if isinstance(old, nn.Parameter):
            new = nn.Parameter(new, old.requires_grad)
        setattr(part, leaf, new)
        _sized(part)
    return smaller


def _kept(length: int, gone: Sequence[int]) -> Tensor:
    kept = torch.ones(length, dtype=torch.bool)
    kept[list(gone)] = False
    return kept.nonzero().flatten()


def _sized(part: nn.Module) -> None:
    """A layer's own numbers of its sizes."""
    tensors = (getattr(part, name, None) for name in ("weight", "running_mean"))
    shape = next((tuple(one.shape) for one in tensors if isinstance(one, Tensor)), ())
    if isinstance(part, CONVOLUTIONS):
        part.out_channels, part.in_channels = shape[:2]
    elif isinstance(part, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        part.in_channels = shape[0]
    elif isinstance(part, nn.Linear):
        part.out_features, part.in_features = shape
    elif isinstance(part, nn.modules.batchnorm._NormBase):
        part.num_features = shape[0]
    elif isinstance(part, nn.PReLU):
        part.num_parameters = shape[0]
