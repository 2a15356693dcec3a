"""Tables as JSON, and back: whole and of this version, or refused in one sentence."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from infoflow.errors import ReferenceTableError
from infoflow.reference.quantities import QUANTITIES
from infoflow.reference.strata import STRATA
from infoflow.reference.table import Network, Table, Values

SCHEMA_VERSION = 1
"""Raised when strata or the layout change."""

DEFINITIONS: Mapping[str, str] = {quantity.name: quantity.definition for quantity in QUANTITIES}
_FIELDS = {"name", "digest", "layers", "values", "about"}


def to_json(table: Table) -> str:
    """The table as JSON text, one quantity of one stratum of one network a line."""
    frame = {
        "reference_version": SCHEMA_VERSION,
        "quantities": dict(DEFINITIONS),
        "networks": [
            {
                "name": one.name,
                "digest": one.digest,
                "about": dict(one.about),
                "layers": dict(one.layers),
                "values": {k: {q: list(v) for q, v in qs.items()} for k, qs in one.values.items()},
            }
            for one in table.networks
        ],
    }
    text = json.dumps(frame, ensure_ascii=False, indent=1)
    # A list of numbers on one line: a file that people can read and diff.
    return re.sub(r"\[\s+([-\d.e,\s]+?)\s+\]", _on_one_line, text) + "\n"


def from_json(text: str, where: str) -> Table:
    """The table that `to_json` wrote; ``where`` is what an error calls it.

    Raises:
        ReferenceTableError: It is no such table, damaged, or of other definitions.
    """
    data = _parsed(text, where)
    if not isinstance(data, dict) or "reference_version" not in data:
        raise ReferenceTableError(f"{where}: is not a table of healthy networks.")
    if data["reference_version"] != SCHEMA_VERSION:
        raise ReferenceTableError(
            f"{where}: is of version {str(data['reference_version'])[:20]}, and this infoflow "
            f"reads version {SCHEMA_VERSION}; make it again with `infoflow reference add`."
        )
    if data.get("quantities") != DEFINITIONS:
        raise ReferenceTableError(
            f"{where}: was made with other definitions of the quantities, which do not mix with "
            "this infoflow's; make it again with `infoflow reference add`."
        )
    if not isinstance(data.get("networks"), list):
        raise _damaged(where, "it lists no networks")
    networks = tuple(_network(item, where) for item in data["networks"])
    if len({network.digest for network in networks}) != len(networks):
        raise _damaged(where, "a network stands twice")
    return Table(networks)


def _parsed(text: str, where: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _damaged(where, "it is not JSON") from None


def _network(item: Any, where: str) -> Network:
    if not isinstance(item, dict) or set(item) != _FIELDS:
        raise _damaged(where, "a network lacks a field or has one too many")
    name, digest, about, layers = item["name"], item["digest"], item["about"], item["layers"]
    if not isinstance(name, str) or not isinstance(digest, str):
        raise _damaged(where, "a network has no name or digest")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise _damaged(where, "a digest is no SHA-256")
    if not isinstance(about, dict) or not all(isinstance(said, str) for said in about.values()):
        raise _damaged(where, "what is known of a network is no text")
    if not isinstance(layers, dict) or not all(
        kind in STRATA and type(count) is int and count > 0 for kind, count in layers.items()
    ):
        raise _damaged(where, "a count of layers is none")
    return Network(name, digest, layers, _values(item["values"], layers, where), about)


def _values(data: Any, layers: Mapping[str, int], where: str) -> Values:
    if not isinstance(data, dict) or not set(data) <= set(layers):
        raise _damaged(where, "values stand under no known kind of layer")
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    for kind, quantities in data.items():
        if not isinstance(quantities, dict) or not set(quantities) <= set(DEFINITIONS):
            raise _damaged(where, "values stand under no known quantity")
        found[kind] = {name: _sample(v, layers[kind], where) for name, v in quantities.items()}
    return found


def _sample(values: Any, most: int, where: str) -> tuple[float, ...]:
    if not isinstance(values, list) or not 0 < len(values) <= most:
        raise _damaged(where, "a quantity has more values than layers, or none")
    largest = sys.float_info.max
    if not all(type(value) in (int, float) and abs(value) <= largest for value in values):
        raise _damaged(where, "a value is no number")
    if values != sorted(values):
        raise _damaged(where, "values are not in order")
    return tuple(map(float, values))


def _damaged(where: str, what: str) -> ReferenceTableError:
    return ReferenceTableError(f"{where}: the table of healthy networks is damaged: {what}.")


def _on_one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"
