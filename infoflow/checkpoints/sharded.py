"""Sharded checkpoints: a JSON index that says which file beside it holds which tensor.

The index may name files of its own folder only. Symbolic links there are followed wherever they
lead: Hugging Face's cache keeps its files so, and links are made by whoever made the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.digests import digest_of
from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.checkpoints.json_objects import parse_json
from infoflow.checkpoints.natural import natural
from infoflow.checkpoints.single_files import open_one
from infoflow.checkpoints.source import Source
from infoflow.words import counted

NAME = "sharded checkpoint"
_LONGEST_INDEX = 2**26


@dataclass(frozen=True)
class Part:
    """A tensor of one shard."""

    shard: Contents
    leaf: object


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file is a JSON object with a ``weight_map``."""
    if not head.lstrip().startswith(b"{") or path.stat().st_size > _LONGEST_INDEX:
        return False
    return b'"weight_map"' in path.read_bytes()


def open(path: Path, trust_pickle: bool) -> Contents:
    """Opens every shard; the tensors stay in their files."""
    source = Source(path)
    if source.size > _LONGEST_INDEX:
        raise ReadError(f"is an index of more than {_LONGEST_INDEX:,} bytes")
    index = parse_json(source.read(0, source.size), "the index")
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ReadError("damaged: its weight_map names no tensors")
    for name, file in places.items():
        if not isinstance(file, str) or not _is_plain(file):
            raise ReadError(f"the shard of {quoted(name)} is not in the index's own folder")
    files = sorted(set(places.values()), key=natural)
    missing = [file for file in files if not (path.parent / file).is_file()]
    if missing:
        raise ReadError(
            f"{_shards(missing)} {listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    shards = {file: open_one(path.parent / file, trust_pickle) for file in files}
    kinds = sorted({shard.format for shard in shards.values()})
    root, notes = _joined(places, shards)
    return Contents(
        f"{counted(len(files), 'shard')}: {', '.join(kinds)}",
        root,
        lambda: digest_of(shard.digest() for shard in shards.values()),
        is_tensor=lambda leaf: isinstance(leaf, Part),
        stored=_stored,
        metadata={k: v for shard in shards.values() for k, v in shard.metadata.items()},
        notes=notes,
        check=partial(_check, shards.values()),
    )


def _check(shards: Iterable[Contents]) -> None:
    for shard in shards:
        shard.check()


def _is_plain(file: str) -> bool:
    return bool(file) and file not in (".", "..") and not set(file) & set("/\\\0:")


def _shards(files: list[str]) -> str:
    return "the shard" if len(files) == 1 else "the shards"


def _joined(
    places: dict[str, str], shards: dict[str, Contents]
) -> tuple[dict[str, Part], tuple[str, ...]]:
    root: dict[str, Part] = {}
    unlisted: list[str] = []
    for file, shard in shards.items():
        if not isinstance(shard.root, dict):
            raise ReadError(f"{quoted(file)} holds no state dict")
        for name, leaf in shard.root.items():
            if not isinstance(name, str) or not shard.is_tensor(leaf):
                continue
            if places.get(name, file) != file:
                continue  # the index takes it from another shard
            if name not in places:
                unlisted.append(name)
            root.setdefault(name, Part(shard, leaf))
    lacking = [name for name in places if name not in root]
    if lacking:
        raise ReadError(
            f"{quoted(places[lacking[0]])} does not hold {listed(lacking)}, as the index says"
        )
    if not unlisted:
        return root, ()
    return root, (f"The index does not list {listed(unlisted)}, taken from the shards.",)


def _stored(leaf: object) -> StoredTensor:
    assert isinstance(leaf, Part)
    return leaf.shard.stored(leaf.leaf)
