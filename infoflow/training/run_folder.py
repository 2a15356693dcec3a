"""The folder of a run: what made it, its metrics, its checkpoints, what came of it."""

from __future__ import annotations

import csv
import errno
import io
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infoflow.architectures.factories import package
from infoflow.errors import OutputError, TrainingError
from infoflow.training import atomic
from infoflow.training.checkpointing import FOLDER
from infoflow.training.reading import from_tables, to_tables
from infoflow.training.settings import Settings

RUN = "run.toml"
METRICS = "metrics.csv"
FIRST = "first.safetensors"
MODEL = "model.safetensors"

MUST_MATCH = ("threads", "workers", "processes", "device", "data", "source")
"""Of ``[made]``: what a run that goes on must share with its beginning."""


class RunFolder:
    """A run's folder, opened for writing.

    Args:
        path: Of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def holds_a_run(self) -> bool:
        """Whether somebody began a run here."""
        return (self.path / RUN).exists()

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return (self.path / MODEL).exists()

    def refuse_mixing(self, *, resume: bool, overwrite: bool) -> None:
        """Refuses a folder that cannot take this run, before any work.

        Raises:
            TrainingError: It holds a run and nobody said what to do, or holds none to go on from.
            OutputError: It is no folder, or holds other things.
        """
        if resume and overwrite:
            raise TrainingError("--resume and --overwrite cannot both be done.")
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file, not a folder for a run.")
        if self.holds_a_run and not (resume or overwrite):
            raise TrainingError(
                f"{self.path} already holds a run: go on with --resume, begin anew with "
                "--overwrite, or name another folder with --out."
            )
        if resume and not self.holds_a_run:
            raise TrainingError(f"{self.path} holds no run to resume (there is no {RUN}).")
        inside = self.path.rglob("*") if not self.holds_a_run and self.path.is_dir() else ()
        # A run that was killed in its first moment leaves folders and what it was writing.
        if any(one.is_file() and not one.name.startswith(atomic.TEMPORARY) for one in inside):
            raise OutputError(
                f"{self.path}: is a folder with other things in it; name a new one with --out."
            )

    def begin(self, settings: Settings, made: Mapping[str, Any]) -> None:
        """Empties the folder of an earlier run and writes what makes this one."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._remove_run()
            (self.path / FOLDER).mkdir(exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"{self.path}: cannot hold a run: {reason}.") from error
        writer = package("tomli_w", "tomli-w", "training", "install infoflow[train]")
        text = writer.dumps({**to_tables(settings), "made": dict(made)}, multiline_strings=False)
        atomic.write(self.path / RUN, text.encode("utf-8"))

    def recorded(self) -> tuple[Settings, dict[str, Any]]:
        """The settings of the run that is here, and what it was made by and on.

        Raises:
            TrainingError: Its ``run.toml`` cannot be read.
        """
        file = self.path / RUN
        try:
            tables = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"{file} cannot be read: {error}.") from error
        made = tables.pop("made", {})
        return from_tables(tables, str(file)), made

    def refuse_others(self, settings: Settings, made: Mapping[str, Any]) -> list[str]:
        """Refuses to go on with anything that would make another run.

        Returns:
            Sentences on what differs and may change figures in their last digits.

        Raises:
            TrainingError: The settings, the data or the machine's part in it differ.
        """
        before, once = self.recorded()
        differing = _differences(to_tables(before), to_tables(settings))
        differing += [
            f"{key} ({once.get(key)!r}, now {made[key]!r})"
            for key in MUST_MATCH
            if key in made and once.get(key) != made[key]
        ]
        if differing:
            raise TrainingError(
                f"{self.path} holds another run, which cannot go on as this one: "
                f"{'; '.join(differing[:3])}{' and more' if len(differing) > 3 else ''} differ."
            )
        return [
            f"The run began with {key} {once.get(key)} and goes on with {made[key]}: its figures "
            "may differ in their last digits from those of a run that was not interrupted."
            for key in ("torch", "infoflow")
            if key in made and once.get(key) != made[key]
        ]

    def _remove_run(self) -> None:
        atomic.clear(self.path)
        names = [RUN, METRICS, MODEL, "report.html", "report.json", "diff.html", "diff.json"]
        # The name that says that a run is here goes last.
        inside = [*(self.path / FOLDER).glob("*"), *(self.path / "tensorboard").glob("*")]
        for file in [*inside, *(self.path / name for name in reversed(names))]:
            if file.is_file():
                file.unlink()


class Metrics:
    """``metrics.csv``: rows are added, and forgotten again from the last checkpoint on.

    Args:
        run: The folder.
        columns: In order; a row may lack some.
        size: Bytes that count, None for a new file.

    Raises:
        TrainingError: The file is shorter than that.
    """

    def __init__(self, run: Path, columns: Sequence[str], size: int | None) -> None:
        self.columns = list(columns)
        place = run / METRICS
        if size is not None:
            have = place.stat().st_size if place.exists() else 0
            if have < size:
                raise TrainingError(
                    f"{place} has {have:,} bytes, fewer than the {size:,} that it had at the "
                    "last checkpoint: the run cannot go on."
                )
        self._file = place.open("r+b" if size is not None else "wb", buffering=0)
        self._file.truncate(size or 0)
        self._file.seek(size or 0)
        if not size:
            self._line(self.columns)

    def add(self, row: Mapping[str, object]) -> None:
        """Writes a row; numbers in full."""
        self._line([_text(row.get(column)) for column in self.columns])

    def sync(self) -> int:
        """Puts all rows on the disk; how many bytes they are."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refusal(error) from error
        return self._file.tell()

    def close(self) -> None:
        """Ends writing."""
        self._file.close()

    def _line(self, cells: Sequence[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        text = line.getvalue().encode("utf-8")
        try:
            if self._file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(f"{self._file.name}: cannot be written: {reason}.")


def _text(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    for section, value in after.items():
        once = before.get(section)
        if not isinstance(value, dict):
            found += [section] if once != value else []
            continue
        keys = dict.fromkeys([*value, *(once or {})])
        found += [
            f"{section}.{key} ({(once or {}).get(key)!r}, now {value.get(key)!r})"
            for key in keys
            if (once or {}).get(key) != value.get(key)
        ]
    return found
