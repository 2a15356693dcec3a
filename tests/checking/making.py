"""Reports of a few rows, written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infoflow.checking.settings import Vocabulary
from infoflow.report import Coverage, Finding, LayerSummary, Measurement, Report, Severity

KNOWN = Vocabulary(
    ("stable-rank", "log-volume", "log-volume.density", "entropy-change.c11", "zeros"),
    ("paper", "default", "all"),
    ("dead-filters", "non-finite", "coverage"),
)


def row(
    layer: str,
    value: float | None,
    measure: str = "stable-rank",
    statistic: str = "value",
    *,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
    unit: str = "count",
) -> Measurement:
    note = note or ("−∞: a direction is lost" if value is None else "")
    return Measurement(layer, measure, statistic, value, unit, low, high, "by hand", note)


def finding(
    rule: str = "dead-filters",
    *layers: str,
    severity: Severity = Severity.WARNING,
) -> Finding:
    return Finding(rule, severity, layers, "filters.dead", 3.0, 0.0, f"{rule} is so.", "Mend it.")


def report(
    rows: Sequence[Measurement] = (),
    findings: Sequence[Finding] = (),
    *,
    layers: Sequence[str] | None = None,
    source: str = "model.pt",
    settings: Mapping[str, str] | None = None,
    architecture: str = "",
    digest: str = "",
) -> Report:
    names = layers if layers is not None else dict.fromkeys(r.layer for r in rows)
    return Report(
        source=source,
        format="by hand",
        digest=digest,
        architecture=architecture,
        layers=tuple(
            LayerSummary(name, "dense" if name.startswith("fc") else "convolution", (4, 4), "f", 16)
            for name in names
        ),
        measurements=tuple(rows),
        series=(),
        findings=tuple(findings),
        coverage=Coverage(),
        settings=settings or {},
    )
