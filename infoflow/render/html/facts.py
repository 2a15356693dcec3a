"""Everything a report holds of one layer, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infoflow.report import Finding, LayerSummary, Measurement, Report, Series


@dataclass(frozen=True)
class Facts:
    """A layer with its rows, series and findings; ``anchor`` is its place in the page."""

    index: int
    layer: LayerSummary
    rows: Mapping[tuple[str, str], Measurement]
    series: Mapping[str, Series]
    findings: tuple[Finding, ...]

    @property
    def anchor(self) -> str:
        """Identifier of the layer's page."""
        return f"layer-{self.index + 1}"

    def row(self, measure: str, statistic: str = "value") -> Measurement | None:
        """The row of a measure and statistic, None where it was not measured."""
        return self.rows.get((measure, statistic))

    def value(self, measure: str, statistic: str = "value") -> float | None:
        """The number of a row, None where there is none."""
        row = self.row(measure, statistic)
        return row.value if row else None

    @property
    def volume(self) -> Measurement | None:
        """The exact log-volume: a position's for convolutions, the whole of a dense layer."""
        return self.row("log-volume.density") or self.row("log-volume")

    @property
    def surrogate(self) -> Measurement | None:
        """The papers' entropy change of the layer as a whole."""
        return (
            self.row("entropy-change.block-c11")
            or self.row("entropy-change.logdet")
            or self.row("entropy-change.normalisation")
        )

    @property
    def full_rank(self) -> float:
        """Singular values a position: what a layer's total is divided by to compare layers."""
        full = self.value("rank", "full")
        if full:
            return full
        shape = self.layer.shape
        if len(shape) < 2:
            return float(max(shape, default=1))
        # Of a grouped convolution the second size counts the inputs of one group only.
        return float(max(min(shape[0], shape[1] * self.layer.groups), 1))

    @property
    def all_zero(self) -> bool:
        """Whether nothing finite is left of the layer's slices."""
        mean = self.row("entropy-change.c11", "mean")
        return mean is not None and mean.is_minus_infinity


def gather(report: Report) -> tuple[list[Facts], dict[str, dict[tuple[str, str], Measurement]]]:
    """The layers' facts in order, and the rows that belong to no listed layer, by name."""
    rows: dict[str, dict[tuple[str, str], Measurement]] = {}
    for row in report.measurements:
        rows.setdefault(row.layer, {})[row.measure, row.statistic] = row
    series: dict[str, dict[str, Series]] = {}
    for one in report.series:
        series.setdefault(one.layer, {})[one.name] = one
    findings: dict[str, list[Finding]] = {}
    for finding in report.findings:
        for name in dict.fromkeys(finding.layers):
            findings.setdefault(name, []).append(finding)
    layers = [
        Facts(
            index,
            layer,
            rows.get(layer.name, {}),
            series.get(layer.name, {}),
            tuple(findings.get(layer.name, ())),
        )
        for index, layer in enumerate(report.layers)
    ]
    known = {layer.name for layer in report.layers}
    return layers, {name: found for name, found in rows.items() if name not in known}
