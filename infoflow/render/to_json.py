"""A report as versioned JSON, and back: what is read equals what was written.

The writer lays out one row a line, in report order, so that two reports compare line by line.
Writer, reader and schema all follow the dataclasses of ``infoflow.report``.
"""

from __future__ import annotations

import json
import math
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import EnumType
from functools import cache
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from infoflow.errors import ReportError
from infoflow.render.report_schema import schema
from infoflow.render.text import printable, shortened
from infoflow.report import SCHEMA_VERSION, Coverage, Measurement, Report
from infoflow.words import counted

__all__ = ["from_json", "from_json_list", "schema", "to_json", "to_json_list"]

_FRAMES = (Report, Coverage)
"""Classes whose fields stand on lines of their own; others are one line each."""


def to_json(report: Report) -> str:
    """The report as JSON text (UTF-8, no NaN), one row a line.

    Raises:
        ValueError: The report holds NaN, two rows of one name, or a series of the wrong length.
    """
    _refuse_contradictions(report)
    return framed(report, _FRAMES) + "\n"


def to_json_list(reports: Iterable[Report]) -> str:
    """Several reports as one JSON list.

    Raises:
        ValueError: As ``to_json``.
    """
    texts = [to_json(report).rstrip("\n") for report in reports]
    return "[\n" + ",\n".join(texts) + "\n]\n" if texts else "[]\n"


def from_json(text: str) -> Report:
    """The report that ``to_json`` wrote.

    Raises:
        ReportError: The text is not JSON, or not a report of this version; one sentence says why.
    """
    return _report(parsed(text))


def from_json_list(text: str) -> list[Report]:
    """The reports that ``to_json_list`` wrote; a single report is a list of one.

    Raises:
        ReportError: As ``from_json``.
    """
    data = parsed(text)
    return [_report(item) for item in data] if isinstance(data, list) else [_report(data)]


def framed(value: Any, frames: tuple[Any, ...], indent: str = "") -> str:
    """JSON text of plain data; fields of ``frames`` and items stand on lines of their own."""
    inner = indent + "  "
    if isinstance(value, frames):
        items = [
            f"{_line(f.name)}: {framed(getattr(value, f.name), frames, inner)}"
            for f in fields(value)
        ]
    elif isinstance(value, Mapping):
        items = [f"{_line(key)}: {_line(item)}" for key, item in value.items()]
    elif isinstance(value, tuple):
        items = [_line(item) for item in value]
    else:
        return _line(value)
    first, last = "[]" if isinstance(value, tuple) else "{}"
    if not items:
        return first + last
    return f"{first}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{last}"


def _line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    # JSON may hold them as they are, but they act on a terminal, or UTF-8 cannot say them.
    return printable(text, escape=_escape)


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1]


def _plain(value: Any) -> Any:
    """A record as an object, a numpy number as Python's own."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _hints(type(value))}
    if isinstance(value, Mapping):
        return dict(value)
    try:
        return operator.index(value)
    except TypeError:
        return float(value)


def _contradictions(report: Report) -> Iterator[str]:
    rows: set[tuple[str, str, str]] = set()
    for row in report.measurements:
        key = (row.layer, row.measure, row.statistic)
        if key in rows:
            yield f"two rows for {_quoted(row.layer)} {row.measure} {row.statistic}"
        rows.add(key)
    pictures: set[tuple[str, str]] = set()
    for series in report.series:
        named = f"series {series.name} of {_quoted(series.layer)}"
        if (series.layer, series.name) in pictures:
            yield f"two {named}"
        pictures.add((series.layer, series.name))
        if math.prod(series.shape) != len(series.values):
            held = counted(len(series.values), "value")
            yield f"{named} has {held}, but the shape {series.shape}"


def _refuse_contradictions(report: Report) -> None:
    for complaint in _contradictions(report):
        raise ValueError(f"the report holds {complaint}")


def parsed(text: str) -> Any:
    """What JSON text holds.

    Raises:
        ReportError: It is no JSON, or holds NaN.
    """

    def refuse(constant: str) -> NoReturn:
        raise ReportError(f"The report holds {constant}, which is not a number that JSON knows.")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ReportError(f"The report is not JSON: {error.msg.lower()} at {where}.") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(
            "The report is not JSON that can be read: too long or too deep."
        ) from error


def _report(data: Any) -> Report:
    if isinstance(data, list):
        raise ReportError("The file holds a list of reports, where one report is expected.")
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ReportError("The file is JSON, but not a report: it has no field 'schema_version'.")
    version = data["schema_version"]
    if version != SCHEMA_VERSION or type(version) is not int:
        raise ReportError(
            f"The report has schema version {_quoted(version)}; this infoflow reads version "
            f"{SCHEMA_VERSION}, so analyse the checkpoint again."
        )
    report: Report = read(Report, data, "")
    for complaint in _contradictions(report):
        raise ReportError(f"The report cannot be right: it holds {complaint}.")
    return report


def read(kind: Any, data: Any, where: str) -> Any:
    """``data`` as a value of the annotated type; ``where`` is its place in the file.

    Raises:
        ReportError: It is none; the sentence says where.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if data is None else read(arguments[0], data, where)
    for matches, reader in _READERS:
        if matches(kind, origin):
            return reader(kind, data, where)
    if type(data) is not kind:
        raise _wrong(kind, data, where)
    return data


