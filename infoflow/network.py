"""A network opened for analysis: its tensors, what it was recognised as, and its layers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING

from infoflow.architectures import build, describe, fit, recognise, resize
from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.module import from_module
from infoflow.errors import (
    ArchitectureError,
    CheckpointError,
    MissingDependencyError,
    SelectionError,
)
from infoflow.layers import Plan, plan
from infoflow.words import plural, shape_text

if TYPE_CHECKING:
    from torch import nn

    from infoflow.architectures.architecture import Architecture
    from infoflow.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Opened:
    """A network opened for analysis: its tensors, what it was recognised as, and the plan."""

    checkpoint: Checkpoint
    architecture: Architecture | None
    plan: Plan


def open_network(
    source: str | PathLike[str] | nn.Module,
    *,
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
) -> Opened:
    """Open a checkpoint or a live module and plan its layers; no weight is read.

    Raises:
        CheckpointError: The file cannot be read, or holds nothing that can be analysed.
        ArchitectureError: The named architecture cannot be built or does not fit.
    """
    if isinstance(source, (str, PathLike)):
        checkpoint = open_checkpoint(fspath(source), weights=weights, trust_pickle=trust_pickle)
        checkpoint, architecture = _recognised(checkpoint, arch, input_size or _said(checkpoint))
    else:
        checkpoint = from_module(source)
        architecture = describe(source, input_size, name=type(source).__name__)
    planned = plan(checkpoint, architecture, input_size)
    if not planned.layers:
        kinds = sorted({record.reason for record in planned.records})
        count = len(planned.records)
        raise CheckpointError(
            f"{checkpoint.path}: nothing in it can be analysed; it holds {count} "
            f"{plural(count, 'tensor')} ({'; '.join(kinds[:3]) or 'none at all'})."
        )
    return Opened(checkpoint, architecture, planned)


OURS = "infoflow:"
"""Beginning of names of networks that a file may give for itself in the data-free way."""


def _said(checkpoint: Checkpoint) -> tuple[int, ...] | None:
    """The size of the input that a file which names its network gives in its metadata."""
    found = re.fullmatch(r"\d{1,4}x(\d{1,5})x(\d{1,5})", checkpoint.metadata.get("input_size", ""))
    if found is None or "architecture" not in checkpoint.metadata:
        return None
    return int(found[1]), int(found[2])


def _recognised(
    checkpoint: Checkpoint, arch: str | None, input_size: tuple[int, ...] | None
) -> tuple[Checkpoint, Architecture | None]:
    """What the file is: as named by the caller, by its tensors, or by its own metadata."""
    architecture = _architecture(checkpoint, arch, input_size)
    said = checkpoint.metadata.get("architecture", "")
    if architecture is not None or not said.startswith(OURS):
        return checkpoint, architecture
    try:
        return checkpoint, _architecture(checkpoint, said, input_size)
    except (ArchitectureError, MissingDependencyError) as error:
        note = (
            f"Its metadata name the network {said}, which cannot be built here ({error}): the "
            "sizes of the layers' inputs are not known."
        )
        return replace(checkpoint, notes=(*checkpoint.notes, note)), None


def _architecture(
    checkpoint: Checkpoint, arch: str | None, input_size: tuple[int, ...] | None
) -> Architecture | None:
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    if arch:
        return fit(build(arch, input_size), shapes)
    architecture = recognise(shapes)
    if architecture is None or input_size is None:
        return architecture
    usual = architecture.input_size
    if usual and len(usual) != len(input_size):
        raise SelectionError(
            f"{architecture.title} takes inputs of {len(usual)} spatial dimensions, such as "
            f"{size_text(usual)}; {size_text(input_size)} has {len(input_size)}."
        )
    return resize(architecture, input_size)


def size_text(size: tuple[int, ...] | None) -> str:
    """A size in words: ``224×224``, or ``not known``."""
    return shape_text(size) if size else "not known"
