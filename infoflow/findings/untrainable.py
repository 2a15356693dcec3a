"""The first site at which nearly nothing tells one sample from another."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.rule import Rule, figure
from infoflow.findings.sites import at_sites, samples
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted

NEAR_ZERO = 1e-3
"""Nats of batch-entropy below which a site is nearly collapsed."""

_TOLD = 7
"""Gradient norms in the sentence; the others stand in the table."""


def untrainable(report: Report) -> Iterator[Finding]:
    """Sites whose batch-entropy is below `NEAR_ZERO`: the first is named.

    The theorem behind it (the gradient does not depend on the labels where the last layer's
    batch-entropy is zero) needs exactly equal activations, so a small value is evidence only; where
    the last site is not near zero it is a warning, since something scales the signal up again.
    """
    every = list(at_sites(report, "batch-entropy"))
    found = [one for one in every if one[2] < NEAR_ZERO]
    if not found:
        return
    lasting = every[-1][2] < NEAR_ZERO
    site, row, value = found[0]
    said = f" ({row.note})" if row.note else ""
    rest = len(found) - 1
    after = f" So do {counted(rest, 'site')} after it." if rest > 1 else ""
    if rest == 1:
        after = f" So does {found[1][0].name}."
    recovers = "" if lasting else f" At {every[-1][0].name}, the last site, they differ again."
    yield Finding(
        rule="untrainable",
        severity=Severity.SERIOUS if lasting else Severity.WARNING,
        layers=tuple(one.name for one, _, _ in found),
        measure="batch-entropy",
        value=value,
        threshold=NEAR_ZERO,
        sentence=f"{site.name}: its units hardly differ between {samples(report)}: batch-entropy "
        f"{figure(value)} nats, below {NEAR_ZERO:g}{said}.{after}{recovers}{_gradients(report)}",
        advice="This is evidence that the network cannot be trained as it is, not proof. "
        "Initialise with variance 2/fan_in (He), add normalisations or residual connections, or "
        "train with a batch-entropy loss; small inputs have the same look, so see the "
        "preprocessing too.",
    )


def _gradients(report: Report) -> str:
    """The norm of the error signal that reaches each layer, from the output down."""
    norms = [(site.name, value) for site, _, value in at_sites(report, "gradient-norm")][::-1]
    linear = {site.name for site in report.sites if site.role == "linear map"}
    norms = [one for one in norms if one[0] in linear] or norms
    if not norms:
        return ""
    steps = min(len(norms), _TOLD)
    places = [round(i * (len(norms) - 1) / max(steps - 1, 1)) for i in range(steps)]
    told = ", ".join(f"{norms[i][0]} {figure(norms[i][1])}" for i in dict.fromkeys(places))
    some = f", of {len(norms)} layers" if len(norms) > steps else ""
    return f" Gradient norm a sample, from the output down{some}: {told}."


UNTRAINABLE = Rule(
    "untrainable",
    "the first site whose batch-entropy is near zero, with the gradients that arrive",
    ("batch-entropy", "gradient-norm"),
    untrainable,
)
