"""What a measure is: a name, a unit, a source, and the function that yields its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infoflow.report import Measurement, Series

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject


@dataclass(frozen=True)
class Measure:
    """A descriptor; ``MEASURES`` lists them all.

    Args:
        name: Stable name, such as ``log-volume.density``.
        symbol: As in the report, such as ``log|c₁₁|``.
        unit: ``nats``, ``bits``, …
        needs: ``weights`` for now.
        kinds: Kinds of layers it is defined for.
        group: ``paper`` (the papers' own), ``default``, or ``all`` (costly or special). Each
            group contains the ones before it.
        summary: One phrase: what it says.
        source: Paper and equation.
        compute: Rows of one layer. Never raises for a number that does not exist: a row with
            value None and a note.
        series: Numbers for pictures of one layer.
    """

    name: str
    symbol: str
    unit: str
    needs: str
    kinds: frozenset[str]
    group: str
    summary: str
    source: str
    compute: Callable[[Subject], Iterable[Measurement]]
    series: Callable[[Subject], Iterable[Series]] | None = None
