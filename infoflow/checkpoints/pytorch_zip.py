"""PyTorch's files since 1.6: a zip archive of one pickle and one member a storage.

``NAME/data.pkl`` is the object, ``NAME/data/KEY`` the bytes of a storage,
``NAME/byteorder`` their order. torch stores the members uncompressed, so that a tensor
can be mapped where it lies in the file; compressed ones are read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.dtypes import STORED_ITEMSIZE
from infoflow.checkpoints.faults import ReadError, UnsafeReadError, quoted
from infoflow.checkpoints.layout import Layout
from infoflow.checkpoints.pickles import Machine
from infoflow.checkpoints.pytorch_pickle import is_tensor, stored
from infoflow.checkpoints.rebuilding import StorageReference
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.zip_archive import Archive, archive_of, directory

NAME = "PyTorch zip file"


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file begins as zip archives do; ``open`` tells the others apart."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the directory and the pickle; the tensors stay in the file."""
    source = Source(path)
    archive = _archive(source)
    pickle = archive.pickle("data.pkl")
    try:
        root = Machine(pickle).run()
    except UnsafeReadError:
        if not trust_pickle:
            raise
        from infoflow.checkpoints import trusted

        return trusted.contents(source, NAME)
    return Contents(
        NAME,
        root,
        source.digest,
        is_tensor=is_tensor,
        stored=describing(archive),
        check=source.check,
    )


def describing(archive: Archive, folder: str = "data/") -> Callable[[object], StoredTensor]:
    """What describes a tensor of a pickle whose storages are the members of a folder."""
    swapped = _order(archive) != sys.byteorder
    return partial(
        stored,
        check=partial(_check, archive, folder),
        read=partial(_read, archive, folder, swapped),
    )


def _archive(source: Source) -> Archive:
    """The archive of a state dict, its members by their names in it.

    Raises:
        ReadError: for a damaged archive, and for one that is not a PyTorch state dict.
    """
    every = directory(source)
    names = [member.filename for member in every]
    prefix = next((n.removesuffix("data.pkl") for n in names if _is_pickle(n)), None)
    if prefix is None:
        raise ReadError(_other(names))
    return archive_of(source, every, prefix)


def _is_pickle(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _other(names: list[str]) -> str:
    """The fact about an archive without a pickle."""
    if names and all(name.endswith(".npy") for name in names):
        return "is a NumPy .npz file, which is not read yet"
    start = "is a zip archive, but not one that torch.save wrote"
    pickle = next((name for name in names if _parts(name)[-1] == "data.pkl"), None)
    if pickle is None:
        return f"{start} (it has no data.pkl)"
    if _leads_out(pickle):
        return f"{start} (its member {quoted(pickle)} leads out of the archive)"
    return f"{start} (its {quoted(pickle)} does not lie in a folder of the archive's own)"


def _leads_out(name: str) -> bool:
    """Whether unpacking a member would write outside the folder: absolute, a drive, or ``..``."""
    first, *_ = parts = _parts(name)
    return not first or first.endswith(":") or ".." in parts


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _order(archive: Archive) -> str:
    member = archive.members.get("byteorder")
    order = archive.read(member) if member and member.file_size < 100 else b"little"
    if order not in (b"little", b"big"):
        raise ReadError("damaged: its byte order is neither little nor big")
    return order.decode()


def _check(archive: Archive, folder: str, storage: StorageReference) -> None:
    member = archive.members.get(f"{folder}{storage.key}")
    if member is None:
        raise ReadError(f"damaged: its storage {quoted(storage.key)} is not in the file")
    expected = storage.count * STORED_ITEMSIZE[storage.dtype]
    if member.file_size == 0 != expected:
        raise ReadError("has no data in the file (it was saved from the meta device)")
    if member.file_size != expected:
        raise ReadError(
            f"damaged: its storage {quoted(storage.key)} has {member.file_size:,} bytes "
            f"instead of {expected:,}"
        )
    archive.refuse_unread(member)
    if archive.is_stored(member):
        archive.offset(member)


def _read(
    archive: Archive,
    folder: str,
    swapped: bool,
    storage: StorageReference,
    start: int,
    layout: Layout,
) -> np.ndarray[Any, Any]:
    member = archive.members[f"{folder}{storage.key}"]
    if not archive.is_stored(member):
        return layout.view(archive.read(member), start, swapped=swapped)
    begin = archive.offset(member)
    return layout.view(archive.source.mapped(), begin + start, swapped=swapped)
