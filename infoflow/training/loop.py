"""The loop: steps, rows, tests, checkpoints, and the ways in which it ends."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from infoflow.data import Batch
from infoflow.errors import TrainingError
from infoflow.training import checkpointing, divergence
from infoflow.training.evaluation import evaluate
from infoflow.training.job import Job
from infoflow.training.log import Log
from infoflow.training.means import Means
from infoflow.training.sampling import seed_step
from infoflow.training.schedule import learning_rate, set_learning_rate
from infoflow.training.step import train_step


@dataclass
class Progress:
    """How far a run is; what may be shown of it.

    Args:
        done: Steps.
        total: Steps.
        epoch: From 1.
        epochs: In all, a started one counts.
        values: The newest row.
        split: ``train`` or ``test``: what the row is of.
        left: Seconds, None where nothing is known yet.
    """

    done: int
    total: int
    epoch: int
    epochs: int
    values: Mapping[str, float]
    split: str
    left: float | None


Watching = Callable[[Progress], None]


@dataclass
class Position:
    """Where a run is: what a checkpoint keeps beside the network and the optimizer.

    Args:
        step: Steps that are done.
        best: The best test so far.
        since: Tests since then.
        ended: Whether the run stopped early.
        means: Of the steps since the last row.
    """

    step: int = 0
    best: float | None = None
    since: int = 0
    ended: bool = False
    means: Means = field(default_factory=Means)

    def is_end(self, total: int) -> bool:
        """Whether nothing is left to do of so many steps."""
        return self.ended or self.step >= total


def fit(job: Job, run: Path, position: Position, log: Log, watching: Watching) -> None:
    """Trains from a position to the end, or until it is stopped.

    Raises:
        TrainingError: The loss or a parameter is no longer finite.
        KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was written.
        OutputError: A file cannot be written.
    """
    total, clock = job.total, _Clock(position.step, job.total)
    if position.is_end(total):
        return
    with _stopping() as stop:
        for step, parts in enumerate(job.steps(position.step), start=position.step):
            set_learning_rate(job.optimizer, learning_rate(job.settings.optimizer, step, total))
            seed_step(job.settings.run.seed, int(job.fabric.global_rank), step)
            if not train_step(job, parts, position.means):
                raise _diverged(job, run, step + 1, parts[0])
            position.step = step + 1
            due = _due(job, position.step)
            if due.row:
                watching(clock.progress(job, position.step, _row(job, log, position), "train"))
            if due.test:
                watching(clock.progress(job, position.step, _test(job, log, position), "test"))
            end = position.is_end(total)
            if due.checkpoint or end or stop.asked:
                save(job, run, position, log)
            if stop.asked and not end:
                raise KeyboardInterrupt
            if end:
                break


def save(job: Job, run: Path, position: Position, log: Log) -> None:
    """Writes a checkpoint, if the network is worth one.

    Raises:
        TrainingError: A parameter is not finite.
    """
    name = divergence.bad_parameter(job.network.module)
    if name is not None:
        raise TrainingError(
            f"After step {position.step:,} the parameter {name} is not finite. {_kept(run)}"
        )
    if job.fabric.global_rank == 0:
        state = {
            "model": job.network.module.state_dict(),
            "optimizer": job.optimizer.state_dict(),
            "entropy": job.entropy.state_dict() if job.entropy is not None else {},
            "precision": job.fabric.strategy.precision.state_dict(),
            "position": asdict(position),
            "metrics": log.sync(),
        }
        checkpointing.save(run, position.step, state)


def restore(job: Job, state: checkpointing.State) -> Position:
    """Puts network, losses and optimizer where a checkpoint left them.

    Raises:
        TrainingError: The checkpoint is of another network.
    """
    try:
        job.network.module.load_state_dict(state["model"])
        job.optimizer.load_state_dict(state["optimizer"])
        if job.entropy is not None:
            job.entropy.load_state_dict(state["entropy"])
        job.fabric.strategy.precision.load_state_dict(state["precision"])
        kept = dict(state["position"])
        return Position(**{**kept, "means": Means(**kept["means"])})
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise TrainingError(
            "The checkpoint is of another network or optimizer than run.toml says: "
            f"{str(error).splitlines()[0]}"
        ) from error


@dataclass(frozen=True)
class _Due:
    row: bool
    test: bool
    checkpoint: bool


def _due(job: Job, done: int) -> _Due:
    """What follows a step: functions of its number alone, so that a resumed run does the same."""
    run, epoch = job.settings.run, job.plan.steps_an_epoch
    end = done == job.total
    test = done % (run.evaluate_every or epoch) == 0 or end
    return _Due(
        row=done % run.log_every == 0 or test,
        test=test,
        checkpoint=done % (run.checkpoint_every or epoch) == 0 or end,
    )


def _row(job: Job, log: Log, position: Position) -> dict[str, float]:
    values = position.means.taken()
    values["learning_rate"] = float(job.optimizer.param_groups[0]["lr"])
    log.add(position.step, job.plan.epoch(position.step - 1) + 1, "train", values)
    return values


def _test(job: Job, log: Log, position: Position) -> dict[str, float]:
    values = evaluate(job)
    log.add(position.step, job.plan.epoch(position.step - 1) + 1, "test", values)
    name, more_is_better = job.task.main
    value = values[name] if more_is_better else -values[name]
    if position.best is None or value > position.best:
        position.best, position.since = value, 0
    else:
        position.since += 1
    patience = job.settings.run.patience
    position.ended = bool(patience) and position.since >= patience
    return values


def _diverged(job: Job, run: Path, step: int, batch: Batch) -> TrainingError:
    place = divergence.where(job.network.module, batch.to(job.device))
    return TrainingError(
        f"Step {step:,}: the loss is not finite; {place}. {_kept(run)} Try a smaller "
        "optimizer.learning_rate, or optimizer.clip=1."
    )


def _kept(run: Path) -> str:
    steps = checkpointing.steps(run)
    if not steps:
        return "There is no checkpoint from before."
    return f"The last good checkpoint is that of step {steps[0]:,} in {run}."


class _Clock:
    """How long the rest takes, by the steps of this process."""

    def __init__(self, first: int, total: int) -> None:
        self._first, self._total = first, total
        self._start = time.monotonic()

    def progress(self, job: Job, done: int, values: Mapping[str, float], split: str) -> Progress:
        share = (done - self._first) / (self._total - self._first)
        elapsed = time.monotonic() - self._start
        each = job.plan.steps_an_epoch
        return Progress(
            done, self._total, job.plan.epoch(done - 1) + 1, math.ceil(self._total / each),
            values, split, elapsed * (1 - share) / share if share else None,
        )  # fmt: skip


@dataclass
class _Stop:
    asked: bool = False


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """SIGINT and SIGTERM ask for an end after the step; a second one ends at once."""
    stop = _Stop()

    def ask(_number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    before: dict[int, Any] = {}
    try:
        for one in (signal.SIGINT, signal.SIGTERM):
            before[one] = signal.signal(one, ask)
    except ValueError:  # not in the main thread, where nobody may listen
        pass
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
