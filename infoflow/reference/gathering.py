"""From a report to what a table keeps of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from infoflow.reference.quantities import QUANTITIES, Rows
from infoflow.reference.strata import stratum
from infoflow.reference.table import Network, rounded
from infoflow.report import LayerSummary, Measurement, Report


def rows_by_layer(
    layers: Sequence[LayerSummary], measurements: Iterable[Measurement]
) -> Iterator[Rows]:
    """The rows of each layer, in the layers' order."""
    found: dict[str, dict[tuple[str, str], Measurement]] = {}
    for row in measurements:
        found.setdefault(row.layer, {})[row.measure, row.statistic] = row
    return (Rows(layer, found.get(layer.name, {})) for layer in layers)


def network_of(report: Report, name: str, digest: str, about: Mapping[str, str]) -> Network:
    """What a table keeps: the values of every layer that is compared with others."""
    counts: dict[str, int] = {}
    values: dict[str, dict[str, list[float]]] = {}
    for rows in rows_by_layer(report.layers, report.measurements):
        kind = stratum(rows.layer)
        if not kind:
            continue
        counts[kind] = counts.get(kind, 0) + 1
        of_kind = values.setdefault(kind, {})
        for quantity in QUANTITIES:
            value = quantity.compute(rows)
            if value is not None:
                of_kind.setdefault(quantity.name, []).append(rounded(value))
    kept = {
        kind: {quantity: tuple(sorted(found)) for quantity, found in quantities.items()}
        for kind, quantities in values.items()
    }
    return Network(name, digest, counts, kept, dict(about))
