"""What log|det W|, log-volume and density would be in a random layer: the twin's expectations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infoflow.measures.measure import Measure
from infoflow.measures.weights.corner import KINDS
from infoflow.measures.weights.twin import Twin, twin
from infoflow.measures.weights.twin_volumes import (
    density_twin,
    log_determinant_twin,
    log_volume_twin,
    own_scale_shift,
)
from infoflow.report import Measurement

if TYPE_CHECKING:
    from infoflow.layers import Layer
    from infoflow.measures.weights.subject import Subject

_DENSE = frozenset({"dense"})


def _logdet(subject: Subject) -> Iterator[Measurement]:
    layer, own, name = subject.layer, twin(subject), "random-twin.logdet"
    rows, columns = layer.weight.shape
    k = min(rows, columns)
    expected = log_determinant_twin(k, rows * columns, own.family) if not own.note else None
    if expected is None:
        note = own.note or "no random twin: a single weight"
        yield Measurement(layer.name, name, "expected-mean", None, "nats", note=note)
        return
    for statistic, value in (
        ("expected-mean", k * own.log_scale + expected.mean),
        ("expected-standard-deviation", expected.spread),
    ):
        yield Measurement(layer.name, name, statistic, value, "nats", method=own.method)


def _log_volume(subject: Subject) -> Iterator[Measurement]:
    layer, own, name = subject.layer, twin(subject), "random-twin.log-volume"
    shape = layer.weight.shape
    unit = "nats" if layer.kind == "dense" else "nats per position"
    if own.note:
        yield Measurement(layer.name, name, "expected-mean", None, unit, note=own.note)
        return
    if layer.kind != "dense":
        yield _density(layer, own, name, unit)
        return
    expected = log_volume_twin(*shape)
    if expected is None:
        note = (
            "no random twin: a single weight"
            if math.prod(shape) == 1
            else "no random twin: the log-volume of a single row or column is the logarithm of "
            "its norm, whatever the weights"
        )
        yield Measurement(layer.name, name, "expected-mean", None, unit, note=note)
    else:
        mean = min(shape) * own.log_scale + expected.mean
        method = own.method + ("" if own.family == "normal" else "; Gaussian closed form")
        yield Measurement(layer.name, name, "expected-mean", mean, unit, method=method)
        yield Measurement(
            layer.name, name, "expected-standard-deviation", expected.spread, unit, method=method
        )


def _density(layer: Layer, own: Twin, name: str, unit: str) -> Measurement:
    geometry, shape = layer.geometry, tuple(layer.weight.shape)
    ones = (1,) * (len(shape) - 2)
    stride, dilation = (geometry.stride, geometry.dilation) if geometry else (ones, ones)
    groups = geometry.groups if geometry else 1
    value, rule = density_twin(shape, stride, dilation, groups)
    places = math.prod(
        len({a * r % s for a in range(p)})
        for p, s, r in zip(shape[2:], stride, dilation, strict=True)
    )
    rank = groups * min(shape[0] // groups, shape[1] * places)
    method = f"{own.method}; {rule}, Gaussian closed form; {layer.geometry_source} geometry"
    mean = value + rank * (own.log_scale + own_scale_shift(math.prod(shape)))
    return Measurement(layer.name, name, "expected-mean", mean, unit, method=method)


MEASURES = (
    Measure(
        name="random-twin.logdet",
        symbol="random log|det W|",
        unit="nats",
        needs="weights",
        kinds=_DENSE,
        group="default",
        summary="expected log|det W| of a random layer of the same standard deviation",
        source="independent chi-squared distances of a random matrix's rows",
        compute=_logdet,
    ),
    Measure(
        name="random-twin.log-volume",
        symbol="random log-volume",
        unit="nats",
        needs="weights",
        kinds=KINDS | _DENSE,
        group="default",
        summary="expected log-volume, or its density, of a random layer of the same deviation",
        source="independent chi-squared distances; complex Wishart symbol of a convolution",
        compute=_log_volume,
    ),
)
