"""Every layer of a request measured: by which engine, from where it stopped, with progress told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from infoflow.cost import Cost, estimate
from infoflow.engines import Job, engine, in_this_process
from infoflow.errors import SelectionError
from infoflow.journal import Journal, stamps
from infoflow.measuring import Measured, Measurer


@dataclass(frozen=True)
class Step:
    """How far an analysis is.

    Args:
        done: Layers that are done.
        total: Layers in all.
        layer: The one in hand (the first of those that are); ``""`` at the end.
        cost: The estimate for what this run has to do, by all workers together.
        share: Share of that work that is done, by the estimate.
    """

    done: int
    total: int
    layer: str
    cost: Cost
    share: float


Progress = Callable[[Step], None]
"""Called at the start and after each layer."""


def measure_all(
    measurer: Measurer,
    *,
    workers: int = 1,
    engine_name: str = "processes",
    resume: Path | None = None,
    progress: Progress | None = None,
) -> list[Measured]:
    """What is found of every selected layer, in their order; see `infoflow.analyze`."""
    share_out = _engine(measurer, workers, engine_name)
    names = [planned.summary.name for planned in measurer.selected]
    with _journal(measurer, resume) as journal:
        kept = journal.done if journal else {}
        found = {i: Measured(*kept[name]) for i, name in enumerate(names) if name in kept}
        jobs = [(i, name) for i, name in enumerate(names) if i not in found]
        tell = _teller(measurer, jobs, workers, progress)
        tell(found)
        for index, measured in share_out(jobs) if jobs else ():
            found[index] = measured
            if journal:
                journal.add(names[index], measured.rows, measured.series)
            tell(found)
    return [found[index] for index in range(len(names))]


def _engine(
    measurer: Measurer, workers: int, name: str
) -> Callable[[Sequence[Job]], Iterator[tuple[int, Measured]]]:
    if workers < 1:
        raise SelectionError(f"{workers} workers cannot work; ask for 1 or more.")
    run = engine(name)
    if workers == 1 and name == "processes":
        return lambda jobs: in_this_process(measurer, jobs)
    if not isinstance(measurer.request.source, str):
        raise SelectionError("A live module cannot be shared out: ask for one worker, or save it.")
    seconds = _cost(measurer, range(len(measurer.selected))).seconds

    def longest_first(jobs: Sequence[Job]) -> Iterator[tuple[int, Measured]]:
        ordered = sorted(jobs, key=lambda job: -seconds[job[0]])
        return run(measurer.request, ordered, workers)

    return longest_first


def _journal(measurer: Measurer, resume: Path | None) -> AbstractContextManager[Journal | None]:
    if resume is None:
        return nullcontext()
    request = measurer.request
    if not isinstance(request.source, str):
        raise SelectionError("A live module cannot be resumed: it has no file to be known by.")
    path = Path(request.source)
    identity = {
        "checkpoint": f"{path.resolve()};{stamps(path, request.arch, journal=resume)}",
        "measures": ",".join(request.measures),
        "architecture": request.arch or "",
        "input size": "x".join(map(str, request.input_size or ())),
        "weights": request.weights,
        "device": request.device,
        "fast": str(request.fast),
        "seed": str(request.seed),
        "version of infoflow": version("infoflow"),
    }
    return closing(Journal(resume, identity))


def _teller(
    measurer: Measurer, jobs: Sequence[Job], workers: int, progress: Progress | None
) -> Callable[[dict[int, Measured]], None]:
    """Tells ``progress`` what is done, of the work that this run has to do."""
    if progress is None:
        return lambda found: None
    alone = _cost(measurer, [index for index, _ in jobs])
    at_a_time = max(min(workers, len(jobs)), 1)
    cost = replace(
        alone,
        seconds=tuple(x / at_a_time for x in alone.seconds),
        memory=alone.memory * at_a_time,
    )

    def tell(found: dict[int, Measured]) -> None:
        left = [name for index, name in jobs if index not in found]
        worked = sum(
            seconds
            for (index, _), seconds in zip(jobs, cost.seconds, strict=True)
            if index in found
        )
        progress(
            Step(
                done=len(found),
                total=len(measurer.selected),
                layer=left[0] if left else "",
                cost=cost,
                share=worked / cost.total if cost.total else 1.0,
            )
        )

    return tell


def _cost(measurer: Measurer, indices: Sequence[int]) -> Cost:
    summaries = [measurer.selected[index].summary for index in indices]
    names = {measure.name for measure in measurer.measures}
    return estimate(summaries, names, fast=measurer.request.fast)
