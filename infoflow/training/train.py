"""train(): where settings, network, data, loop and report meet."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infoflow.training import atomic, checkpointing
from infoflow.training.evaluation import evaluate
from infoflow.training.job import Job, assemble, digest_of_source, make_fabric, named
from infoflow.training.log import Log
from infoflow.training.loop import Position, Progress, fit, restore
from infoflow.training.run_folder import FIRST, MODEL, RunFolder
from infoflow.training.settings import Settings
from infoflow.training.strengths import cautions
from infoflow.training.writing import write_network


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Args:
        folder: Of the run.
        steps: That were done.
        task: What was asked of the network.
        figures: Of its last test.
        main: Whether this is the process that writes.
        notes: Sentences for people.
    """

    folder: Path
    steps: int
    task: str
    figures: dict[str, float]
    main: bool
    notes: tuple[str, ...] = ()


def is_main() -> bool:
    """Whether this process is the one that checks and writes."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def train(
    settings: Settings,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    overwrite: bool = False,
    telling: Callable[[str], None] = lambda sentence: None,
    watching: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Trains a network, and leaves a run's folder: run.toml, metrics.csv, checkpoints, the model.

    On the CPU, a run that was killed at any moment and resumed gives the same bytes in
    metrics.csv, and the same weights, as one that was not; with another number of threads,
    workers or processes it is refused.

    Args:
        settings: Everything that makes the run.
        out: The run's folder.
        resume: Go on with the run that is there.
        overwrite: Begin anew where a run is there.
        telling: Is told sentences for people.
        watching: Is told how far the run is.

    Raises:
        TrainingError: The folder cannot take the run, or the loss is no longer finite.
        InfoflowError: A setting, the network or the data cannot be served; one sentence says why.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was written.
    """
    folder = RunFolder(Path(out))
    if is_main():
        folder.refuse_mixing(resume=resume, overwrite=overwrite)
    found = named(settings)
    fabric = make_fabric(settings.run)
    job = assemble(settings, found, fabric)
    made = _made(job)
    position, size = _resumed(job, folder, made, telling) if resume else (Position(), None)
    first = cautions(job) if position.step == 0 else []  # before anything is written
    fabric.barrier()
    if is_main():
        if not resume:
            folder.begin(settings, made)
        if position.step == 0:
            write_network(job, folder.path / checkpointing.FOLDER / FIRST, 0, {})
    for sentence in (*job.network.notes, *job.sets.notes, *first):
        telling(sentence)
    log = Log(job, folder.path, size, position.step)
    try:
        fit(job, folder.path, position, log, watching)
    finally:
        log.close()
    figures = evaluate(job)
    if is_main():
        write_network(job, folder.path / MODEL, position.step, figures)
    return Trained(folder.path, position.step, job.task.name, figures, is_main())


def _resumed(
    job: Job, folder: RunFolder, made: dict[str, Any], telling: Callable[[str], None]
) -> tuple[Position, int | None]:
    """Where the run in the folder goes on, and how many bytes of metrics.csv count."""
    for sentence in folder.refuse_others(job.settings, made):
        telling(sentence)
    if is_main():
        atomic.clear(folder.path)
    state = checkpointing.newest(folder.path, telling)
    if state is None:
        telling("There is no checkpoint yet: the run begins anew.")
        return Position(), None
    position = restore(job, state)
    telling(f"Going on after step {position.step:,} of {job.total:,}.")
    return position, int(state["metrics"])


def _made(job: Job) -> dict[str, Any]:
    """What a run was made by and on, for ``run.toml``."""
    import torch

    device = job.device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        "infoflow": version("infoflow"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": where,
        "threads": torch.get_num_threads(),
        "workers": job.settings.data.workers,
        "processes": job.processes,
        "steps": job.total,
        "architecture": job.network.architecture,
        "parameters": sum(one.numel() for one in job.network.module.parameters()),
        "training": job.sets.training.data.description,
        "validation": job.sets.validation.description,
        "preprocessing": job.sets.training.data.preprocessing,
        "data": job.sets.training.digest(),
        "source": digest_of_source(job.source),
    }
