"""Checkpoint files: one file a format, recognised by content, read without torch."""

from __future__ import annotations

import os
from pathlib import Path

from infoflow.checkpoints import folder, sharded
from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor
from infoflow.checkpoints.contents import Contents, Format
from infoflow.checkpoints.faults import ReadError, reading
from infoflow.checkpoints.foreign import what_it_is
from infoflow.checkpoints.single_files import SINGLE_FILES
from infoflow.checkpoints.source import head
from infoflow.checkpoints.unwrapping import checkpoint
from infoflow.errors import SelectionError

__all__ = ["FORMATS", "Checkpoint", "Contents", "Format", "StoredTensor", "open_checkpoint"]

_WEIGHTS = ("auto", "ema", "raw")

FORMATS: tuple[Format, ...] = (
    Format(
        folder.NAME,
        "Hugging Face model folders: config.json beside model.safetensors, pytorch_model.bin or an "
        "index",
        True,
        folder.sniff,
        folder.open,
    ),
    *SINGLE_FILES,
    Format(
        sharded.NAME,
        "an index (*.index.json) of safetensors or PyTorch files beside it",
        True,
        sharded.sniff,
        sharded.open,
    ),
)
"""Every format that is read, in the order in which they are tried."""


def open_checkpoint(
    path: str | os.PathLike[str], *, weights: str = "auto", trust_pickle: bool = False
) -> Checkpoint:
    """Opens a checkpoint of any format in ``FORMATS``, recognised by its content.

    Tensors are described, not read: each is read when its ``load`` is called. The
    file's code never runs, unless ``trust_pickle`` says that it may; it is used only for
    files that cannot be read without.

    Args:
        path: A file, an index of shards, or a model folder.
        weights: ``auto`` takes raw weights before averaged (EMA) ones; ``raw`` and ``ema`` insist.
        trust_pickle: Lets torch load what the restricted reader refuses.

    Returns:
        The network's tensors. ``digest()`` is the SHA-256 of the file; for shards the SHA-256 of
        their sorted hexadecimal SHA-256, each followed by a line feed.

    Raises:
        CheckpointError: One sentence with the path: missing, unreadable, damaged, unknown, or
            without the weights asked for.
        UnsafeCheckpointError: Needs code to load; names the class and the flag.
        MissingDependencyError: Needs torch, and torch is not there.
        SelectionError: ``weights`` is none of the three.
    """
    if weights not in _WEIGHTS:
        raise SelectionError(f"weights is {weights!r}; choose one of {', '.join(_WEIGHTS)}")
    shown = os.fspath(path)
    with reading(shown):
        if "\0" in shown:
            raise ReadError("is not a path: it holds a zero byte")
        beginning = b"" if Path(shown).is_dir() else head(Path(shown))
        for kind in FORMATS:
            if kind.sniff(beginning, Path(shown)):
                return checkpoint(shown, kind.open(Path(shown), trust_pickle), weights)
        raise ReadError(what_it_is(beginning))