def _read_record(kind: Any, data: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(data, dict):
        raise _wrong(dict, data, where)
    if missing := [name for name in hints if name not in data]:
        raise ReportError(f"{_place(where)}: the field {missing[0]!r} is missing.")
    if unknown := [name for name in data if name not in hints]:
        raise ReportError(f"{_place(where)}: the field {_quoted(unknown[0])} is not known.")
    values = {name: read(hint, data[name], f"{where}.{name}") for name, hint in hints.items()}
    if kind is Measurement and values["value"] is None and not values["note"]:
        raise ReportError(f"{_place(where)}: a missing value needs a note that says why.")
    return kind(**values)


def _read_tuple(kind: Any, data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _wrong(list, data, where)
    item = get_args(kind)[0]
    if item == float | None and {*map(type, data)} <= {float} and all(map(math.isfinite, data)):
        return tuple(data)  # the values of a series: most of a file
    return tuple(read(item, entry, f"{where}[{index}]") for index, entry in enumerate(data))


def _read_mapping(kind: Any, data: Any, where: str) -> dict[str, str]:
    if not isinstance(data, dict):
        raise _wrong(dict, data, where)
    return {key: read(get_args(kind)[1], item, f"{where}.{key}") for key, item in data.items()}


def _read_choice(kind: Any, data: Any, where: str) -> Any:
    try:
        return kind(data)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise ReportError(f"{_place(where)}: {_quoted(data)} is none of {known}.") from None


def _read_number(kind: Any, data: Any, where: str) -> float:
    if type(data) not in (int, float):
        raise _wrong(kind, data, where)
    try:
        finite = math.isfinite(data)
    except OverflowError:
        finite = False
    if not finite:
        raise ReportError(f"{_place(where)}: the number is too large to be one.")
    number: float = data
    return number


_READERS: tuple[tuple[Callable[[Any, Any], bool], Callable[[Any, Any, str], Any]], ...] = (
    (lambda kind, origin: is_dataclass(kind), _read_record),
    (lambda kind, origin: origin is tuple, _read_tuple),
    (lambda kind, origin: origin is Mapping, _read_mapping),
    (lambda kind, origin: isinstance(kind, EnumType), _read_choice),
    (lambda kind, origin: kind is float, _read_number),
)

_WORDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false",
          list: "a list", dict: "an object"}  # fmt: skip


def _wrong(kind: Any, data: Any, where: str) -> ReportError:
    return ReportError(f"{_place(where)}: {_quoted(data)} is not {_WORDS[kind]}.")


def _place(where: str) -> str:
    return printable(where.lstrip(".")) or "The report"


def _quoted(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False) if not isinstance(data, str) else repr(data)
    return printable(shortened(text, 60))


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Fields of a dataclass and their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
