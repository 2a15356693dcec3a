"""What a matrix does to volume, where that is cheap to know: rows of the summary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from infoflow.extraction.choice import Choice
from infoflow.extraction.forms import CONVOLUTION_UPDATE, FLAT, UPDATE, Subject, Wanted, grid_of
from infoflow.layers import Layer
from infoflow.measures.weights.determinant import log_determinant
from infoflow.operators.arrays import as_float64, as_numpy
from infoflow.operators.symbol import symbol_shape
from infoflow.render.text import number
from infoflow.spectra import (
    Boundary,
    boundaries,
    circular_boundary,
    is_affordable,
    matrix_log_volume,
)
from infoflow.spectra.matrix import MatrixVolume
from infoflow.spectra.tolerance import machine_epsilon

Row = tuple[str, str]

SEED = 0
"""Of the frequencies at which the rank is looked at; almost every one gives the same."""

_MODERATE_WORK = 1e10
"""Operations that take about a second."""

_SQUARE_SIDE = 3000
"""Side of a square matrix whose determinant takes about a second."""


def volume_rows(choice: Choice, layer: Layer) -> list[Row]:
    """log|det| of square matrices, the log-volume of others, and what the borders make of it."""
    subject, what = choice.subject(layer), choice.wanted.what
    epsilon = machine_epsilon(layer.dtype)
    if not np.isfinite(as_numpy(as_float64(subject.weight))).all():
        return [("log-volume", "not computed: the weight holds NaN or infinite values")]
    if what == "W-square":
        return [("log|det W′|", _square(subject, layer.dtype))]
    if what == "C_M-square":
        return [("log|det C′_M|", _corner(choice, subject))]
    if what == "C_M":
        return [
            ("log-volume", _filter(choice, subject, epsilon)),
            ("log|det C′_M|", f"{_corner(choice, subject)}, a lower bound"),
        ]
    if what == "symbol":
        return []
    if choice.kind == CONVOLUTION_UPDATE:
        return [("log-volume", "lost by its making; `infoflow analyze` gives it over the rank")]
    if choice.kind == UPDATE:
        return [("over its rank", _over_rank(subject, epsilon))]
    if choice.kind in FLAT:
        return [("log-volume", _dense(subject, epsilon))]
    return _layer(subject, epsilon)


def _square(subject: Subject, dtype: str) -> str:
    side = min(subject.shape)
    if side > _SQUARE_SIDE:
        return f"not computed for {side:,} rows; `infoflow analyze` gives entropy-change.logdet"
    found = log_determinant(as_numpy(as_float64(subject.weight[:side, :side])), dtype)
    return found.note if found.value is None else f"{_nats(found.value)} (= log|det W_sq|)"


def _corner(choice: Choice, subject: Subject) -> str:
    p, q = subject.filter_shape
    height, width = subject.image
    count = (height - p + 1) * (width - q + 1)
    corner = abs(float(subject.filter(choice.wanted.slice)[0, 0]))
    value = count * math.log(corner) if corner else -math.inf
    return f"{_nats(value)} (= {count:,} · log|c₁₁|)"


def _filter(choice: Choice, subject: Subject, epsilon: float) -> str:
    rows, columns = choice.estimate.shape
    if not is_affordable((rows, columns)):
        return f"not computed: {rows:,} × {columns:,} would take long"
    matrix: Any = choice.form.build(subject, choice.wanted)
    return _volume(matrix_log_volume(matrix.toarray(), epsilon=epsilon))


def _dense(subject: Subject, epsilon: float) -> str:
    rows, columns = subject.shape
    if not is_affordable((rows, columns)):
        return f"not computed: {rows:,} × {columns:,} takes long; `infoflow analyze` gives it"
    return _volume(matrix_log_volume(as_numpy(as_float64(subject.weight)), epsilon=epsilon))


def _over_rank(subject: Subject, epsilon: float) -> str:
    """Of a product of low rank, which loses the other directions by its making."""
    rows, columns = subject.shape
    if not is_affordable((rows, columns)):
        return f"not computed: {rows:,} × {columns:,} takes long; `infoflow analyze` gives it"
    found = matrix_log_volume(as_numpy(as_float64(subject.weight)), epsilon=epsilon)
    value = "" if found.over_rank is None else f"{_nats(found.over_rank)}, "
    return f"{value}rank {found.rank:,} of {found.full:,}"


def _layer(subject: Subject, epsilon: float) -> list[Row]:
    operator = subject.operator
    assert subject.geometry is not None
    assert subject.input_size is not None
    if not is_affordable(operator.shape):
        rows, columns = operator.shape
        told = f"not computed: {rows:,} × {columns:,} would take long"
        return [("log-volume", told), ("circular", _circular(subject, epsilon))]
    found = boundaries(
        subject.weight,
        subject.geometry,
        subject.input_size,
        epsilon=epsilon,
        generator=np.random.default_rng(SEED),
    )
    own = found[-1]
    total = own.note if own.value is None else f"{_nats(own.value * own.positions)} in all"
    compared = "; ".join(map(_boundary, found))
    return [("log-volume", total), ("a position", f"{compared} nats")]


def _circular(subject: Subject, epsilon: float) -> str:
    """Where even the exact value is too much: that of the circle, if it is not."""
    if _work(subject) > _MODERATE_WORK:
        return "not computed either; `infoflow analyze` gives log-volume.density"
    assert subject.geometry is not None
    assert subject.input_size is not None
    found = circular_boundary(
        subject.operator, subject.input_size, epsilon, np.random.default_rng(SEED)
    )
    if found.value is None:
        return found.note
    return f"{number(found.value, 3)} nats a position; the borders' part is not known"


def _work(subject: Subject) -> float:
    """Operations that the circular value takes."""
    assert subject.geometry is not None
    grid = grid_of(subject, Wanted("symbol"))
    *blocks, rows, columns = symbol_shape(subject.shape, subject.geometry, grid)
    return 8.0 * math.prod(blocks) * min(rows, columns) ** 2 * max(rows, columns)


def _boundary(boundary: Boundary) -> str:
    name = "this layer" if boundary.name == "own" else boundary.name
    if boundary.value is None:
        return f"{name} {boundary.note}"
    error = "" if not boundary.gap else f" ({_signed(boundary.gap)})"
    return f"{name} {number(boundary.value, 3)}{error}"


def _signed(value: float) -> str:
    return f"+{number(value, 3)}" if value > 0 else number(value, 3)


def _volume(found: MatrixVolume) -> str:
    if found.value is not None:
        return f"{_nats(found.value)}, rank {found.rank:,} of {found.full:,}"
    kept = "" if found.over_rank is None else f"; {_nats(found.over_rank)} over the rank"
    return found.note + kept


def _nats(value: float) -> str:
    return "−∞" if value == -math.inf else f"{number(value, 4)} nats"
