"""compare(): where reading, measuring and comparing meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from infoflow.analysis import report_of
from infoflow.comparison.changes import measure_changes
from infoflow.comparison.comparison import Change, ComparedLayer, Comparison, Snapshot
from infoflow.comparison.findings import finding_changes
from infoflow.comparison.ordering import Score, scores
from infoflow.comparison.pairing import Paired, pair
from infoflow.comparison.sequence import Ordered, in_sequence
from infoflow.comparison.subspaces import MOST
from infoflow.comparison.weights import weight_rows
from infoflow.cost import EIGEN, GRAM, Cost
from infoflow.errors import ComparisonError
from infoflow.inputs import Given, Input, inputs
from infoflow.layers import PlannedLayer
from infoflow.measuring import Measurer
from infoflow.reference.places import Reference
from infoflow.reference.places import choose as choose_reference
from infoflow.report import LayerSummary, Report
from infoflow.request import request_of
from infoflow.sharing import Step, measure_all

Progress = Callable[[str, Step], None]
"""Called before each layer with the name of the file, or with ``weights``."""

WEIGHTS = "weights"

_TELLING = ("measures", "weights", "fast", "seed", "device", "input-size")
"""Settings whose difference changes figures."""


def compare(
    *given: Given,
    measures: str | Sequence[str] | None = None,
    layers: str | Sequence[str] = (),
    arch: str | None = None,
    input_size: int | tuple[int, ...] | None = None,
    weights: str = "auto",
    trust_pickle: bool = False,
    fast: bool = False,
    seed: int = 0,
    complete: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """What changed between two or more checkpoints of one architecture, layer by layer.

    Two are before and after. Three or more are a sequence: in the order of the number in which
    their names differ, or as given where they differ otherwise.

    Args:
        *given: Checkpoint files, model folders, live modules, reports, or JSON files of reports.
            Reports hold no weights: with them only measures are compared.
        measures: As for `infoflow.analyze`; None for its default set, and for all that a report
            has.
        layers: Patterns of layers; empty for all.
        arch: Architecture of files that are not recognised.
        input_size: Spatial size of the network's input.
        weights: ``auto``, ``ema`` or ``raw``, where a file holds both.
        trust_pickle: Let pickled files run their code. Only for files that you trust.
        fast: Coarser tolerances of the measures.
        seed: Of the random frequencies and draws, the same for every file.
        complete: Whether to compute the files' SHA-256, for a comparison that is written.
        progress: Called before each layer.

    Returns:
        The comparison: its layers in the order of what changed most.

    Raises:
        ComparisonError: There are fewer than two files, or no layer is common to all.
        InfoflowError: A file or the request cannot be served; one sentence says why.
    """
    request = request_of(
        "",  # each network has a source of its own
        measures="default" if measures is None else measures, layers=layers, arch=arch,
        input_size=input_size, weights=weights, trust_pickle=trust_pickle, fast=fast, seed=seed,
        complete=False,
    )  # fmt: skip
    kept = None if measures is None else request.measures
    found = list(inputs(given, request, measures=kept))
    if len(found) < 2:
        raise ComparisonError(
            "There is one file to look at; name two or more to compare (infoflow diff A B)."
        )
    ordered = in_sequence([one.name for one in found])
    files = [found[place] for place in ordered.order]
    planned = [_planned(one) for one in files]
    summaries = [_summaries(one) for one in files]
    paired = _paired(summaries, ordered)
    healthy = choose_reference("default")
    reports = [
        _report(one, healthy, _named(progress, label))
        for one, label in zip(files, ordered.labels, strict=True)
    ]
    changes = [*_weight_changes(paired.names, planned, progress)]
    for one in files:
        if isinstance(one.network, Measurer):
            one.network.opened.checkpoint.check()
    for place in range(1, len(reports)):
        changes += measure_changes(
            reports[0], reports[place], ["", *paired.names], first=0, second=place
        )
    changes = _in_order(changes, paired.names)
    ranked = scores(
        paired.names, (row for row in changes if row.first == 0 and row.second == len(reports) - 1)
    )
    snapshots = [
        _snapshot(one, report, label, step, complete)
        for one, report, label, step in zip(
            files, reports, ordered.labels, ordered.steps, strict=True
        )
    ]
    settings = {
        "order": "the number in the names" if ordered.numbered else "as given",
        **request.settings,
        "architecture": arch or "recognised",
        "directions": f"at most {MOST}, and half of the smaller side",
    }
    return Comparison(
        snapshots=tuple(snapshots),
        layers=tuple(_layers(paired.names, summaries, ranked)),
        changes=tuple(changes),
        unpaired=paired.unpaired,
        findings=finding_changes([snapshot.findings for snapshot in snapshots]),
        settings=settings,
        versions=next((one.versions for one in reversed(reports) if one.versions), {}),
        notes=tuple(_notes(snapshots, ordered)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _planned(one: Input) -> dict[str, PlannedLayer]:
    """The layers with weights, by name; none of a report."""
    if isinstance(one.network, Report):
        return {}
    return {planned.summary.name: planned for planned in one.network.selected}


def _summaries(one: Input) -> list[LayerSummary]:
    if isinstance(one.network, Report):
        return list(one.network.layers)
    return [planned.summary for planned in one.network.selected]


def _report(one: Input, healthy: Reference, progress: Callable[[Step], None] | None) -> Report:
    if isinstance(one.network, Report):
        return one.network
    found = measure_all(one.network, progress=progress)
    return report_of(one.network, found, healthy, complete=False)


def _paired(summaries: Sequence[Sequence[LayerSummary]], ordered: Ordered) -> Paired:
    """The layers to compare.

    Raises:
        ComparisonError: There are none.
    """
    paired = pair(summaries, ordered.labels)
    if paired.names:
        return paired
    shared = [one for one in paired.unpaired if len(one.present) == len(summaries)]
    if shared:
        raise ComparisonError(
            f"No layer has the same shape in all files: {shared[0].name} is {shared[0].reason}."
        )
    first, other = (
        f"{label} has {_few([layer.name for layer in layers])}"
        for label, layers in list(zip(ordered.labels, summaries, strict=True))[:2]
    )
    raise ComparisonError(
        f"The files have no layer in common, so they are not of one architecture: {first}; {other}."
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _named(progress: Progress | None, label: str) -> Callable[[Step], None] | None:
    return None if progress is None else lambda step: progress(label, step)


def _weight_changes(
    names: Sequence[str],
    planned: Sequence[dict[str, PlannedLayer]],
    progress: Progress | None,
) -> Iterator[Change]:
    if sum(bool(one) for one in planned) < 2:
        return
    of = [[one.get(name) for one in planned] for name in names]
    cost = Cost(tuple(_seconds(files) for files in of), 0)
    for index, (name, files) in enumerate(zip(names, of, strict=True)):
        if progress:
            share = sum(cost.seconds[:index]) / cost.total
            progress(WEIGHTS, Step(index, len(names), name, cost, share))
        yield from weight_rows(files)


def _seconds(files: Sequence[PlannedLayer | None]) -> float:
    """Of the Gram matrices and their eigenvectors, in every file."""
    shape = next(planned.summary.shape for planned in files if planned is not None)
    sides = sorted((shape[0], math.prod(shape[1:]))) if len(shape) > 1 else (1, 1)
    once = sides[0] ** 2 * sides[1] / GRAM + 4 / 3 * sides[0] ** 3 / EIGEN
    return 1e-4 + once * sum(planned is not None for planned in files)


def _in_order(changes: Sequence[Change], names: Sequence[str]) -> list[Change]:
    """By layer in the network's order, then by file; what the whole network has comes last."""
    place = {name: index for index, name in enumerate(names)}
    return sorted(changes, key=lambda row: (place.get(row.layer, len(place)), row.second))


