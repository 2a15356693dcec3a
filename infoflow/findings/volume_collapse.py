"""Layers in a row that squeeze most of their directions away."""

from __future__ import annotations

import math
from collections.abc import Iterator

from infoflow.findings.rule import Rule, figure, linear_layers
from infoflow.report import Finding, LayerSummary, Report, Severity

LIMIT = -3.0
"""Nats a channel. A random square layer has −½, other random ones between that and 0, the healthy
trained networks looked at (CIFAR ResNets of 20, 32 and 56 layers, SqueezeNet) −1.9 at the least;
at −3 the geometric mean of the singular values is a twentieth of their root mean square."""

FEWEST = 3
"""Layers in a row that make it a profile of the network and no property of one layer."""


def evenness(report: Report, layer: LayerSummary) -> float | None:
    """How evenly a layer treats its directions: log geometric mean σ − log root mean square σ.

    In nats a channel, never above 0, and 0 only where all singular values are equal. From the
    report: log-volume.density.scale-free/k − ½·log(numbers of the weight/k), where k is the
    full rank a position, because the mean square of the singular values is (mean w²)·numbers/k.
    None where the layer has lost rank (−∞) or was not measured.
    """
    volume = report.row(layer.name, "log-volume.density.scale-free")
    full = report.row(layer.name, "rank", "full")
    size = math.prod(layer.shape)
    if volume is None or volume.value is None or full is None or not full.value or not size:
        return None
    return volume.value / full.value - 0.5 * math.log(size / full.value)


def volume_collapse(report: Report) -> Iterator[Finding]:
    """Runs of at least three linear layers in depth order, each less even than −3 nats a channel.

    Layers without a value end a run: lost rank has a finding of its own.
    """
    run: list[tuple[str, float]] = []
    for layer in [*linear_layers(report), None]:
        value = None if layer is None else evenness(report, layer)
        if layer is not None and value is not None and value < LIMIT:
            run.append((layer.name, value))
            continue
        if len(run) >= FEWEST:
            yield _finding(run)
        run = []


def _finding(run: list[tuple[str, float]]) -> Finding:
    worst, lowest = min(run, key=lambda entry: entry[1])
    return Finding(
        rule="volume-collapse",
        severity=Severity.WARNING,
        layers=tuple(name for name, _ in run),
        measure="log-volume.density.scale-free",
        value=lowest,
        threshold=LIMIT,
        sentence=f"From {run[0][0]} to {run[-1][0]}, {len(run)} layers in a row pass only a few of "
        f"their directions: per channel their log-volume lies up to {figure(-lowest)} nats "
        f"({worst}) below that of an even layer of the same norm; random layers lose ½, and "
        f"beyond {figure(-LIMIT)} a layer counts as collapsed.",
        advice="Look at their spectra and effective ranks: the network may have been trained too "
        "hard towards low rank, or be deeper than its task needs.",
    )


VOLUME_COLLAPSE = Rule(
    "volume-collapse",
    "layers in a row that pass only a few of their directions",
    ("log-volume.density.scale-free", "rank"),
    volume_collapse,
)
