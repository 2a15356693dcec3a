"""The JSON Schema of a report, built from the dataclasses, so that the two cannot drift apart."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum, EnumType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from infoflow.report import SCHEMA_VERSION, Measurement, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what ``--json`` writes: one report, or a list of them."""
    found = document_schema(Report, "infoflow report", SCHEMA_VERSION)
    report = {"$ref": found.pop("$ref")}
    definitions = found.pop("$defs")
    definitions[Measurement.__name__] |= {
        "if": {"properties": {"value": {"type": "null"}}},
        "then": {"properties": {"note": {"minLength": 1}}},
    }
    return {
        **found,
        "description": f"Version {SCHEMA_VERSION}: one report, or a list of reports.",
        "anyOf": [report, {"type": "array", "items": report}],
        "$defs": definitions,
    }


def document_schema(kind: Any, title: str, version: int) -> dict[str, Any]:
    """The JSON Schema of one document: a dataclass whose ``schema_version`` is ``version``."""
    definitions: dict[str, Any] = {}
    document = _schema_of(kind, definitions)
    definitions[kind.__name__]["properties"]["schema_version"] = {"const": version}
    return {
        "$schema": DIALECT,
        "title": title,
        "description": f"Version {version}.",
        **document,
        "$defs": definitions,
    }


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of an annotated type; dataclasses are added to ``definitions``."""
    if isinstance(kind, type) and is_dataclass(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # a place first: the order is that of first mention
            definitions[kind.__name__].update(_record(kind, definitions))
        return {"$ref": f"#/$defs/{kind.__name__}"}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return {"type": "array", "items": _schema_of(arguments[0], definitions)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema_of(arguments[0], definitions), {"type": "null"}]}
    if origin is not None:  # Mapping[str, str]
        return {"type": "object", "additionalProperties": _schema_of(arguments[1], definitions)}
    if isinstance(kind, EnumType):
        return {
            "type": "string",
            "enum": [str(member.value) for member in cast(Iterable[Enum], kind)],
        }
    return {"type": _NAMES[kind]}


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    summary, said = _described(kind)
    properties = {}
    for field in fields(kind):
        properties[field.name] = _schema_of(hints[field.name], definitions)
        if field.name in said:
            properties[field.name]["description"] = said[field.name]
    return {
        "type": "object",
        "description": summary,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(kind: Any) -> tuple[str, dict[str, str]]:
    """First line of the docstring, and what its ``Args`` say of each field."""
    text = inspect.cleandoc(kind.__doc__ or "")
    _, _, arguments = text.partition("Args:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {6,}.*)*)", arguments, re.M)
    return text.partition("\n")[0], {name: " ".join(said.split()) for name, said in entries}
