"""From a checkpoint to a module: recognised or named, built, filled with the weights, tried."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from infoflow.architectures import build, cifar_resnet, fit, recognise
from infoflow.architectures.architecture import Architecture
from infoflow.architectures.factories import Blueprint, blueprint, package
from infoflow.architectures.spelling import modern
from infoflow.capture.undisturbed import uncompiled
from infoflow.checkpoints import Checkpoint, open_checkpoint
from infoflow.errors import ArchitectureError, first_line
from infoflow.maps import Tensors
from infoflow.maps import weights as weights_in
from infoflow.maps.weight import Weight
from infoflow.models.fitting import fit_sizes
from infoflow.words import counted, cut, shape_text

if TYPE_CHECKING:
    from infoflow.checkpoints.checkpoint import StoredTensor

SAFE = ("infoflow:", "torchvision:", "timm:")
"""Beginnings of names that a file may give for itself: no code of the file's choice is run."""

VISION_TRANSFORMERS = "torchvision:vit_"


@dataclass(frozen=True)
class Runnable:
    """A network that can be run.

    Args:
        module: In evaluation mode, on the CPU, float32, with the checkpoint's weights.
        architecture: As recognised or named.
        channels: That its first convolution takes, None where it has none.
        metadata: The file's.
        notes: What differs from the architecture.
    """

    module: nn.Module
    architecture: Architecture | None
    channels: int | None
    metadata: Mapping[str, str]
    notes: tuple[str, ...] = ()


def runnable(
    source: str | os.PathLike[str] | Checkpoint,
    *,
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
) -> Runnable:
    """The network of a checkpoint, built and filled with its weights.

    The tensors come through our own reader: no code of the file is run. A network that ``arch``
    names in a file of the user's is built by running that file.

    Args:
        source: A checkpoint file or folder, or one that is open.
        arch: ``torchvision:NAME``, ``timm:NAME``, ``infoflow:NAME`` or ``path/model.py:FACTORY``,
            for a file that is not recognised by itself.
        input_size: Spatial size of the input, where it is not the usual one.
        weights: ``auto``, ``ema`` or ``raw``.
        trust_pickle: Let a pickled file run its code.

    Raises:
        CheckpointError: The file, or one of its tensors, cannot be read.
        ArchitectureError: No network is known for it, or its weights do not fit; one sentence.
        MissingDependencyError: A package that builds the network is not there.
    """
    checkpoint = (
        source
        if isinstance(source, Checkpoint)
        else open_checkpoint(source, weights=weights, trust_pickle=trust_pickle)
    )
    held = weights_in(Tensors.of(checkpoint))
    shapes = {weight.tensor.name: weight.tensor.shape for weight in held}
    known, plan = _network(checkpoint, shapes, arch, input_size)
    module = uncompiled(_built(plan))
    state = _state(checkpoint, held, module.state_dict().keys())
    changes = fit_sizes(module, state)
    _filled(module, state, checkpoint.path, known)
    checkpoint.check()
    channels = first_channels(module)
    module.eval()
    if changes:
        _try(module, channels, input_size or known.input_size, checkpoint.path, known)
    notes = [*_one_of_several(known), *changes]
    return Runnable(module, known, channels, checkpoint.metadata, tuple(notes))


def _network(
    checkpoint: Checkpoint,
    shapes: Mapping[str, tuple[int, ...]],
    arch: str | None,
    input_size: tuple[int, ...] | None,
) -> tuple[Architecture, Blueprint]:
    if arch is None:
        known = recognise(shapes)
        said = checkpoint.metadata.get("architecture", "")
        if known is not None:
            return known, _recognised_plan(known, shapes)
        if not said.startswith(SAFE):
            raise ArchitectureError(
                f"{checkpoint.path} holds weights but no network, and they are of none that is "
                "known: say what to run them in with --arch torchvision:NAME, timm:NAME or "
                "path/model.py:FACTORY."
            )
        arch = said
    stored = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    return fit(build(arch, input_size), {**stored, **shapes}), blueprint(arch)


def _recognised_plan(known: Architecture, shapes: Mapping[str, tuple[int, ...]]) -> Blueprint:
    if known.name.startswith(cifar_resnet.PREFIX):
        variant = cifar_resnet.spelled(shapes)
        from infoflow.zoo import CifarResNet

        return Blueprint(lambda: CifarResNet(variant.depth, variant.shortcut, variant.head))
    plan = blueprint(known.name)
    if known.name.startswith(VISION_TRANSFORMERS) and known.input_size != plan.input_size:
        return replace(plan, make=partial(_vision_transformer, known))
    return plan


