"""What an analysis found, as plain data: one tidy row a number.

This module knows neither torch nor numpy nor any renderer. A number that does not
exist is ``None`` with a note that says why; minus infinity is ``None`` with a note that
begins with ``−∞``. NaN and infinities never appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

SCHEMA_VERSION = 2
PARTIAL = "partial"
"""Key of the settings of a report that is not whole, because somebody interrupted the analysis; its
value is the reason."""
MINUS_INFINITY = "−∞"
HEALTHY_PERCENTILE = "healthy-percentile"
"""Statistic of a measure: where the layer lies among healthy trained ones, in per cent."""
HEALTHY_EXCESS = "healthy-excess"
"""Statistic of a measure: how far the layer lies beyond every healthy one, where it does."""


def refuse_non_finite(row: str, *numbers: float | None) -> None:
    """Refuse NaN and infinities, which a row of a report or a comparison never holds.

    Raises:
        ValueError: One of the numbers is none; ``row`` says whose.
    """
    for number in numbers:
        if number is not None and not math.isfinite(number):
            raise ValueError(f"{row}: {number} is not a finite number")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number: a statistic of a measure of a layer.

    Args:
        layer: Name of the layer, or ``""`` for the whole network.
        measure: Stable name, such as ``log-volume.density``.
        statistic: ``value`` where the measure is one number, else ``mean``, ``q1``, …
        value: The number, or None where it does not exist (``note`` then says why).
        unit: ``nats``, ``nats per position``, ``bits``, ``share``, ``count``, …
        low: Lower end of a 95 % interval, where the value is an estimate.
        high: Upper end.
        method: How it was computed, and in which convention.
        note: What the reader must know to read it right.
    """

    layer: str
    measure: str
    statistic: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    method: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        refuse_non_finite(f"{self.layer} {self.measure}", self.value, self.low, self.high)
        if self.value is None and not self.note:
            raise ValueError(f"{self.layer} {self.measure}: a missing value needs a note")

    @property
    def is_minus_infinity(self) -> bool:
        """Whether the value is −∞ (an exact zero), not merely absent."""
        return self.value is None and self.note.startswith(MINUS_INFINITY)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers for a picture: a vector (shape ``(n,)``) or a map (shape ``(rows, columns)``).

    ``values`` is in row-major order, at most 4096 numbers; None stands for −∞ or absent.
    """

    layer: str
    name: str
    unit: str
    shape: tuple[int, ...]
    values: tuple[float | None, ...]
    note: str = ""


class Severity(StrEnum):
    """How much a finding matters, most serious first."""

    SERIOUS = "serious"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about a layer (or about several, or the file) that a person should read."""

    rule: str
    severity: Severity
    layers: tuple[str, ...]
    measure: str
    value: float | None
    threshold: float | None
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """What a layer is. ``geometry`` says what is known of a convolution and how."""

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    parameters: int
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    input_size: tuple[int, ...] | None = None
    geometry: str = "known"
    """``known``, ``none needed``, or what was assumed: ``assumed stride 1, groups 1``."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the network whose activations were looked at, in the order of the computation.

    Args:
        name: The module's, with ``#2`` for its second call; of a function in a forward method the
            module before it and the function, such as ``conv1.relu``. Rows of measures of
            activations carry it as their layer.
        role: ``linear map`` (a pre-activation), ``nonlinearity``, ``normalisation``, ``pooling``,
            ``block``, or another word for what the module does.
        shape: Of the activations of one sample.
        on_chain: Whether every path from the input to the output passes through it: only such
            places form a Markov chain.
        note: Why it is not on the chain, or what else must be known.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    on_chain: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class DataSummary:
    """The data that activations were measured on.

    Args:
        name: As it was asked for, such as ``mnist`` or ``folder:photos``.
        split: ``test``, ``train``, or ``""`` where there are none.
        samples: How many were used.
        available: How many there are, None where nobody knows before reading all.
        task: ``classification``, ``segmentation``, ``regression`` or ``none``.
        classes: Names of the classes, empty where there are none.
        preprocessing: One sentence: size, channels, mean and standard deviation, and whose.
        x: Which tensor is X.
        notes: What was skipped, and what else must be known.
    """

    name: str
    split: str
    samples: int
    available: int | None
    task: str
    classes: tuple[str, ...]
    preprocessing: str
    x: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample whose class the outputs are least sure of.

    Args:
        number: Its place among the samples that ran, from 0.
        label: Name of its class, ``""`` where it has not one.
        prediction: Name of the likeliest class, ``""`` where there are many positions.
        confidence: The greatest probability.
        entropy: Predictive entropy, in nats.
        disagreement: Of an ensemble's members, in nats; None of one network.
        picture: The sample as PNG in base64, ``""`` where it is no picture.
    """

    number: int
    label: str
    prediction: str
    confidence: float
    entropy: float
    disagreement: float | None = None
    picture: str = ""


