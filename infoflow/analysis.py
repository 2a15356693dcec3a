"""analyze(): the one place where reading, measuring and finding meet."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike, fspath
from typing import TYPE_CHECKING

from infoflow.architectures import build, describe, fit, recognise, resize
from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.module import from_module
from infoflow.cost import Cost, estimate
from infoflow.errors import CheckpointError, MissingDependencyError, SelectionError
from infoflow.findings import find
from infoflow.layers import Layer, Plan, PlannedLayer, plan
from infoflow.measures import choose
from infoflow.measures.weights.subject import Subject
from infoflow.reference.places import choose as choose_reference
from infoflow.reference.placing import placed, silent_kinds
from infoflow.report import Coverage, Measurement, Report, Series, Status, TensorRecord
from infoflow.selection import select
from infoflow.threads import threads_for

if TYPE_CHECKING:
    from torch import nn

    from infoflow.architectures.architecture import Architecture
    from infoflow.checkpoints.checkpoint import Checkpoint
    from infoflow.measures.measure import Measure

Progress = Callable[["Step"], None]
"""Called before each layer."""

ALWAYS = ("zeros", "non-finite")
"""The measures that mean something on a weight that holds NaN or infinite values."""


@dataclass(frozen=True)
class Step:
    """How far an analysis is: ``done`` of ``total`` layers, and the estimate for all of them."""

    done: int
    total: int
    layer: str
    cost: Cost

    @property
    def share(self) -> float:
        """Share of the work that is done, by the estimate."""
        return sum(self.cost.seconds[: self.done]) / self.cost.total


@dataclass(frozen=True)
class Opened:
    """A network opened for analysis: its tensors, what it was recognised as, and the plan."""

    checkpoint: Checkpoint
    architecture: Architecture | None
    plan: Plan


def analyze(
    source: str | PathLike[str] | nn.Module,
    *,
    measures: str | Sequence[str] = "default",
    layers: str | Sequence[str] = (),
    arch: str | None = None,
    input_size: int | tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
    device: str = "cpu",
    fast: bool = False,
    seed: int = 0,
    complete: bool = True,
    reference: str = "default",
    progress: Progress | None = None,
) -> Report:
    """Report where a trained network keeps entropy and where it loses it, layer by layer.

    Args:
        source: A checkpoint file or folder, or a live ``nn.Module``.
        measures: ``paper``, ``default``, ``all``, or names (see `infoflow.measures.choose`).
        layers: Patterns of layers (see `infoflow.selection.select`); empty for all.
        arch: ``torchvision:NAME``, ``timm:NAME`` or ``path/model.py:factory``, for a file that
            is not recognised by itself.
        input_size: Spatial size of the network's input, such as ``(224, 224)``; 224 says the same.
        weights: ``auto``, ``ema`` or ``raw``, where a file holds both.
        trust_pickle: Let a pickled file run its code. Only for files that you trust.
        device: ``cpu`` or a torch device such as ``cuda``.
        fast: Coarser tolerances (the report says so).
        seed: Of the random frequencies and draws.
        complete: Whether to add what only a written report shows: the file's SHA-256 and the
            series behind its pictures.
        reference: Healthy networks to place the layers among: ``default``, ``shipped``, ``none``
            or a table's file (see `infoflow.reference.places.choose`).
        progress: Called before each layer.

    Returns:
        The report. Numbers that do not exist are rows with a note, not exceptions.

    Raises:
        InfoflowError: The request or the file cannot be served; one sentence says why.
    """
    chosen = choose(measures)
    healthy = choose_reference(reference)
    patterns = [layers] if isinstance(layers, str) else list(layers)
    input_size = (input_size, input_size) if isinstance(input_size, int) else input_size
    opened = open_network(
        source, arch=arch, input_size=input_size, weights=weights, trust_pickle=trust_pickle
    )
    selected = select(opened.plan.layers, patterns)
    rows: list[Measurement] = []
    series: list[Series] = []
    cost = estimate([layer.summary for layer in selected], {m.name for m in chosen}, fast=fast)
    for index, planned in enumerate(selected):
        if progress:
            progress(Step(index, len(selected), planned.summary.name, cost))
        found, pictures = _measured(planned, chosen, device, fast, seed, complete)
        rows += found
        series += pictures
    summaries = tuple(planned.summary for planned in selected)
    known = opened.architecture
    settings = {
        "measures": measures if isinstance(measures, str) else ",".join(measures),
        "layers": ",".join(patterns) or "all",
        "architecture": (
            f"{known.name}, {'named' if arch else 'recognised'}" if known else "not known"
        ),
        "input-size": _size_text(input_size or (known.input_size if known else None)),
        "weights": weights,
        "device": device,
        "fast": "yes: tolerances ten times coarser" if fast else "no",
        "seed": str(seed),
        "reference": "; ".join([healthy.sentence, *silent_kinds(summaries, healthy.table)]),
    }
    report = Report(
        source=opened.checkpoint.path,
        format=opened.checkpoint.format,
        digest=opened.checkpoint.digest() if complete else "",
        architecture=opened.architecture.title if opened.architecture else "",
        layers=summaries,
        measurements=tuple(placed(summaries, rows, healthy.table)),
        series=tuple(series),
        findings=(),
        coverage=Coverage(tuple(_selected_records(opened.plan, selected))),
        settings=settings,
        versions=_versions(device),
        notes=_notes(opened),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(report, findings=find(report))


def _measured(
    planned: PlannedLayer,
    measures: Sequence[Measure],
    device: str,
    fast: bool,
    seed: int,
    complete: bool,
) -> tuple[list[Measurement], list[Series]]:
    """Rows and series of one layer; its weight is let go when this returns."""
    subject = Subject(_on_device(planned.read(), device), fast=fast, seed=seed)
    with threads_for(planned.summary.shape):
        rows = list(measure_layer(subject, measures))
        return rows, list(series_of_layer(subject, measures)) if complete else []


def _notes(opened: Opened) -> tuple[str, ...]:
    """What was done to read the file, and what is unusual about its architecture."""
    known = opened.architecture
    plain = f"recognised by names and shapes as {known.title}" if known else ""
    extra = known.note.removeprefix(plain).lstrip("; ") if known else ""
    return opened.checkpoint.notes + ((extra,) if extra else ())


def _size_text(size: tuple[int, ...] | None) -> str:
    return "×".join(map(str, size)) if size else "not known"


def open_network(
    source: str | PathLike[str] | nn.Module,
    *,
    arch: str | None = None,
    input_size: tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
) -> Opened:
    """Open a checkpoint or a live module and plan its layers; no weight is read.

    Raises:
        CheckpointError: The file cannot be read, or holds nothing that can be analysed.
        ArchitectureError: The named architecture cannot be built or does not fit.
    """
    if isinstance(source, (str, PathLike)):
        checkpoint = open_checkpoint(fspath(source), weights=weights, trust_pickle=trust_pickle)
        architecture = _architecture(checkpoint, arch, input_size)
    else:
        checkpoint = from_module(source)
        architecture = describe(source, input_size, name=type(source).__name__)
    planned = plan(checkpoint, architecture, input_size)
    if not planned.layers:
        kinds = sorted({record.reason for record in planned.records})
        count = len(planned.records)
        raise CheckpointError(
            f"{checkpoint.path}: nothing in it can be analysed; it holds {count} "
            f"tensor{'' if count == 1 else 's'} ({'; '.join(kinds[:3]) or 'none at all'})."
        )
    return Opened(checkpoint, architecture, planned)


def _architecture(
    checkpoint: Checkpoint, arch: str | None, input_size: tuple[int, ...] | None
) -> Architecture | None:
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    if arch:
        return fit(build(arch, input_size), shapes)
    architecture = recognise(shapes)
    if architecture is None or input_size is None:
        return architecture
    usual = architecture.input_size
    if usual and len(usual) != len(input_size):
        raise SelectionError(
            f"{architecture.title} takes inputs of {len(usual)} spatial dimensions, such as "
            f"{_size_text(usual)}; {_size_text(input_size)} has {len(input_size)}."
        )
    return resize(architecture, input_size)


def measure_layer(subject: Subject, measures: Sequence[Measure]) -> Iterator[Measurement]:
    """Every row of the given measures for one layer.

    A weight that holds NaN or infinite values gets a row without a value for every measure but
    those that count such values.
    """
    layer = subject.layer
    broken = subject.non_finite
    note = f"not computed: the weight holds {broken:,} values that are NaN or infinite"
    for measure in measures:
        if layer.kind not in measure.kinds:
            continue
        if broken and measure.name not in ALWAYS:
            yield Measurement(layer.name, measure.name, "value", None, measure.unit, note=note)
        else:
            yield from measure.compute(subject)


def series_of_layer(subject: Subject, measures: Sequence[Measure]) -> Iterator[Series]:
    """Every series of the given measures for one layer, none for a weight that is not finite."""
    layer = subject.layer
    if subject.non_finite:
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
        reason = str(error).splitlines()[0]
        raise SelectionError(f"The device {device!r} cannot be used: {reason}") from error
    return replace(layer, weight=weight)


def _selected_records(planned: Plan, selected: Sequence[PlannedLayer]) -> Iterator[TensorRecord]:
    taken = {layer.tensor for layer in selected}
    left = {layer.tensor for layer in planned.layers} - taken
    for record in planned.records:
        if record.name in left:
            yield replace(record, status=Status.NOT_SELECTED, reason="not chosen by --layers")
        else:
            yield record


def _versions(device: str) -> dict[str, str]:
    packages = ["infoflow", "numpy", "scipy"] + (["torch"] if device != "cpu" else [])
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
