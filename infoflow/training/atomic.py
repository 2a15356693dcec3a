"""Files that are there whole or not at all, even when the power goes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from infoflow.errors import OutputError

TEMPORARY = ".infoflow-"
"""Beginning of the names of files that are still being written."""


def write(path: Path, content: bytes) -> None:
    """Writes a file: beside its place first, to the disk, then renamed.

    Raises:
        OutputError: It cannot be written; what was there before still is.
    """
    save(lambda temporary: temporary.write_bytes(content), lambda digest: path)


def save(writing: Callable[[Path], object], place: Callable[[str], Path]) -> Path:
    """Writes a file whose name may depend on its SHA-256.

    Args:
        writing: Writes the temporary file that it is given.
        place: The file's place, from the digest of what was written.

    Raises:
        OutputError: It cannot be written; nothing is left behind.
    """
    folder = place("0" * 64).parent
    temporary = folder / f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
    try:
        writing(temporary)
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        target = place(digest)
        temporary.replace(target)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:  # torch tells a full disk in a RuntimeError
        temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        name = place("0" * 64)
        raise OutputError(f"{name}: cannot be written: {reason.lower()}.") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target


def clear(folder: Path) -> None:
    """Removes what an interrupted run was still writing."""
    for leftover in folder.rglob(f"{TEMPORARY}*.tmp"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
