"""What lies in a zip archive, so that archives of several kinds can be told apart."""

from __future__ import annotations

from pathlib import Path

from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.zip_archive import directory

BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")


def names_within(head: bytes, path: Path) -> frozenset[str]:
    """The names of an archive's members; empty for any other file, and for a damaged one."""
    if head[:4] not in BEGINNINGS:
        return frozenset()
    try:
        return frozenset(member.filename for member in directory(Source(path)))
    except ReadError:
        return frozenset()


def folder_of(name: str, names: frozenset[str]) -> str | None:
    """The folder (with its slash, ``""`` for none) in which a member lies, None without it.

    >>> folder_of("data.pkl", frozenset({"net/data.pkl", "net/version"}))
    'net/'
    """
    if name in names:
        return ""
    found = (n for n in names if n.endswith(f"/{name}") and n.count("/") == 1 + name.count("/"))
    return next((n.removesuffix(name) for n in sorted(found)), None)
