"""Layers whose smallest directions drown in rounding."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule, figure, measured
from infoflow.report import Finding, Report, Severity
from infoflow.words import listed

_LIMITS = {"float64": 2.0**52, "complex128": 2.0**52}
_FLOAT32 = 2.0**23


def condition_limit(dtype: str) -> float:
    """1/ε of the stored type, and of float32 for every narrower one.

    Narrow types are only storage: layers stored in 16 bits are multiplied with 32-bit sums, and
    a random square layer of n channels has a condition number of a few n already, above 1/ε of
    bfloat16 (128) from the start.
    """
    return _LIMITS.get(dtype, _FLOAT32)


def ill_conditioned(report: Report) -> Iterator[Finding]:
    """Layers of full rank with a condition number beyond 1/ε."""
    found = [
        (layer, value)
        for layer, _, value in measured(report, "condition-number")
        if value > condition_limit(layer.dtype)
    ]
    if not found:
        return
    worst, highest = max(found, key=lambda entry: entry[1])
    limit = condition_limit(worst.dtype)
    told = [f"{layer.name} ({figure(value)})" for layer, value in found]
    verb = "has a condition number" if len(found) == 1 else "have condition numbers"
    yield Finding(
        rule="ill-conditioned-layers",
        severity=Severity.NOTE,
        layers=tuple(layer.name for layer, _ in found),
        measure="condition-number",
        value=highest,
        threshold=limit,
        sentence=f"{listed(told)} {verb} above {figure(limit)}, 1/ε of "
        f"{'float64' if limit > _FLOAT32 else 'float32'}: the quietest directions are rounding.",
        advice="Do not invert the layer, and expect its quietest directions to change with every "
        "rounding of the weights.",
    )


ILL_CONDITIONED = Rule(
    "ill-conditioned-layers",
    "layers whose condition number is beyond what their precision resolves",
    ("condition-number",),
    ill_conditioned,
)
