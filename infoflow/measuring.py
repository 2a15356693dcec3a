"""One layer at a time: the part of an analysis that several processes can share out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from infoflow.errors import CheckpointError, MissingDependencyError, SelectionError
from infoflow.layers import Layer, PlannedLayer
from infoflow.measures import measures
from infoflow.measures.measure import Measure
from infoflow.measures.weights.subject import LARGEST_WEIGHT, Subject
from infoflow.network import Opened, open_network
from infoflow.report import Measurement, Series
from infoflow.request import Request
from infoflow.selection import select
from infoflow.threads import threads_for

ALWAYS = ("zeros", "non-finite")
"""The measures that mean something on a weight that holds NaN or infinite values."""


@dataclass(frozen=True)
class Measured:
    """What was found of one layer."""

    rows: tuple[Measurement, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Measurer:
    """A request with its network open; every process has one of its own."""

    request: Request

    @cached_property
    def opened(self) -> Opened:
        """The network; no weight is read."""
        request = self.request
        return open_network(
            request.source,
            arch=request.arch,
            input_size=request.input_size,
            weights=request.weights,
            trust_pickle=request.trust_pickle,
        )

    @cached_property
    def selected(self) -> list[PlannedLayer]:
        """The layers asked for, in the network's order."""
        return select(self.opened.plan.layers, self.request.layers)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The measures asked for; each by its whole name."""
        return tuple(measures()[name] for name in self.request.measures)

    def measure(self, index: int, name: str) -> Measured:
        """Rows and series of one layer; its weight is let go when this returns.

        Args:
            index: Place among the selected layers.
            name: Its name, by which a file that has changed in between is noticed.
        """
        planned = self.selected[index] if index < len(self.selected) else None
        if planned is None or planned.summary.name != name:
            raise CheckpointError(f"{self.opened.checkpoint.path}: has changed; run again.")
        request = self.request
        layer = _on_device(planned.read(), request.device)
        subject = Subject(layer, fast=request.fast, seed=request.seed)
        with threads_for(planned.summary.shape):
            rows = tuple(measure_layer(subject, self.measures))
            series = series_of_layer(subject, self.measures) if request.complete else ()
            found = Measured(rows, tuple(series))
        self.opened.checkpoint.check()
        return found


def measure_layer(subject: Subject, measures: Sequence[Measure]) -> Iterator[Measurement]:
    """Every row of the given measures for one layer.

    A weight that holds NaN or infinite values gets a row without a value for every measure but
    those that count such values.
    """
    layer = subject.layer
    broken = subject.non_finite
    note = f"not computed: the weight holds {broken:,} values that are NaN or infinite"
    if not broken and subject.too_large:
        note = f"not computed: the weight holds values beyond {LARGEST_WEIGHT:g}"
    for measure in measures:
        if layer.kind not in measure.kinds:
            continue
        if (broken or subject.too_large) and measure.name not in ALWAYS:
            yield Measurement(layer.name, measure.name, "value", None, measure.unit, note=note)
        else:
            yield from measure.compute(subject)


def series_of_layer(subject: Subject, measures: Sequence[Measure]) -> Iterator[Series]:
    """Every series of the given measures for one layer, none for a weight that is not finite."""
    layer = subject.layer
    if subject.non_finite or subject.too_large:
        return
    for measure in measures:
        if measure.series and layer.kind in measure.kinds:
            yield from map(_rounded, measure.series(subject))


def _rounded(series: Series) -> Series:
    """Five significant digits: more than a picture shows, and a third of the file's size."""
    values = tuple(None if x is None else float(f"{x:.5g}") for x in series.values)
    return replace(series, values=values)


def _on_device(layer: Layer, device: str) -> Layer:
    """The layer with its weight as a float64 torch tensor on a device, or as it is on the CPU."""
    if device == "cpu":
        return layer
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            f"--device {device} needs torch, which is not installed: pip install torch."
        ) from error
    try:
        weight = torch.from_numpy(layer.weight.astype("float64")).to(device)
    except (RuntimeError, AssertionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if reason.startswith(("Expected one of", "Invalid device string")):
            raise SelectionError(
                f"There is no device {device!r}: write cpu, cuda, cuda:1 or mps."
            ) from error
        raise SelectionError(f"The device {device!r} cannot be used: {reason}") from error
    return replace(layer, weight=weight)
