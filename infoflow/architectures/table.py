"""The shipped table of fingerprints: one gzip member an architecture, read one at a time.

``fingerprints.json`` maps keys (`infoflow.architectures.fingerprint.key`) to names, and names
to the place of their member in ``fingerprints.json.gz``. ``zcat`` prints the whole table, one
line an architecture. `python -m infoflow.architectures.generate` makes both.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from infoflow.architectures.architecture import Architecture
from infoflow.architectures.fingerprint import Fingerprint, Shapes, compare, decide, key
from infoflow.facts import Geometry, Initialisation, ParameterFacts

FOLDER = Path(__file__).parent
INDEX = "fingerprints.json"
MEMBERS = "fingerprints.json.gz"

_GZIP = 31  # zlib's "window bits" for a gzip header and footer


@lru_cache(maxsize=4)
def index(folder: Path = FOLDER) -> Mapping[str, Any]:
    """Fields ``versions``, ``keys`` (key → names), ``members`` (name → offset and length)."""
    found: Mapping[str, Any] = json.loads((folder / INDEX).read_text("utf-8"))
    return found


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of all architectures of the table."""
    return tuple(index(folder)["members"])


def read(name: str, folder: Path = FOLDER) -> Fingerprint:
    """The fingerprint of that name."""
    offset, length = index(folder)["members"][name]
    with (folder / MEMBERS).open("rb") as file:
        file.seek(offset)
        return decode(name, file.read(length))


def recognise(shapes: Shapes, folder: Path = FOLDER) -> Architecture | None:
    """The architecture of the table that these names and shapes are of, None if none is."""
    candidates = index(folder)["keys"].get(key(shapes), ())
    matches = (compare(read(name, folder), shapes) for name in candidates)
    return decide([match for match in matches if match is not None])


def write(fingerprints: Sequence[Fingerprint], versions: Mapping[str, str], folder: Path) -> None:
    """Write both files; the same fingerprints give the same bytes."""
    keys: dict[str, list[str]] = {}
    members: dict[str, tuple[int, int]] = {}
    blob = b""
    for fingerprint in sorted(fingerprints, key=lambda f: f.architecture.name):
        name = fingerprint.architecture.name
        keys.setdefault(key(fingerprint.architecture.shapes), []).append(name)
        member = encode(fingerprint)
        members[name] = (len(blob), len(member))
        blob += member
    head = {"versions": dict(versions), "keys": dict(sorted(keys.items())), "members": members}
    (folder / MEMBERS).write_bytes(blob)
    (folder / INDEX).write_text(json.dumps(head, separators=(",", ":")) + "\n", "utf-8")


def encode(fingerprint: Fingerprint) -> bytes:
    """One gzip member with one line of JSON.

    Facts that tensors share stand once; a tensor has its shape, the number of its facts (−1
    for none) and, where there is one, the normalisation that follows it.
    """
    architecture = fingerprint.architecture
    rows: dict[str, int] = {}
    tensors: dict[str, list[Any]] = {}
    for name in dict.fromkeys([*architecture.shapes, *architecture.parameters]):
        facts = architecture.parameters.get(name)
        shape = architecture.shapes.get(name)
        row = -1
        if facts is not None:
            row = rows.setdefault(json.dumps(_plain(facts), separators=(",", ":")), len(rows))
        follower = [facts.normalisation] if facts is not None and facts.normalisation else []
        tensors[name] = [shape, row, *follower]
    plain = {
        "name": architecture.name,
        "title": architecture.title,
        "input_size": architecture.input_size,
        "note": architecture.note,
        "classes": fingerprint.classes,
        "head": dict(fingerprint.head),
        "optional": fingerprint.optional,
        "first": fingerprint.first,
        "facts": [json.loads(row) for row in rows],
        "tensors": tensors,
    }
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False) + "\n"
    return packer.compress(text.encode()) + packer.flush()


def decode(name: str, member: bytes) -> Fingerprint:
    """Inverse of `encode`."""
    plain = json.loads(zlib.decompress(member, _GZIP))
    rows = plain["facts"]
    # Facts without a follower are the same object for all tensors that share them.
    shared = [_facts(row, "") for row in rows]
    shapes: dict[str, tuple[int, ...]] = {}
    parameters: dict[str, ParameterFacts] = {}
    for tensor, (shape, row, *follower) in plain["tensors"].items():
        if shape is not None:
            shapes[tensor] = tuple(shape)
        if row >= 0:
            parameters[tensor] = _facts(rows[row], follower[0]) if follower else shared[row]
    architecture = Architecture(
        name=name,
        title=plain["title"],
        input_size=_tuple(plain["input_size"]),
        parameters=parameters,
        shapes=shapes,
        note=plain["note"],
    )
    return Fingerprint(
        architecture, plain["classes"], plain["head"], tuple(plain["optional"]), plain["first"]
    )


def _plain(facts: ParameterFacts) -> list[Any]:
    geometry, drawn = facts.geometry, facts.initialisation
    return [
        facts.kind,
        geometry
        and [
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            geometry.groups,
            geometry.transposed,
            geometry.padding_mode,
            geometry.output_padding,
            geometry.input_size,
        ],
        facts.epsilon,
        drawn and [drawn.family, drawn.scale],
        facts.reason,
    ]


def _facts(row: Sequence[Any], follower: str) -> ParameterFacts:
    kind, geometry, epsilon, drawn, reason = row
    return ParameterFacts(
        kind=kind,
        geometry=_geometry(geometry) if geometry else None,
        normalisation=follower,
        epsilon=epsilon,
        initialisation=Initialisation(*drawn) if drawn else None,
        reason=reason,
    )


def _geometry(row: Sequence[Any]) -> Geometry:
    stride, padding, dilation, groups, transposed, mode, output_padding, size = row
    return Geometry(
        tuple(stride),
        tuple(padding),
        tuple(dilation),
        groups,
        transposed,
        mode,
        tuple(output_padding),
        _tuple(size),
    )


def _tuple(value: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value)
