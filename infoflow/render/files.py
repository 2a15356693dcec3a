"""Writing outputs so that each file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from infoflow.errors import OutputError
from infoflow.render.text import printable

Content = bytes | Callable[[IO[bytes]], object]
"""What a file will hold: its bytes, or what writes them where they are too many to hold twice."""


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; line ends stay as they are.

    Raises:
        OutputError: The file cannot be written; nothing is left behind.
    """
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """The text in UTF-8; a lone surrogate of a name, which UTF-8 cannot say, as its escape."""
    return text.encode("utf-8", errors="backslashreplace")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes, whole or not at all.

    Raises:
        OutputError: The file cannot be written; nothing is left behind.
    """
    write_all({Path(path): content})


def write_all(contents: Mapping[Path, Content]) -> None:
    """Write several files: each beside its place first, and all renamed once all are written.

    A symbolic link is written through. A device or a pipe (``/dev/null``) is written to, not
    replaced. A file that is there keeps its permissions.

    Raises:
        OutputError: One of them cannot be written; no temporary file is left behind. Where the
            writing fails nothing has changed but devices; should a renaming fail, which is rare,
            the files renamed before it stay.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in contents.items():
            if (temporary := _stage(path, content)) is not None:
                staged.append((temporary, path.resolve()))
        while staged:
            temporary, target = staged[-1]
            try:
                temporary.replace(target)
            except OSError as error:
                raise _refusal(target, error) from error
            staged.pop()
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)


def make_folder(path: str | Path) -> Path:
    """The folder, made with its parents where it is not there.

    Raises:
        OutputError: It cannot be made, or something else is in its place.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(
            f"{printable(str(path))}: cannot hold outputs, because it is a file and not a folder."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{printable(str(path))}: the folder cannot be made: {_reason(error)}."
        ) from error
    return folder


def _stage(path: Path, content: Content) -> Path | None:
    """The temporary file beside ``path``; None where ``path`` is a device and was written to."""
    try:
        present = path.stat()
    except FileNotFoundError:
        present = None
    except OSError as error:
        raise _refusal(path, error) from error
    name = printable(str(path))
    if present is not None and stat.S_ISDIR(present.st_mode):
        raise OutputError(f"{name}: cannot be written, because it is a folder; name a file in it.")
    if present is not None and not os.access(path, os.W_OK):
        raise OutputError(f"{name}: cannot be written, because the file is write-protected.")
    if present is not None and not stat.S_ISREG(present.st_mode):
        # Renaming onto a device would replace it (as root, even /dev/null).
        _write(path, path, os.O_WRONLY, content)
        return None
    target = path.resolve()
    if not target.parent.is_dir():
        folder = printable(str(target.parent))
        raise OutputError(f"{name}: cannot be written, because there is no folder {folder}.")
    temporary = target.with_name(f".infoflow-{secrets.token_hex(8)}.tmp")
    _write(path, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, content)
    if present is not None:
        temporary.chmod(stat.S_IMODE(present.st_mode))
    return temporary


def _write(path: Path, place: Path, flags: int, content: Content) -> None:
    """Write to ``place``; errors speak of ``path``. A file made here does not outlive an error."""
    try:
        with os.fdopen(os.open(place, flags, 0o666), "wb") as file:
            file.write(content) if isinstance(content, bytes) else content(file)
    except BaseException as error:
        if flags & os.O_CREAT and not isinstance(error, FileExistsError):
            place.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _refusal(path, error) from error
        raise


def _refusal(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(str(path))}: cannot be written: {_reason(error)}.")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
