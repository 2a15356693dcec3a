"""JSON objects out of files: headers, indices, configurations."""

from __future__ import annotations

import json
from typing import Any

from infoflow.checkpoints.faults import ReadError


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object, with every name once.

    Raises:
        ReadError: for anything else.
    """
    try:
        parsed = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ReadError(f"damaged: {what} is not a JSON object") from None
    if not isinstance(parsed, dict):
        raise ReadError(f"damaged: {what} is not a JSON object")
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made
