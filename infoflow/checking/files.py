"""Where settings stand: ``infoflow.toml``, or ``[tool.infoflow]`` of ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infoflow.checking.settings import Settings, Vocabulary, settings_from
from infoflow.errors import CheckError

OWN = "infoflow.toml"
PROJECT = "pyproject.toml"


def find_settings(start: Path) -> Path | None:
    """The nearest settings file from a folder upwards, or None.

    The search ends at the root of the git repository; outside of one it does not leave the folder.

    Raises:
        CheckError: A folder holds both kinds, or a file that is not TOML.
    """
    for folder in _folders(start):
        own, project = folder / OWN, folder / PROJECT
        in_project = project.is_file() and _project_table(project) is not None
        if own.is_file() and in_project:
            raise CheckError(
                f"{own} and [tool.infoflow] of {PROJECT} beside it both hold settings; keep one, "
                "or name it with --config."
            )
        if own.is_file():
            return own
        if in_project:
            return project
    return None


def read_settings(path: Path, known: Vocabulary) -> Settings:
    """The settings of a file: of its ``[tool.infoflow]`` where it is a ``pyproject.toml``.

    Raises:
        CheckError: The file cannot be read, or something in it is not known or not of its kind.
    """
    if path.name != PROJECT:
        return settings_from(_toml(path), str(path), "", known)
    table = _project_table(path)
    if table is None:
        raise CheckError(f"{path}: it has no table [tool.infoflow].")
    return settings_from(table, str(path), "tool.infoflow.", known)


def _folders(start: Path) -> Iterator[Path]:
    folders = [start.absolute(), *start.absolute().parents]
    root = next((n for n, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    yield from folders[: root + 1]


def _project_table(path: Path) -> Any:
    """What stands under ``tool.infoflow``, or None."""
    tool = _toml(path).get("tool", {})
    return tool.get("infoflow") if isinstance(tool, dict) else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CheckError(f"{path}: cannot be read: {reason}.") from error
    except UnicodeDecodeError as error:
        raise CheckError(f"{path}: it is not UTF-8 text (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise CheckError(f"{path}: it is not TOML: {str(error).lower()}.") from error
    except (RecursionError, ValueError) as error:
        raise CheckError(
            f"{path}: it is not TOML that can be read: too deep or too long."
        ) from error
