"""A signal that shrinks to rounding along the depth."""

from __future__ import annotations

import math
from collections.abc import Iterator

from infoflow.findings.depth import after_scales, in_repeated_blocks, works_beside_others
from infoflow.findings.rule import Rule, figure
from infoflow.report import Finding, Report, Severity, Status

LIMIT = math.log(2.0**-23)
"""−15.9 nats: a signal this much smaller is rounding beside float32 numbers of its first size."""

Run = list[tuple[str, float]]


def signal_collapse(report: Report) -> Iterator[Finding]:
    """Runs of layers whose linear gains add up to less than log ε of float32.

    The gains are ``signal-gain``, ½·log(fan_in·mean w²) a layer, of the linear map alone: whatever
    contracting activation follows, the signal shrinks at least so much. Torch's default has
    −0.549, so that 30 of its layers in a row fire; LeCun's, He's and square orthogonal weights
    never do. Layers are taken in file order, one after another. A run ends at a normalisation, at
    a tensor that may be the scale of one, and at a block that may have a skip (see `depth`);
    queries, keys and values are left out, since they work side by side. With ``--layers`` the
    order has gaps, and the rule is silent.
    """
    if report.coverage.with_status(Status.NOT_SELECTED):
        return
    for run in _runs(report):
        total = math.fsum(gain for _, gain in run)
        if total >= LIMIT:
            continue
        power = math.floor(total / math.log(10))
        factor = f"{math.exp(total - power * math.log(10)):.0f}·10^−{-power}"
        yield Finding(
            rule="signal-collapse",
            severity=Severity.WARNING,
            layers=tuple(name for name, _ in run),
            measure="signal-gain",
            value=total,
            threshold=LIMIT,
            sentence=f"If the {len(run)} layers from {run[0][0]} to {run[-1][0]} follow one "
            "another without skips, as their order in the file suggests, a random signal shrinks "
            f"to at most {factor} of its size ({figure(total)} nats, {figure(total / len(run))} a "
            f"layer; beyond {figure(LIMIT)} it is rounding in float32).",
            advice="Initialise with variance 2/fan_in (He), add normalisations or residual "
            "connections, or train with a batch-entropy loss.",
        )


def _runs(report: Report) -> Iterator[Run]:
    """Stretches of layers with a finite gain that nothing seen sets to a new scale."""
    rescaled, bypassed = after_scales(report), in_repeated_blocks(report)
    run: Run = []
    for layer in report.layers:
        row = report.row(layer.name, "signal-gain")
        gain = None if row is None or layer.name in bypassed else row.value
        if run and (gain is None or layer.name in rescaled):
            yield run
            run = []
        if gain is not None and not works_beside_others(layer):
            run.append((layer.name, gain))
        if run and report.row(layer.name, "log-volume.density.folded") is not None:
            yield run
            run = []
    if run:
        yield run


SIGNAL_COLLAPSE = Rule(
    "signal-collapse",
    "a run of layers that, without skips, shrinks a random signal below float32's resolution",
    ("signal-gain",),
    signal_collapse,
)
