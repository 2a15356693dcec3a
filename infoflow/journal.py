"""A file of the layers that are done, so that an interrupted analysis goes on where it was.

One JSON object a line: the first says which run it is, each further one holds a layer. A line is
written whole when its layer is done; one that was cut off is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infoflow.checkpoints.parts import weight_files
from infoflow.errors import OutputError, SelectionError
from infoflow.report import Measurement, Series

_BEGINNING = b'{"infoflow": "journal"'
"""Of every first line."""

Done = tuple[tuple[Measurement, ...], tuple[Series, ...]]


class Journal:
    """The layers that are done, on disk.

    Args:
        path: The file; made where it is not there.
        identity: What must be the same for its layers to be taken: the checkpoint's files, the
            measures, the seed, the version.

    Raises:
        SelectionError: The file is the journal of another run, or no journal.
        OutputError: It cannot be read or written.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        self.done: dict[str, Done] = {}
        with self._writing():
            self._load(dict(identity))
            self._file = path.open("ab", buffering=0)  # a failed line is not tried again at the end
            if path.stat().st_size == 0:
                self._line({"infoflow": "journal", "identity": dict(identity)})

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns a failure of the operating system into one sentence with the path."""
        try:
            yield
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(
                f"{self.path}: cannot keep the layers that are done: {reason}."
            ) from None

    def _load(self, identity: dict[str, str]) -> None:
        if not self.path.exists():
            return
        if not (self.path.is_file() or self.path.is_dir()):
            raise SelectionError(f"{self.path}: is no regular file, so that it keeps nothing.")
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        entries = [_object(line) for line in whole.splitlines()]
        if not entries and (_BEGINNING.startswith(raw) or raw.startswith(_BEGINNING)):
            os.truncate(self.path, 0)
            return
        first = entries[0] if entries else None
        if first is None or first.get("infoflow") != "journal":
            raise SelectionError(f"{self.path}: is no file that --resume made; name another.")
        known = first.get("identity", {})
        differing = sorted(
            key for key in {*known, *identity} if known.get(key) != identity.get(key)
        )
        if differing:
            raise SelectionError(
                f"{self.path}: holds layers of another run (not the same: {', '.join(differing)}); "
                "remove it, or name another file."
            )
        try:
            self.done.update(_done(entry) for entry in entries[1:])
        except (TypeError, KeyError, ValueError):
            raise SelectionError(f"{self.path}: is damaged; remove it to begin anew.") from None
        os.truncate(self.path, len(whole))

    def add(self, layer: str, rows: tuple[Measurement, ...], series: tuple[Series, ...]) -> None:
        """Keep a layer."""
        with self._writing():
            self._line(
                {
                    "layer": layer,
                    "rows": [asdict(row) for row in rows],
                    "series": [asdict(one) for one in series],
                }
            )

    def _line(self, entry: dict[str, Any]) -> None:
        left = (json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
        while left:  # one call writes at most 2 GiB, and on a disk that fills up what still fits
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Close the file; what it keeps stays."""
        with self._writing():
            self._file.close()


def stamps(path: Path, arch: str | None = None, *, journal: Path | None = None) -> str:
    """Name, size and time of change of every file that an analysis reads.

    They are too large to read for a digest.

    Args:
        path: The checkpoint (see `infoflow.checkpoints.parts.weight_files`).
        arch: Its architecture as it was named; a factory's file is one more.
        journal: The file that is being kept, which changes with every layer.
    """
    own = journal.resolve() if journal else None
    files = [file for file in weight_files(path) if file.resolve() != own]
    if arch and ".py:" in arch:
        files.append(Path(arch[: arch.rindex(":")]))
    found = ((file, file.stat()) for file in files if file.is_file())
    return ";".join(f"{file.name}:{facts.st_size}:{facts.st_mtime_ns}" for file, facts in found)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _done(entry: dict[str, Any] | None) -> tuple[str, Done]:
    if entry is None:
        raise ValueError("a line that is no JSON object")
    rows = tuple(Measurement(**row) for row in entry["rows"])
    return str(entry["layer"]), (rows, tuple(_series(series) for series in entry["series"]))


def _series(entry: dict[str, Any]) -> Series:
    return Series(**{**entry, "shape": tuple(entry["shape"]), "values": tuple(entry["values"])})
