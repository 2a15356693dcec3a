"""JSON objects out of files: headers, indices, configurations."""

from __future__ import annotations

import json
from typing import Any

from infoflow.checkpoints.faults import ReadError

_MOST_CONTAINERS = 4_000_000  # three for each tensor of a header


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object, with every name once.

    Raises:
        ReadError: for anything else.
    """
    if data.count(b"[") + data.count(b"{") > _MOST_CONTAINERS:  # 64 bytes of memory for each
        raise ReadError(f"damaged: {what} has more than {_MOST_CONTAINERS:,} lists and mappings")
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