class Status(StrEnum):
    """What became of a tensor of the file."""

    ANALYSED = "analysed"
    NOT_LINEAR = "not a linear map"
    NOT_SUPPORTED = "not supported"
    NOT_SELECTED = "not selected"


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One tensor of the file and what became of it, with the specific reason."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    parameters: int
    status: Status
    reason: str
    assumed: bool = False
    """Whether it was analysed under an assumed geometry."""
    shared_with: str = ""
    """Name of the tensor whose memory it shares; it is then counted there."""
    buffer: bool = False
    """Whether it is state that no optimizer trains (running statistics, counters, indices)."""

    @property
    def counts(self) -> bool:
        """Whether its elements are parameters of their own."""
        return not self.shared_with and not self.buffer


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every tensor of the file, once."""

    tensors: tuple[TensorRecord, ...] = ()

    def _share(self, chosen: Iterable[TensorRecord]) -> float:
        total = self.parameters
        part = sum(record.parameters for record in chosen if record.counts)
        return part / total if total else 0.0

    @property
    def parameters(self) -> int:
        """Parameters in the file: tied tensors once, buffers not."""
        return sum(record.parameters for record in self.tensors if record.counts)

    @property
    def accounted(self) -> float:
        """Share of parameters analysed, or known not to be a linear map."""
        return self._share(r for r in self.tensors if r.status is not Status.NOT_SUPPORTED)

    @property
    def analysed(self) -> float:
        """Share of parameters analysed."""
        return self._share(r for r in self.tensors if r.status is Status.ANALYSED)

    @property
    def assumed(self) -> float:
        """Share of parameters analysed under an assumed geometry."""
        return self._share(r for r in self.tensors if r.status is Status.ANALYSED and r.assumed)

    def with_status(self, status: Status) -> tuple[TensorRecord, ...]:
        """Tensors of one status, in file order."""
        return tuple(record for record in self.tensors if record.status is status)


@dataclass(frozen=True)
class Report:
    """An analysis, whole: what was read, every number, every finding, how to repeat it."""

    source: str
    format: str
    digest: str
    architecture: str
    """What the file was recognised as, or ``""``."""
    layers: tuple[LayerSummary, ...]
    measurements: tuple[Measurement, ...]
    series: tuple[Series, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    sites: tuple[Site, ...] = ()
    """Where activations were looked at; empty without data."""
    data: DataSummary | None = None
    samples: tuple[Sample, ...] = ()
    """Those that the outputs are least sure of, the least sure first."""
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    created: str = ""
    schema_version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        return (
            f"Report({self.source!r}, {len(self.layers)} layers, "
            f"{len(self.measurements)} measurements, {len(self.findings)} findings)"
        )

    def rows(
        self,
        *,
        layer: str | None = None,
        measure: str | None = None,
        statistic: str | None = None,
    ) -> list[Measurement]:
        """Measurements that match every given field, in report order."""
        return [
            row
            for row in self.measurements
            if (layer is None or row.layer == layer)
            and (measure is None or row.measure == measure)
            and (statistic is None or row.statistic == statistic)
        ]

    def row(self, layer: str, measure: str, statistic: str = "value") -> Measurement | None:
        """The one row of a layer, measure and statistic, or None where it was not measured."""
        return self._index.get((layer, measure, statistic))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the networks of an ensemble; empty for one network."""
        found = self.rows(measure="expected-entropy", statistic="value")
        if not found:
            return ()
        entropies = self.rows(measure="predictive-entropy", statistic="value")
        return tuple(row.layer for row in entropies if row.layer)

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], Measurement]:
        return {(r.layer, r.measure, r.statistic): r for r in self.measurements}
