"""Tokens of an embedding that carry nothing, or nothing of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.operators.arrays import as_numpy
from infoflow.report import Measurement
from infoflow.words import cut

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

_KINDS = frozenset({"embedding"})
_NAMED = 12
_BLOCK = 1 << 20


def zero_tokens(table: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """Rows of a table (tokens, dimension) whose every number is exactly zero."""
    step = max(_BLOCK // max(table.shape[1], 1), 1)
    found: list[int] = []
    for start in range(0, len(table), step):
        block = np.asarray(table[start : start + step])
        found += (start + np.flatnonzero(~np.any(block != 0, axis=1))).tolist()
    return tuple(found)


def repeated_tokens(table: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """Rows, none of zeros, that equal an earlier row bit for bit."""
    seen: set[bytes] = set()
    zero = set(zero_tokens(table))
    found = []
    for index, row in enumerate(table):
        key = row.tobytes()
        if index not in zero and key in seen:
            found.append(index)
        seen.add(key)
    return tuple(found)


def _rows(subject: Subject) -> np.ndarray[Any, Any]:
    table: np.ndarray[Any, Any] = as_numpy(subject.layer.weight).T
    return table


def zero(subject: Subject) -> Iterator[Measurement]:
    """Count of tokens whose vector is zero: a padding token's, or one that was switched off."""
    table = _rows(subject)
    yield _count(
        subject, "tokens.zero", zero_tokens(table), table, "vectors whose every number is zero"
    )


def repeated(subject: Subject) -> Iterator[Measurement]:
    """Count of tokens whose vector, not zero, is that of an earlier token, bit for bit."""
    table = _rows(subject)
    found = repeated_tokens(table)
    yield _count(subject, "tokens.repeated", found, table, "vectors equal to an earlier one")


def _count(
    subject: Subject, measure: str, found: Sequence[int], table: Any, method: str
) -> Measurement:
    return Measurement(
        subject.layer.name,
        measure,
        "value",
        float(len(found)),
        "count",
        method=f"{method}; of {len(table):,}",
        note=cut([str(i) for i in found], _NAMED),
    )


MEASURES = (
    Measure(
        name="tokens.zero",
        symbol="zero tokens",
        unit="count",
        needs="weights",
        kinds=_KINDS,
        group="default",
        summary="tokens of an embedding whose vector is exactly zero",
        source="infoflow",
        compute=zero,
    ),
    Measure(
        name="tokens.repeated",
        symbol="repeated tokens",
        unit="count",
        needs="weights",
        kinds=_KINDS,
        group="default",
        summary="tokens of an embedding whose vector is that of an earlier one",
        source="infoflow",
        compute=repeated,
    ),
)