def _layers(
    names: Sequence[str], summaries: Sequence[Sequence[LayerSummary]], ranked: dict[str, Score]
) -> list[ComparedLayer]:
    tables = [{layer.name: layer for layer in layers} for layers in summaries]
    layers = []
    for place, name in enumerate(names):
        layer, score = tables[0][name], ranked[name]
        dtypes = tuple(table[name].dtype for table in tables)
        layers.append(
            ComparedLayer(
                name, layer.kind, layer.shape, dtypes, layer.parameters, place,
                score.changed, score.value, score.reason,
            )
        )  # fmt: skip
    return sorted(layers, key=lambda layer: (*ranked[layer.name].key, layer.place))


def _snapshot(one: Input, report: Report, label: str, step: int, complete: bool) -> Snapshot:
    digest = report.digest
    if complete and isinstance(one.network, Measurer):
        digest = one.network.opened.checkpoint.digest()
    return Snapshot(
        source=one.name,
        label=label,
        step=step,
        format=report.format,
        digest=digest,
        architecture=report.architecture,
        parameters=report.coverage.parameters,
        report=isinstance(one.network, Report),
        findings=report.findings,
        settings={key: report.settings[key] for key in _TELLING if key in report.settings},
        notes=report.notes,
    )


def _begun(note: str) -> str:
    """A sentence as the rest of another."""
    return note[:1].lower() + note[1:].rstrip(".")


def _notes(snapshots: Sequence[Snapshot], ordered: Ordered) -> Iterator[str]:
    if list(ordered.order) != sorted(ordered.order):
        yield "the files are in the order of the number in their names, not as given"
    reports = [one.label for one in snapshots if one.report]
    if reports:
        yield (
            f"there are no weights in {_few(reports)}, which are reports: relative change and "
            "angles are of the other files only"
            if len(reports) < len(snapshots)
            else "there are no weights in reports: only their measures are compared"
        )
    names = list(dict.fromkeys(one.architecture or "not recognised" for one in snapshots))
    if len(names) > 1:
        yield f"architectures differ ({', '.join(names)}); layers of one name are compared"
    for key in _TELLING:
        values = list(dict.fromkeys(one.settings.get(key, "not said") for one in snapshots))
        if len(values) > 1:
            yield f"the analyses differ in {key}: {', '.join(values)}"
    shared = [note for note in snapshots[0].notes if all(note in s.notes for s in snapshots)]
    yield from shared
    for one in snapshots:
        yield from (f"in {one.label}: {_begun(note)}" for note in one.notes if note not in shared)
