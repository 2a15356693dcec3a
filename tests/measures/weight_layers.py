"""Layers made by hand, and the rows of a measure by statistic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from infoflow.facts import Geometry, Initialisation
from infoflow.layers import Layer, Normalisation
from infoflow.measures.measure import Measure
from infoflow.measures.weights.subject import Subject
from infoflow.report import Measurement, Series


def dense(
    weight: Any, dtype: str = "float64", initialisation: Initialisation | None = None
) -> Subject:
    return Subject(Layer("layer", "dense", weight, dtype, initialisation=initialisation))


def convolution(
    weight: Any,
    *,
    dtype: str = "float64",
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    groups: int = 1,
    transposed: bool = False,
    input_size: tuple[int, ...] | None = None,
    initialisation: Initialisation | None = None,
) -> Subject:
    axes = weight.ndim - 2
    geometry = Geometry(
        (stride,) * axes,
        (padding,) * axes,
        (dilation,) * axes,
        groups,
        transposed,
        input_size=input_size,
    )
    kind = "transposed convolution" if transposed else "convolution"
    layer = Layer("layer", kind, weight, dtype, geometry, "known", initialisation=initialisation)
    return Subject(layer)


def normalisation(gamma: Any, variance: Any = None, epsilon: float = 1e-5) -> Subject:
    facts = Normalisation("layer", np.asarray(gamma, float), variance, epsilon)
    return Subject(Layer("layer", "normalisation", facts.gamma, "float32", normalisation=facts))


def rows_of(measures: Iterable[Measure], name: str, subject: Subject) -> dict[str, Measurement]:
    measure = next(m for m in measures if m.name == name)
    assert subject.layer.kind in measure.kinds
    rows = list(measure.compute(subject))
    assert all(row.measure == name and row.layer == "layer" for row in rows)
    assert len({row.statistic for row in rows}) == len(rows)
    return {row.statistic: row for row in rows}


def series_of(measures: Iterable[Measure], subject: Subject) -> dict[str, Series]:
    found = [s for m in measures if m.series for s in m.series(subject)]
    return {series.name: series for series in found}
