"""A signal that shrinks to rounding along the depth."""

from __future__ import annotations

import math
from collections.abc import Iterator

from infoflow.findings.rule import Rule, figure
from infoflow.report import Finding, Report, Severity, Status

LIMIT = math.log(2.0**-23)
"""−15.9 nats: a signal this much smaller is rounding beside float32 numbers of its first size."""

Run = list[tuple[str, float]]


def signal_collapse(report: Report) -> Iterator[Finding]:
    """Runs of layers without a normalisation whose gains add up to less than log ε of float32.

    The gains are ``signal-gain``, ½·log(½·fan_in·mean w²) a layer: He's initialisation has 0,
    torch's default −0.896, so that 18 of its layers in a row fire, and a trained network of usual
    depth does not. A normalisation sets the scale anew and ends a run. Layers are taken in file
    order, one after another; with ``--layers`` the order has gaps, and the rule is silent.
    """
    if report.coverage.with_status(Status.NOT_SELECTED):
        return
    for run in _runs(report):
        total = math.fsum(gain for _, gain in run)
        if total >= LIMIT:
            continue
        factor = f"{math.exp(total):.0e}".replace("e-0", "e-").replace("e-", "·10^−")
        yield Finding(
            rule="signal-collapse",
            severity=Severity.WARNING,
            layers=tuple(name for name, _ in run),
            measure="signal-gain",
            value=total,
            threshold=LIMIT,
            sentence=f"From {run[0][0]} to {run[-1][0]}, {len(run)} layers without normalisation, "
            f"a random signal shrinks to {factor} of its size ({figure(total)} nats, "
            f"{figure(total / len(run))} a layer; beyond {figure(LIMIT)} it is rounding in "
            "float32).",
            advice="Initialise with variance 2/fan_in (He), add normalisations or residual "
            "connections, or train with a batch-entropy loss.",
        )


def _runs(report: Report) -> Iterator[Run]:
    """Stretches of linear layers with a finite gain, without a normalisation between them."""
    run: Run = []
    for layer in report.layers:
        row = report.row(layer.name, "signal-gain")
        gain = None if row is None else row.value
        if gain is not None:
            run.append((layer.name, gain))
        followed = report.row(layer.name, "log-volume.density.folded") is not None
        if run and (gain is None or followed):
            yield run
            run = []
    if run:
        yield run


SIGNAL_COLLAPSE = Rule(
    "signal-collapse",
    "a run of layers that shrinks a random signal below float32's resolution",
    ("signal-gain",),
    signal_collapse,
)
