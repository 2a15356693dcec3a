"""analyze(): the one place where reading, measuring and finding meet."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from infoflow.activations.request import ActivationRequest
from infoflow.errors import SelectionError
from infoflow.findings import find
from infoflow.layers import Plan, PlannedLayer
from infoflow.measuring import Measured, Measurer
from infoflow.network import Opened, size_text
from infoflow.reference.places import Reference
from infoflow.reference.places import choose as choose_reference
from infoflow.reference.placing import placed, silent_kinds
from infoflow.report import PARTIAL, Coverage, Report, Status, TensorRecord
from infoflow.request import request_of
from infoflow.sharing import Progress, measure_all
from infoflow.words import counted

if TYPE_CHECKING:
    from torch import nn

    from infoflow.activations.produce import Produced


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
    workers: int = 1,
    engine: str = "processes",
    resume: str | PathLike[str] | None = None,
    reference: str = "default",
    data: str | ActivationRequest | None = None,
    progress: Progress | None = None,
    telling: Callable[[str], None] | None = None,
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
        workers: How many layers are measured at a time. Each worker is a process with a network
            of its own, so a script that asks for several keeps its work under
            ``if __name__ == "__main__":``. The figures are the same, up to rounding.
        engine: ``processes`` of this machine, or ``ray`` for a cluster (see `infoflow.engines`).
        resume: A file that keeps the layers that are done; an analysis that was interrupted goes
            on from them. It is left there.
        reference: Healthy networks to place the layers among: ``default``, ``shipped``, ``none``
            or a table's file (see `infoflow.reference.places.choose`).
        data: Data to run the network on, such as ``mnist`` or ``npz:PATH`` (see
            `infoflow.data.open_data`), or a whole request; its activations are measured too.
        progress: Called at the start and after each layer.
        telling: Called with a few words on what is being done while the network runs on data.

    Returns:
        The report. Numbers that do not exist are rows with a note, not exceptions.

    Raises:
        InfoflowError: The request or the file cannot be served; one sentence says why.
        InterruptedAnalysis: Somebody interrupted it; it has the report of what was measured.
    """
    healthy = choose_reference(reference)
    request = request_of(
        source, measures=measures, layers=layers, arch=arch, input_size=input_size,
        weights=weights, trust_pickle=trust_pickle, device=device, fast=fast, seed=seed,
        complete=complete or resume is not None,  # whatever the next run writes
    )  # fmt: skip
    measurer = Measurer(request)
    found = measure_all(
        measurer,
        workers=workers,
        engine_name=engine,
        resume=Path(resume) if resume is not None else None,
        progress=progress,
    )
    if data is None:
        return report_of(measurer, found, healthy, complete=complete)
    from infoflow.activations.produce import Interrupted

    try:
        produced = _produced(measurer, data, telling)
    except Interrupted as interruption:
        report = report_of(measurer, found, healthy, interruption.produced, complete=complete)
        raise InterruptedAnalysis(partial(report)) from interruption
    return report_of(measurer, found, healthy, produced, complete=complete)


class InterruptedAnalysis(KeyboardInterrupt):
    """Somebody interrupted `analyze` while activations were measured.

    ``report`` is partial: it holds the weights and the sites that were measured until then.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("interrupted; the report of what was measured is in .report")
        self.report = report


def partial(report: Report) -> Report:
    """The report, marked as one of an analysis that was interrupted."""
    reason = (
        f"interrupted after {counted(len(report.sites), 'site')} of activations; what comes after "
        f"{report.sites[-1].name} is missing"
    )
    settings = {PARTIAL: reason, **report.settings}
    return replace(report, settings=settings, notes=(f"Partial report: {reason}.", *report.notes))


def _produced(
    measurer: Measurer,
    data: str | ActivationRequest,
    telling: Callable[[str], None] | None,
) -> Produced:
    """What the activations say; from here on torch is needed."""
    from infoflow.activations.choosing import site_patterns
    from infoflow.activations.produce import produce
    from infoflow.models import live, runnable

    request = measurer.request
    if not isinstance(data, str | ActivationRequest):
        raise SelectionError(
            f"data is a {type(data).__name__}; give what --data takes, such as 'mnist' or "
            "'path/file.py:function' (any iterable of batches), or an infoflow.ActivationRequest."
        )
    if isinstance(data, str):
        data = ActivationRequest(data, device=request.device, seed=request.seed)
    if request.input_size is not None and data.input_size is None:
        data = replace(data, input_size=request.input_size)
    if request.layers and not data.layers:
        every = [planned.summary for planned in measurer.opened.plan.layers]
        data = replace(data, layers=site_patterns(request.layers, every))
    if isinstance(request.source, str):
        network = runnable(
            measurer.opened.checkpoint, arch=request.arch, input_size=request.input_size
        )
    else:
        network = live(request.source, measurer.opened.architecture)
    return produce(network, data, telling or (lambda words: None))


def report_of(
    measurer: Measurer,
    found: Sequence[Measured],
    healthy: Reference,
    produced: Produced | None = None,
    *,
    complete: bool,
) -> Report:
    """The report of a network that was measured.

    Args:
        measurer: The network, and what was asked for.
        found: What was found of every selected layer.
        healthy: The networks to place the layers among.
        produced: What its activations say, None without data.
        complete: As for `analyze`.
    """
    opened, selected, request = measurer.opened, measurer.selected, measurer.request
    known = opened.architecture
    summaries = tuple(planned.summary for planned in selected)
    rows = [row for one in found for row in one.rows]
    pictures = [series for one in found for series in one.series]
    pictures += produced.series if produced else ()
    settings = {
        **request.settings,
        "architecture": (
            f"{known.name}, {'named' if request.arch else 'recognised'}" if known else "not known"
        ),
        "input-size": size_text(request.input_size or (known.input_size if known else None)),
        "device": request.device,
        "reference": "; ".join([healthy.sentence, *silent_kinds(summaries, healthy.table)]),
    }
    report = Report(
        source=opened.checkpoint.path,
        format=opened.checkpoint.format,
        digest=opened.checkpoint.digest() if complete else "",
        architecture=known.title if known else "",
        layers=summaries,
        measurements=(
            *placed(summaries, rows, healthy.table),
            *(produced.rows if produced else ()),
        ),
        series=tuple(pictures) if complete else (),
        findings=(),
        coverage=Coverage(tuple(_selected_records(opened.plan, selected))),
        sites=produced.sites if produced else (),
        data=produced.data if produced else None,
        samples=produced.samples if produced else (),
        settings=settings | (produced.settings if produced else {}),
        versions=versions(with_torch=request.device != "cpu" or produced is not None),
        notes=_notes(opened),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(report, findings=find(report))


def _notes(opened: Opened) -> tuple[str, ...]:
    """What was done to read the file, and what is unusual about its architecture."""
    known = opened.architecture
    plain = f"recognised by names and shapes as {known.title}" if known else ""
    extra = known.note.removeprefix(plain).lstrip("; ") if known else ""
    return opened.checkpoint.notes + ((extra,) if extra else ())


def _selected_records(planned: Plan, selected: Sequence[PlannedLayer]) -> Iterator[TensorRecord]:
    taken = {name for layer in selected for name in layer.tensors}
    left = {name for layer in planned.layers for name in layer.tensors} - taken
    for record in planned.records:
        if record.name in left:
            yield replace(record, status=Status.NOT_SELECTED, reason="not chosen by --layers")
        else:
            yield record


def versions(*, with_torch: bool) -> dict[str, str]:
    """Of Python and of the packages that made the figures."""
    packages = ["infoflow", "numpy", "scipy"] + (["torch"] if with_torch else [])
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
