"""What a format yields: an object with tensors somewhere in it, before any unwrapping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.source import Source
from infoflow.facts import ParameterFacts


def _is_stored(leaf: object) -> bool:
    return isinstance(leaf, StoredTensor)


def _stored(leaf: object) -> StoredTensor:
    assert isinstance(leaf, StoredTensor)
    return leaf


def _nothing() -> None:
    """Of contents that no file can change."""


@dataclass(frozen=True)
class Contents:
    """A file as its format says it is.

    Args:
        format: For people: ``PyTorch zip file``.
        root: The object in the file: mappings, lists, numbers, text, and tensors as leaves.
        digest: Computes the SHA-256.
        is_tensor: Whether a leaf is a tensor (perhaps one that cannot be read).
        stored: Describes a leaf; raises ``ReadError`` where it cannot be read. By default, leaves
            are ``StoredTensor`` already.
        metadata: What the format itself says.
        notes: Sentences about what was chosen.
        check: Raises ``ReadError`` where the file is no longer the one that was opened.
    """

    format: str
    root: object
    digest: Callable[[], str]
    is_tensor: Callable[[object], bool] = _is_stored
    stored: Callable[[object], StoredTensor] = _stored
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    check: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A tensor as a leaf: what describes it, and what the file's code or graph says of it."""

    describe: Callable[[], StoredTensor]
    facts: ParameterFacts | None


def _described(leaf: object) -> StoredTensor:
    assert isinstance(leaf, Described)
    tensor = leaf.describe()
    fits = leaf.facts is not None and leaf.facts.fits(tensor.shape)
    return replace(tensor, facts=leaf.facts if fits else None)


def described(
    name: str, source: Source, leaves: Mapping[str, Described], notes: Iterable[str]
) -> Contents:
    """A file of tensors by name, of which its code or graph says more."""
    return Contents(
        name,
        leaves,
        source.digest,
        is_tensor=lambda leaf: isinstance(leaf, Described),
        stored=_described,
        notes=tuple(notes),
        check=source.check,
    )


@dataclass(frozen=True)
class Format:
    """A format that is read: one file, one row in ``FORMATS``.

    Args:
        name: For people.
        summary: One phrase: which files these are.
        memory_mapped: Whether tensors are mapped instead of read.
        sniff: Whether these first bytes (empty for a folder) begin a file of this format.
        open: Reads everything but the tensors. The flag says whether the file's own code may run.
        extra: The extra of infoflow that it needs, or ``""``.
    """

    name: str
    summary: str
    memory_mapped: bool
    sniff: Callable[[bytes, Path], bool]
    open: Callable[[Path, bool], Contents]
    extra: str = ""
