"""Reports in JSON files: which files are some, and reading them."""

from __future__ import annotations

from pathlib import Path

from infoflow.checkpoints import sharded
from infoflow.checkpoints.faults import reading
from infoflow.checkpoints.source import Source, head
from infoflow.errors import ReportError
from infoflow.render.to_json import from_json_list
from infoflow.report import Report


def is_report(path: Path) -> bool:
    """Whether a file is to be read as a report and not as a checkpoint, whatever its name.

    It is where it begins as JSON text does and is no index of a sharded checkpoint; that it holds
    a report shows when it is read.

    Raises:
        CheckpointError: It cannot be looked into.
    """
    if path.is_dir():
        return False
    with reading(path):
        beginning = head(path)
        is_json = beginning.lstrip()[:1] in (b"{", b"[") and b"\0" not in beginning
        return is_json and not sharded.sniff(beginning, path)


def read_reports(path: Path) -> list[Report]:
    """The reports of a JSON file, which holds one or a list of some.

    Raises:
        CheckpointError: The file is missing, or cannot be read.
        ReportError: It holds no report; one sentence says why.
    """
    with reading(path):
        file = Source(path)
        raw = file.read(0, file.size)
    try:
        reports = from_json_list(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: it is not UTF-8 text (byte {error.start}).") from error
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error
    if not reports:
        raise ReportError(f"{path}: it is a list of no reports.")
    return reports
