"""Settings from TOML, from tables, and from ``--set section.key=value``; and back to tables."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.training.settings import NetworkSettings, Settings


def from_toml(text: str, name: str) -> Settings:
    """The settings of a recipe.

    Raises:
        SelectionError: It is no TOML, or a key or a value is wrong.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SelectionError(f"{name} is no TOML: {error}.") from error
    return from_tables(found, name)


def from_tables(tables: Mapping[str, Any], name: str) -> Settings:
    """The settings of nested tables, as ``to_tables`` gives them.

    Raises:
        SelectionError: A key is unknown, or a value is of the wrong kind.
    """
    made: Settings = _read(Settings, tables, name, "")
    return made


def to_tables(settings: Settings) -> dict[str, Any]:
    """The settings as tables of plain values, every default with them."""
    found = asdict(settings)
    network = found["network"]
    network |= {key: _plain(value) for key, value in dict(network.pop("options")).items()}
    return {key: _plain(value) for key, value in found.items()}


def changed(settings: Settings, assignments: Iterable[str]) -> Settings:
    """The settings with ``section.key=value`` for some of them.

    A key that stands in one section only need not say which. A value is TOML, or else plain text.

    Raises:
        SelectionError: A key is unknown (the nearest is named), or a value is of the wrong kind.
    """
    tables = to_tables(settings)
    for text in assignments:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise SelectionError(f"--set {text!r} is not of the form key=value.")
        section, leaf = _place(key, tables)
        target = tables[section] if section else tables
        target[leaf] = _value(value)
    return from_tables(tables, "--set")


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values of some dotted keys, which are known to be right."""
    tables = to_tables(settings)
    for key, value in values.items():
        section, _, leaf = key.partition(".")
        tables[section][leaf] = value
    return from_tables(tables, "the command")


def _place(key: str, tables: Mapping[str, Any]) -> tuple[str, str]:
    section, dot, leaf = key.rpartition(".")
    sections = [name for name, value in tables.items() if isinstance(value, dict)]
    if dot:
        if section not in sections:
            raise SelectionError(
                f"--set {key}: no section {section!r}; {nearest(section, sections)}."
            )
        if section != "network" and leaf not in tables[section]:
            raise _unknown(f"--set {key}", leaf, tables[section])
        return section, leaf
    homes = [name for name in sections if leaf in tables[name]]
    if leaf in tables and leaf not in sections:
        return "", leaf
    if len(homes) == 1:
        return homes[0], leaf
    if homes:
        names = " or ".join(f"{home}.{leaf}" for home in homes)
        raise SelectionError(f"--set {key} could be {names}: write which.")
    if leaf in _family_options(tables["network"]["name"]):
        return "network", leaf
    known = [inner for name in sections for inner in tables[name]]
    raise _unknown("--set", leaf, [*known, *_family_options(tables["network"]["name"])])


def _family_options(name: str) -> tuple[str, ...]:
    from infoflow.zoo.families import FAMILIES

    return tuple(FAMILIES[name].chosen) if name in FAMILIES else ()


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(kind: type[Any], table: Mapping[str, Any], name: str, section: str) -> Any:
    hints = get_type_hints(kind)
    known = [one.name for one in fields(kind) if one.name != "options"]
    given: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{section}.{key}" if section else key
        if key not in known:
            if kind is NetworkSettings and not isinstance(value, dict):
                options[key] = tuple(value) if isinstance(value, list) else value
                continue
            raise _unknown(name, where, [f"{section}.{k}" if section else k for k in known])
        hint = hints[key]
        if is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise SelectionError(f"{name}: {where} is a table, [{where}], not {value!r}.")
            given[key] = _read(hint, value, name, key)  # type: ignore[arg-type]
        else:
            given[key] = _fitted(hint, value, f"{name}: {where}")
    if options:
        given["options"] = options
    return kind(**given)


def _fitted(hint: Any, value: Any, where: str) -> Any:
    """The value in the type of its setting."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise SelectionError(f"{where} cannot be {value!r}; {nearest(str(value), inner)}.")
        return value
    if origin is tuple:
        parts = value if isinstance(value, list | tuple) else [value]
        return tuple(_fitted(inner[0], part, where) for part in parts)
    kinds: tuple[type, ...] = inner or (hint,)
    if isinstance(value, bool) and bool not in kinds:
        raise SelectionError(f"{where} is {_kinds(kinds)}, not {str(value).lower()}.")
    if isinstance(value, int) and float in kinds:
        return float(value)
    if not isinstance(value, kinds):
        raise SelectionError(f"{where} is {_kinds(kinds)}, not {value!r}.")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _kinds(kinds: Iterable[type]) -> str:
    return " or ".join(_WORDS[kind] for kind in kinds)


def _unknown(name: str, key: str, known: Iterable[str]) -> SelectionError:
    return SelectionError(f"{name}: there is no setting {key!r}; {nearest(key, known)}.")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value
