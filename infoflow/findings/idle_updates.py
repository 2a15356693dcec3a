"""Low-rank updates that change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule
from infoflow.report import Finding, Report, Severity
from infoflow.words import listed


def idle_updates(report: Report) -> Iterator[Finding]:
    """A note: the factor B of a fresh adapter is zero, and so is the product."""
    updates = [layer.name for layer in report.layers if layer.kind == "low-rank update"]
    found = [
        name for name in updates if (row := report.row(name, "spectral-norm")) and row.value == 0
    ]
    if not found:
        return
    one = len(found) == 1
    yield Finding(
        rule="idle-updates",
        severity=Severity.NOTE,
        layers=tuple(found),
        measure="spectral-norm",
        value=0.0,
        threshold=0.0,
        sentence=f"{len(found):,} of {len(updates):,} low-rank updates {'is' if one else 'are'} "
        f"exactly zero: {listed(found)}.",
        advice="A fresh adapter is so. If it was trained, nothing has reached these layers: look "
        "at the modules that the adapter names, and at the learning rate.",
    )


IDLE_UPDATES = Rule(
    "idle-updates",
    "low-rank updates whose product is exactly zero",
    ("spectral-norm",),
    idle_updates,
)
