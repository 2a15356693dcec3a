"""Which table is used, and where the user's own is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from infoflow.errors import ReferenceTableError
from infoflow.reference.storing import from_json
from infoflow.reference.table import Table
from infoflow.words import counted


@dataclass(frozen=True)
class Reference:
    """A table and what a report says of where it came from; an empty table places nothing."""

    table: Table
    source: str

    @property
    def sentence(self) -> str:
        """For a report's settings: what was compared with, so that it can be repeated."""
        if not self.table.networks:
            return "none"
        networks = counted(len(self.table.networks), "network")
        count = sum(sum(network.layers.values()) for network in self.table.networks)
        layers = counted(count, "layer")
        return f"{self.source}: {layers} of {networks}, SHA-256 {self.table.digest}"


def user_file() -> Path:
    """Where the user's own networks are kept: ``INFOFLOW_REFERENCE``, else `default_file`."""
    named = os.environ.get("INFOFLOW_REFERENCE")
    return Path(named) if named else default_file()


def default_file() -> Path:
    """Where they are kept unless somebody says otherwise; its folder is made when it is needed.

    ``infoflow/reference.json`` in ``XDG_DATA_HOME`` (``~/.local/share`` where that is not set to
    an absolute path, as its standard has it).
    """
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (
        data if data.is_absolute() else Path.home() / ".local/share"
    ) / "infoflow/reference.json"


def shipped() -> Table:
    """The table that infoflow ships."""
    text = resources.files("infoflow.reference").joinpath("healthy.json").read_text("utf-8")
    return from_json(text, "the shipped table")


def read(path: Path) -> Table:
    """The table in a file.

    Raises:
        ReferenceTableError: There is none, or it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ReferenceTableError(f"{path}: there is no such table of healthy networks.") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ReferenceTableError(f"{path}: cannot be read: {reason}.") from error
    except UnicodeDecodeError:
        raise ReferenceTableError(
            f"{path}: the table of healthy networks is damaged: it is not JSON."
        ) from None
    return from_json(text, str(path))


def own() -> Table:
    """The user's own table, empty where there is none yet.

    Raises:
        ReferenceTableError: It is there and cannot be read.
    """
    path = user_file()
    return read(path) if path.exists() else Table()


def choose(word: str) -> Reference:
    """The table that ``--reference`` names.

    Args:
        word: ``default`` (the shipped table and the user's own), ``shipped``, ``none``, or a file
            that holds a table, which is then used alone.

    Raises:
        ReferenceTableError: A table is damaged, or there is no such file.
    """
    if word == "none":
        return Reference(Table(), "none")
    if word == "shipped":
        return Reference(shipped(), "shipped")
    if word == "default":
        mine = own()
        return Reference(shipped().merged(mine), "shipped and own" if mine.networks else "shipped")
    return Reference(read(Path(word)), Path(word).name)