def _vision_transformer(known: Architecture) -> nn.Module:
    """One whose position embedding is for images of another size than usual."""
    models = package("torchvision.models", "torchvision", known.name)
    assert known.input_size is not None
    found: nn.Module = models.get_model(
        known.name.partition(":")[2], weights=None, image_size=known.input_size[0]
    )
    return found


def _built(plan: Blueprint) -> nn.Module:
    # The weights that are drawn here are overwritten; nobody's random numbers are used up.
    with torch.random.fork_rng(devices=[]):
        return plan.make()


def _state(checkpoint: Checkpoint, held: list[Weight], own: Set[str]) -> dict[str, Tensor]:
    """The file's tensors by the module's names; computed where the module has not what is stored.

    So a file of pruned, weight-normed or packed weights runs in a plain module, and in a module
    that computes them itself.
    """
    state: dict[str, Tensor] = {}
    for weight in held:
        names = {modern(role.name): role.name for role in weight.roles}
        if names.keys() <= own or not weight.computed:
            state |= {new: _number(checkpoint.tensors[old]) for new, old in names.items()}
        elif weight.factored or weight.tensor.unread:
            why = weight.tensor.unread or "is kept as a product of low rank"
            raise ArchitectureError(f"{checkpoint.path} cannot be run: {weight.tensor.name} {why}.")
        else:
            state[modern(weight.tensor.name)] = _number(weight.tensor)
    return state


def _one_of_several(known: Architecture) -> list[str]:
    if " or " not in known.title:
        return []
    return [
        f"Run as {known.name}, the first of {known.title}: their names and shapes are the same."
    ]


def _number(tensor: StoredTensor) -> Tensor:
    array: np.ndarray[Any, Any] = np.asarray(tensor.load())
    if array.dtype.kind in "fV":  # ml_dtypes' numbers have the kind V
        array = array.astype(np.float32)
    return torch.from_numpy(np.array(array, order="C"))


def _filled(module: nn.Module, state: Mapping[str, Tensor], path: str, known: Architecture) -> None:
    """Loads the weights, each of them, and none less."""
    own = module.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    given = {own[name].data_ptr() for name in own.keys() & state.keys()}
    tied = {name for name in own.keys() - state.keys() if own[name].data_ptr() in given}
    missing = sorted(own.keys() - state.keys() - counters - tied)
    extra = sorted(state.keys() - own.keys())
    wrong = sorted(n for n in own.keys() & state.keys() if own[n].shape != state[n].shape)
    whole = sorted(
        name
        for name in own.keys() & state.keys()
        if own[name].is_floating_point() and not state[name].is_floating_point()
    )
    faults = []
    if whole:
        faults.append(f"{len(whole)} stored as whole numbers ({cut(whole, 3)})")
    if missing:
        faults.append(f"{counted(len(missing), 'tensor')} missing ({cut(missing, 3)})")
    if extra:
        faults.append(f"{len(extra)} that it has no place for ({cut(extra, 3)})")
    if wrong:
        shapes = (
            f"{name} is {shape_text(tuple(state[name].shape))}, not "
            f"{shape_text(tuple(own[name].shape))}"
            for name in wrong
        )
        faults.append(f"{len(wrong)} of another shape ({cut(list(shapes), 2)})")
    if faults:
        raise ArchitectureError(
            f"{path} cannot be run as {known.title}: {'; '.join(faults)}. Say what network it is "
            "with --arch, or leave --data out."
        )
    module.load_state_dict(dict(state), strict=False)  # what may be missing was told above


def _try(
    module: nn.Module,
    channels: int | None,
    size: tuple[int, ...] | None,
    path: str,
    known: Architecture,
) -> None:
    """Runs a network of unusual sizes once: do its layers fit each other?"""
    if channels is None or size is None:
        return
    try:
        with torch.no_grad():
            module(torch.zeros(1, channels, *size))
    except RuntimeError as error:
        raise ArchitectureError(
            f"{path} cannot be run as {known.title}: its layers are in other sizes than usual, and "
            f"do not fit each other there ({first_line(error)}). Give the code that builds it with "
            "--arch path/model.py:FACTORY."
        ) from error


def first_channels(module: nn.Module) -> int | None:
    """Channels that the first two-dimensional convolution takes, None where there is none."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels
    return None
