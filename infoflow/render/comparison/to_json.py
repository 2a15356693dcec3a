"""A comparison as versioned JSON, one row a line, and back; its JSON Schema."""

from __future__ import annotations

from typing import Any

from infoflow.comparison.comparison import COMPARISON_VERSION, Change, Comparison
from infoflow.errors import ReportError
from infoflow.render.report_schema import document_schema
from infoflow.render.to_json import framed, parsed, read

__all__ = ["from_json", "schema", "to_json"]

KIND = "infoflow comparison"


def to_json(comparison: Comparison) -> str:
    """The comparison as JSON text (UTF-8, no NaN), one row a line."""
    return framed(comparison, (Comparison,)) + "\n"


def from_json(text: str) -> Comparison:
    """The comparison that ``to_json`` wrote.

    Raises:
        ReportError: The text is not JSON, or not a comparison of this version.
    """
    data = parsed(text)
    if not isinstance(data, dict) or "schema_version" not in data or "snapshots" not in data:
        raise ReportError("The file is JSON, but not a comparison: it has no field 'snapshots'.")
    if data["schema_version"] != COMPARISON_VERSION:
        raise ReportError(
            f"The comparison has schema version {data['schema_version']!r}; this infoflow reads "
            f"version {COMPARISON_VERSION}."
        )
    try:
        found: Comparison = read(Comparison, data, "")
    except ValueError as error:
        raise ReportError(f"The comparison cannot be right: {error}.") from error
    return found


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what ``infoflow diff --json`` writes."""
    found = document_schema(Comparison, KIND, COMPARISON_VERSION)
    found["$defs"][Change.__name__] |= {
        "if": {"properties": {"change": {"type": "null"}}},
        "then": {"properties": {"note": {"minLength": 1}}},
    }
    return found
