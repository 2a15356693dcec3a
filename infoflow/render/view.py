"""What an output shows of a layer: its rows gathered once, and which of them answers what.

Which row is the exact log-volume, which its surrogate, and what a total is divided by to compare
layers, is decided here for every output.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infoflow.render.activations import of_activations
from infoflow.report import Finding, LayerSummary, Measurement, Report, Series, Severity

_ORDER = list(Severity)


@dataclass(frozen=True)
class Facts:
    """A layer with its rows, series and findings."""

    index: int
    layer: LayerSummary
    rows: Mapping[tuple[str, str], Measurement]
    series: Mapping[str, Series]
    findings: tuple[Finding, ...]

    @property
    def anchor(self) -> str:
        """Identifier of the layer's place in a page."""
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
    def volume_over_rank(self) -> Measurement | None:
        """The log-volume over the rank that is left, where the exact one is −∞."""
        return self.row("log-volume.density.over-rank") or self.row("log-volume.over-rank")

    @property
    def bound(self) -> Measurement | None:
        """The surrogate of a linear layer as a whole: at most its exact log-volume."""
        return self.row("entropy-change.block-c11") or self.row("entropy-change.logdet")

    @property
    def surrogate(self) -> Measurement | None:
        """The papers' entropy change of the layer as a whole, normalisations among them."""
        return self.bound or self.row("entropy-change.normalisation")

    @property
    def rank(self) -> tuple[float, float] | None:
        """Rank and full rank, None where either is not known."""
        rank, full = self.value("rank"), self.value("rank", "full")
        return None if rank is None or full is None else (rank, full)

    @property
    def full_rank(self) -> float:
        """Singular values a position: what a layer's total is divided by to compare layers."""
        full = self.value("rank", "full")
        if full:
            return full
        shape = self.layer.shape
        if len(shape) < 2:
            return float(max(shape, default=1))
        # Of a grouped convolution the second size counts the inputs of one group only; a stride
        # brings several phases of the input to one position, those that the kernel meets.
        steps = zip(shape[2:], self.layer.stride, self.layer.dilation, strict=False)
        phases = math.prod(min(taps, stride // math.gcd(stride, by)) for taps, stride, by in steps)
        return float(max(min(shape[0], shape[1] * self.layer.groups * phases), 1))

    def a_channel(self, row: Measurement | None) -> float | None:
        """A figure of the layer divided by its full rank; None where it has no number."""
        return None if row is None or row.value is None else row.value / self.full_rank

    @property
    def severity(self) -> Severity | None:
        """The highest of the findings that name the layer, None where none does."""
        found = by_severity(self.findings)
        return found[0].severity if found else None

    @property
    def all_zero(self) -> bool:
        """Whether nothing finite is left of the layer's slices."""
        mean = self.row("entropy-change.c11", "mean")
        return mean is not None and mean.is_minus_infinity


def gather(report: Report) -> tuple[list[Facts], dict[str, dict[tuple[str, str], Measurement]]]:
    """The layers' facts in order, and the rows that belong to no listed layer, by name.

    What was measured of activations is left out: it belongs to sites, of which some have the name
    of a layer (see `infoflow.render.activations.gather_sites`).
    """
    rows: dict[str, dict[tuple[str, str], Measurement]] = {}
    for row in report.measurements:
        if not of_activations(row.measure):
            rows.setdefault(row.layer, {})[row.measure, row.statistic] = row
    series: dict[str, dict[str, Series]] = {}
    for one in report.series:
        if not of_activations(one.name):
            series.setdefault(one.layer, {})[one.name] = one
    findings: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if of_activations(finding.measure):
            continue
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


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, most serious first; of one severity in their order."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def most_serious(layers: Iterable[Facts]) -> list[Facts]:
    """The layers that findings name, those of the most serious findings first."""
    named = [facts for facts in layers if facts.severity is not None]
    return sorted(named, key=lambda facts: _ORDER.index(facts.severity or Severity.NOTE))
