"""What the report does not look at, and what it had to assume."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity, Status
from infoflow.words import counted, listed

LIMIT = 0.01
"""Share of the parameters from which leaving them out is a warning."""


def not_analysed(report: Report) -> Iterator[Finding]:
    """Tensors that may be linear maps and that nobody has looked at."""
    records = [
        record
        for record in report.coverage.with_status(Status.NOT_SUPPORTED)
        if not record.shared_with
    ]
    if not records:
        return
    share = 1.0 - report.coverage.accounted
    count = sum(record.parameters for record in records)
    told = [f"{record.name} ({record.reason})" for record in records]
    verb = "is" if len(records) == 1 else "are"
    yield Finding(
        rule="not-analysed",
        severity=Severity.WARNING if share > LIMIT else Severity.NOTE,
        layers=(),
        measure="coverage",
        value=share,
        threshold=LIMIT,
        sentence=f"{counted(len(records), 'tensor')} with {counted(count, 'parameter')} "
        f"({share:.2%} of the file) {verb} not analysed: {listed(told, 2)}.",
        advice="Name the architecture with --arch if the file was not recognised; what is "
        "said of the network does not hold for these tensors.",
    )


def assumed_geometry(report: Report) -> Iterator[Finding]:
    """Convolutions whose stride and groups the file does not say."""
    found = [layer for layer in report.layers if layer.geometry.startswith("assumed")]
    if not found:
        return
    verb = "is" if len(found) == 1 else "are"
    yield Finding(
        rule="assumed-geometry",
        severity=Severity.NOTE,
        layers=tuple(layer.name for layer in found),
        measure="coverage",
        value=report.coverage.assumed,
        threshold=0.0,
        sentence=f"{counted(len(found), 'convolution')} ({report.coverage.assumed:.0%} of the "
        f"parameters) {verb} read with {listed(sorted({layer.geometry for layer in found}))}: "
        f"{listed([layer.name for layer in found])}.",
        advice="Name the architecture with --arch: a stride, a dilation or groups change the "
        "log-volume and the rank.",
    )


NOT_ANALYSED = Rule(
    "not-analysed",
    "tensors that may be linear maps and were not analysed",
    (),
    not_analysed,
)

ASSUMED_GEOMETRY = Rule(
    "assumed-geometry",
    "convolutions read with an assumed stride and groups",
    (),
    assumed_geometry,
)
