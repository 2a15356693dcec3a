"""From what a format yields to the network's tensors: nesting, wrappers, averaged weights."""

from __future__ import annotations

from dataclasses import replace

from infoflow.checkpoints.averages import choose
from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.faults import ReadError, listed, naming, quoted
from infoflow.checkpoints.nesting import Search
from infoflow.checkpoints.prefixes import stripped


def checkpoint(path: str, contents: Contents, weights: str) -> Checkpoint:
    """The checkpoint in a file's contents.

    Args:
        path: As the user gave it; failures of later reading name it.
        contents: What the format's reader found.
        weights: ``auto``, ``ema`` or ``raw``.

    Raises:
        ReadError: where there is no state dict, or not the weights asked for.
    """
    found = Search(contents.is_tensor, lambda leaf: _number(contents, leaf)).run(
        contents.root, weights
    )
    notes = [*contents.notes, *found.notes]
    names, removed = stripped(found.tensors, lightning=found.lightning)
    chosen = choose({new: old for old, new in names.items()}, weights, averaged=found.averaged)
    again, more = stripped(chosen.names, lightning=found.lightning)
    removed += [prefix for prefix in more if prefix not in removed]
    if removed:
        notes.append(f"Removed from the names: {listed(removed)}.")
    notes += chosen.notes
    tensors = {}
    for name, old in chosen.names.items():
        new = again[name]
        tensors[new] = _described(path, new, found.tensors[old], contents)
    return Checkpoint(
        path=path,
        format=contents.format,
        tensors=tensors,
        digest=naming(path, contents.digest),
        metadata={**found.metadata, **contents.metadata},
        notes=tuple(dict.fromkeys(notes)),
        check=naming(path, contents.check),
    )


def _described(path: str, name: str, leaf: object, contents: Contents) -> StoredTensor:
    try:
        stored = contents.stored(leaf)
    except ReadError as fault:
        raise type(fault)(f"the tensor {quoted(name)}: {fault}") from None
    return replace(stored, name=name, load=naming(f"{path}, tensor {quoted(name)}", stored.load))


def _number(contents: Contents, leaf: object) -> str | None:
    try:
        stored = contents.stored(leaf)
        return str(stored.load().item()) if stored.size == 1 else None
    except ReadError:
        return None
