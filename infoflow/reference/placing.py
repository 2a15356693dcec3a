"""Where layers lie among healthy ones: from rows to rows.

Beside a measure's own row stands its placing: statistic ``healthy-percentile`` in per cent, and
for a layer beyond every healthy one ``healthy-excess``, how far beyond in interquartile ranges.
A layer of a kind that the table does not speak for gets no such row; `silent_kinds` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from infoflow.reference.gathering import rows_by_layer
from infoflow.reference.quantities import QUANTITIES, Quantity, Rows
from infoflow.reference.strata import stratum
from infoflow.reference.table import (
    LEAST_LAYERS,
    LEAST_NETWORKS,
    Distribution,
    Table,
    rounded,
)
from infoflow.report import HEALTHY_EXCESS, HEALTHY_PERCENTILE, LayerSummary, Measurement
from infoflow.words import plural

_PLAIN = {"value", "mean"}
_HOW = (
    "share of healthy trained layers below, and half of those equal; each network counts alike, "
    "no verdict on quality"
)


def placed(
    layers: Sequence[LayerSummary], measurements: Iterable[Measurement], table: Table
) -> list[Measurement]:
    """The rows, each layer's followed by its placings.

    Args:
        layers: The layers that the rows are of.
        measurements: Rows of the report, a layer's together.
        table: Healthy networks; an empty table adds nothing.
    """
    found = list(measurements)
    added = {rows.layer.name: list(_placings(rows, table)) for rows in rows_by_layer(layers, found)}
    after = {row.layer: place for place, row in enumerate(found)}
    joined: list[Measurement] = []
    for place, row in enumerate(found):
        joined.append(row)
        if after[row.layer] == place:
            joined += added.get(row.layer, [])
    return joined


def silent_kinds(layers: Iterable[LayerSummary], table: Table) -> list[str]:
    """For each kind of layer that the table does not speak for, a clause that says why."""
    kinds = dict.fromkeys(filter(None, map(stratum, layers)))
    return [
        f"too few healthy {kind} to say ({counted(table, kind)}; {LEAST_LAYERS} of "
        f"{LEAST_NETWORKS} are needed)"
        for kind in kinds
        if table.networks and not table.speaks(kind)
    ]


def counted(table: Table, kind: str) -> str:
    """How many layers of how many networks a kind rests on."""
    layers, networks = table.counts(kind)
    return f"{layers} of {networks} {plural(networks, 'network')}"


def _placings(rows: Rows, table: Table) -> Iterator[Measurement]:
    kind = stratum(rows.layer)
    for quantity in QUANTITIES if kind else ():
        value, measure = quantity.compute(rows), quantity.measure(rows)
        healthy = table.distribution(kind, quantity.name)
        if not measure or healthy is None or not healthy.speaks:
            continue
        if value is not None:
            yield from _rows(rows.layer.name, measure, quantity, value, kind, healthy)
        elif rows.rows[measure, quantity.statistic].is_minus_infinity:
            yield _lost(rows.layer.name, measure, quantity, kind, healthy)


def _rows(
    layer: str, measure: str, quantity: Quantity, value: float, kind: str, healthy: Distribution
) -> Iterator[Measurement]:
    low, high = (quantity.shown(healthy.quantile(percent)) for percent in (5, 95))
    among = f"{healthy.layers} {kind} of {healthy.networks} trained networks"
    suffix = _suffix(quantity)
    note = beyond(quantity, value, healthy, among)
    yield Measurement(
        layer,
        measure,
        HEALTHY_PERCENTILE + suffix,
        healthy.percentile(value),
        "percent",
        method=f"{_HOW}; among {among}; compared: {quantity.shown(value)} {quantity.unit}, healthy "
        f"layers {low} to {high} (5 to 95 %)",
        note=note,
    )
    if note and healthy.middle_half > 0:
        yield Measurement(
            layer,
            measure,
            HEALTHY_EXCESS + suffix,
            healthy.excess(value),
            "interquartile ranges",
            method="distance beyond the last healthy layer over the healthy layers' interquartile "
            "range",
            note=note,
        )


def _lost(
    layer: str, measure: str, quantity: Quantity, kind: str, healthy: Distribution
) -> Measurement:
    """The placing of −∞: below all, and at no distance that could be measured."""
    among = f"{healthy.layers} {kind} of {healthy.networks} trained networks"
    return Measurement(
        layer,
        measure,
        HEALTHY_PERCENTILE + _suffix(quantity),
        0.0,
        "percent",
        method=f"{_HOW}; among {among}",
        note=f"−∞ is below all {among}",
    )


def _suffix(quantity: Quantity) -> str:
    return "" if quantity.statistic in _PLAIN else f".{quantity.statistic}"


def beyond(quantity: Quantity, value: float, healthy: Distribution, among: str) -> str:
    """What to say of a value beyond every healthy one, ``""`` for one that is not.

    Example:
        ``0.12 of a random layer's is below all 135 spatial convolutions of 13 trained networks
        (the lowest: 0.38)``.
    """
    number = rounded(value)
    if healthy.lowest <= number <= healthy.highest:
        return ""
    side, last, most = ("below", healthy.lowest, "lowest")
    if number > healthy.highest:
        side, last, most = ("above", healthy.highest, "highest")
    said = f"{quantity.shown(value)} {quantity.unit} is {side} all {among}"
    return f"{said} (the {most}: {quantity.shown(last)})"
