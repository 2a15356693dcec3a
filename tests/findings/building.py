"""Reports of small numpy weights, measured by infoflow itself: what the rules are tested on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from infoflow.facts import Geometry, Initialisation
from infoflow.findings import find
from infoflow.layers import Layer, Normalisation
from infoflow.measures import choose
from infoflow.measures.weights.subject import Subject
from infoflow.measures.weights.zeros import count_non_finite
from infoflow.reference.places import shipped
from infoflow.reference.placing import placed
from infoflow.report import (
    Coverage,
    LayerSummary,
    Measurement,
    Report,
    Series,
    Status,
    TensorRecord,
)

Weight = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0, gain: float = math.sqrt(2)) -> Weight:
    """A fresh layer: normal with variance gain²/fan_in (He's, unless said otherwise)."""
    deviation = gain / math.sqrt(math.prod(shape[1:]))
    return (deviation * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def dense(weight: Weight, name: str = "fc") -> Layer:
    return Layer(name, "dense", weight, str(weight.dtype), parameters=weight.size)


def conv(
    weight: Weight,
    name: str = "conv",
    *,
    stride: int = 1,
    groups: int = 1,
    transposed: bool = False,
    source: str = "known",
    initialisation: Initialisation | None = None,
) -> Layer:
    axes = weight.ndim - 2
    geometry = Geometry((stride,) * axes, (0,) * axes, (1,) * axes, groups, transposed)
    return Layer(
        name,
        "transposed convolution" if transposed else "convolution",
        weight,
        str(weight.dtype),
        geometry,
        source,
        initialisation=initialisation,
        parameters=weight.size,
    )


def normalisation(gamma: Weight, name: str = "bn", variance: Weight | None = None) -> Layer:
    wide = gamma.astype(np.float64)
    variance = np.ones_like(wide) if variance is None else variance
    norm = Normalisation(name, wide, variance, 1e-5)
    return Layer(
        name, "normalisation", gamma, str(gamma.dtype), normalisation=norm, parameters=gamma.size
    )


def summarise(layer: Layer) -> LayerSummary:
    geometry = layer.geometry
    return LayerSummary(
        layer.name,
        layer.kind,
        tuple(layer.weight.shape),
        layer.dtype,
        layer.parameters,
        geometry.stride if geometry else (),
        geometry.dilation if geometry else (),
        geometry.groups if geometry else 1,
        geometry=layer.geometry_source,
    )


def record(layer: Layer) -> TensorRecord:
    return TensorRecord(
        f"{layer.name}.weight",
        tuple(layer.weight.shape),
        layer.dtype,
        layer.parameters,
        Status.ANALYSED,
        layer.kind,
        layer.geometry_source.startswith("assumed"),
    )


def measured(layers: Iterable[Layer], measures: str) -> Iterable[Measurement | Series]:
    for layer in layers:
        subject, broken = Subject(layer), count_non_finite(layer.weight)
        for measure in choose(measures):
            if layer.kind not in measure.kinds:
                continue
            if broken and measure.name not in {"zeros", "non-finite"}:
                note = f"not computed: the weight holds {broken} values that are NaN or infinite"
                yield Measurement(layer.name, measure.name, "value", None, "", note=note)
            else:
                yield from measure.compute(subject)


def report_of(
    layers: Sequence[Layer],
    measures: str = "default",
    others: Sequence[TensorRecord] = (),
) -> Report:
    """What an analysis of these layers yields, placed among the shipped table, with findings."""
    summaries = tuple(summarise(layer) for layer in layers)
    rows = (row for row in measured(layers, measures) if isinstance(row, Measurement))
    report = Report(
        source="numbers.pt",
        format="in memory",
        digest="",
        architecture="",
        layers=summaries,
        measurements=tuple(placed(summaries, rows, shipped())),
        series=(),
        findings=(),
        coverage=Coverage((*(record(layer) for layer in layers), *others)),
    )
    return replace(report, findings=find(report))
