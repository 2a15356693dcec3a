"""Pruning a checkpoint and measuring what it costs, beside other ways of choosing as many."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from infoflow.activations.request import ActivationRequest
from infoflow.checkpoints import Checkpoint, open_checkpoint
from infoflow.errors import SelectionError
from infoflow.models import runnable
from infoflow.nearest import nearest
from infoflow.pruning.convolutions import Convolution
from infoflow.pruning.cutting import Cut
from infoflow.pruning.effect import Effect
from infoflow.pruning.ranking import Candidate
from infoflow.pruning.run import METHODS, Progress, PruningRun
from infoflow.pruning.storing import Changes, stored
from infoflow.pruning.writing import told


@dataclass(frozen=True)
class Pruned:
    """A pruned network and what was measured.

    Args:
        source: The checkpoint.
        method: How its filters were chosen.
        share: That was asked for.
        across_layers: Whether the best of all layers went, and not a share of each.
        filters: Of all chosen layers, before.
        layers: Each with its number of filters.
        removed: Filters that are dead or gone, in the order in which they went.
        merged: Layers of these whose outgoing weights were merged into those of others.
        taken_out: Filters that are gone from the tensors, by layer; the others are 0.
        zeroed: Why the filters of other layers could not be taken out, where that was asked.
        new_shapes: Of the tensors that became smaller, by name.
        effects: Unpruned first, then each method at the same share.
        data: The samples in words.
        preprocessing: What was done to pictures, ``""`` where nothing.
        notes: What the reader should know.
        module: The pruned network, in evaluation mode, on the CPU, float32.
        tensors: The file's, pruned, by name and in its types.
        metadata: To be written with them.
    """

    source: str
    method: str
    share: float
    across_layers: bool
    filters: int
    layers: tuple[Convolution, ...]
    removed: tuple[Candidate, ...]
    merged: tuple[str, ...]
    taken_out: Mapping[str, Sequence[int]]
    zeroed: Mapping[str, str]
    new_shapes: Mapping[str, tuple[int, ...]]
    effects: tuple[Effect, ...]
    data: str
    preprocessing: str
    notes: tuple[str, ...]
    module: nn.Module
    tensors: Mapping[str, np.ndarray[Any, Any]]
    metadata: Mapping[str, str]


def prune(
    source: str | os.PathLike[str] | Checkpoint,
    *,
    data: str | ActivationRequest,
    by: str = "redundancy",
    share: float = 0.2,
    across_layers: bool = False,
    merge: bool = False,
    remove: bool = False,
    layers: Sequence[str] = (),
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
    telling: Progress = lambda words: None,
) -> Pruned:
    """Make a share of a network's filters dead, and measure the loss before and after.

    Filters of convolutions become 0 with their bias and the scale and shift of the normalisation
    after them. Beside the chosen way stand the others at the same share: by redundancy, by norm,
    at random with five seeds, and, across layers, at random with as many filters of each layer
    as the chosen way takes: what the choice of layers costs, and not that of filters. The maps
    that redundancy is told by are those of the unpruned network, on the first 256 of the samples
    on which the loss is measured; no label is looked at.

    Args:
        source: A checkpoint file or folder, or one that is open.
        data: As after ``--data``, or a whole request; its ``seed`` is that of the first draw.
        by: A name in ``METHODS``.
        share: Of the filters, between 0 and 1.
        across_layers: Take the best candidates of all layers, and not the share of each.
        merge: Add what a removed filter gave to the outgoing weights of those that stay, by least
            squares on the same 256 samples, where its channel can be followed to where it is
            read; of every way of choosing.
        remove: Take the channels out of the tensors where what follows can do without; outputs
            stay those of the zeroed network to 1e-5, on all samples.
        layers: Patterns of convolutions; empty for all.
        arch: What to run the weights in, where they are not recognised.
        input_size: Spatial size of the input, where it is not the usual one.
        weights: ``auto``, ``ema`` or ``raw``.
        trust_pickle: Let a pickled file run its code.
        telling: Is told what is being done.

    Raises:
        InfoflowError: The request, the file or the data cannot be served; one sentence says why.
    """
    if by not in METHODS:
        raise SelectionError(f"Filters cannot be chosen by {by!r}; {nearest(by, METHODS)}.")
    if not 0 < share < 1:
        raise SelectionError(f"A share of {share:g} is not between 0 and 1, such as 0.2.")
    checkpoint = (
        source
        if isinstance(source, Checkpoint)
        else open_checkpoint(source, weights=weights, trust_pickle=trust_pickle)
    )
    network = runnable(checkpoint, arch=arch, input_size=input_size)
    request = ActivationRequest(data) if isinstance(data, str) else data
    request = replace(request, input_size=request.input_size or input_size)
    run = PruningRun(network, request, layers, share, across_layers, merge, telling)
    effects = run.effects(by)
    removed = run.candidates(by, request.seed)
    zeroed = run.without(removed)
    smaller = run.smaller(zeroed, removed) if remove else Cut(zeroed)
    changes = Changes(network.module.state_dict(), zeroed.state_dict(), smaller.gone)
    file = stored(checkpoint, changes)
    return Pruned(
        source=checkpoint.path,
        method=by,
        share=share,
        across_layers=across_layers,
        filters=run.filters,
        layers=run.layers,
        removed=removed,
        merged=run.merged(removed),
        taken_out=smaller.removed,
        zeroed=smaller.stayed,
        new_shapes=_shapes(smaller),
        effects=effects,
        data=run.data.description,
        preprocessing=run.data.preprocessing,
        notes=(*network.notes, *run.data.notes, *run.notes, *file.notes),
        module=smaller.module.cpu(),
        tensors=file.tensors,
        metadata=told(network, arch, done(removed, smaller, run.filters, by)),
    )


def done(removed: Sequence[Candidate], smaller: Cut, filters: int, by: str) -> str:
    """What was done, in words."""
    said = f"{len(removed)} of {filters} filters made dead, by {by}"
    gone = sum(map(len, smaller.removed.values()))
    return f"{said}; {gone} of them taken out" if gone else said


def _shapes(smaller: Cut) -> dict[str, tuple[int, ...]]:
    state = smaller.module.state_dict()
    return {name: tuple(state[name].shape) for name in smaller.gone}
