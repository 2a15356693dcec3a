"""Checkpoints of a run: two are kept, each with its checksum in its name, each written whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from infoflow.errors import TrainingError, first_line
from infoflow.training import atomic

FOLDER = "checkpoints"
KEPT = 2
NAME = re.compile(r"step-(\d{8,})\.([0-9a-f]{16})\.pt")

State = dict[str, Any]
Telling = Callable[[str], None]


def save(run: Path, step: int, state: State) -> Path:
    """Writes the checkpoint after a step, and removes all but the newest two.

    Raises:
        OutputError: It cannot be written; the ones before are still there.
    """
    folder = run / FOLDER
    written = atomic.save(
        lambda place: torch.save(state, place),
        lambda digest: folder / f"step-{step:08}.{digest[:16]}.pt",
    )
    for old in _files(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return written


def newest(run: Path, telling: Telling) -> State | None:
    """The newest checkpoint that is whole; None where the run has not come to one.

    Args:
        run: Its folder.
        telling: Is told of every damaged one that is passed over.

    Raises:
        TrainingError: There are some, and all are damaged.
    """
    files = _files(run / FOLDER)
    for place, file in enumerate(files):
        damage = _damage(file)
        if damage is None:
            if place:
                telling(f"Going on from {file.name}, the one before.")
            return _loaded(file)
        telling(f"{file} is damaged ({damage}).")
    if files:
        raise TrainingError(
            f"{run / FOLDER}: every checkpoint is damaged; begin anew with --overwrite."
        )
    return None


def steps(run: Path) -> list[int]:
    """Steps after which there are checkpoints, newest first."""
    return [int(_matched(file)[1]) for file in _files(run / FOLDER)]


def _files(folder: Path) -> list[Path]:
    """Checkpoints, newest first."""
    return sorted(_named(folder), key=lambda file: int(_matched(file)[1]), reverse=True)


def _named(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (file for file in folder.iterdir() if NAME.fullmatch(file.name))


def _matched(file: Path) -> re.Match[str]:
    found = NAME.fullmatch(file.name)
    assert found is not None
    return found


def _damage(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None if digest[:16] == _matched(file)[2] else "its checksum is another"


def _loaded(file: Path) -> State:
    try:
        found: State = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of another version of torch, or of no run of ours
        raise TrainingError(f"{file} cannot be read: {first_line(error)}") from error
    return found
