"""Rows of a run: to metrics.csv and to TensorBoard, by the main process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infoflow.architectures.factories import package
from infoflow.training.job import Job
from infoflow.training.run_folder import Metrics

TENSORBOARD = "tensorboard"


class Log:
    """Writes rows; nothing in the other processes of a run.

    Args:
        job: Whose run it is.
        run: Its folder.
        size: Bytes of metrics.csv that count, None for a new run.
        step: Steps that are done.
    """

    def __init__(self, job: Job, run: Path, size: int | None, step: int) -> None:
        self._metrics: Metrics | None = None
        self._writer: Any = None
        if job.fabric.global_rank == 0:
            home = package("tensorboardX", "tensorboardX", "training", "install infoflow[train]")
            self._metrics = Metrics(run, columns(job), size)
            self._writer = home.SummaryWriter(
                str(run / TENSORBOARD), purge_step=step + 1 if size is not None else None
            )

    def add(self, step: int, epoch: int, split: str, values: Mapping[str, float]) -> None:
        """A row of means since the last one (``train``), or of a test."""
        if self._metrics is None:
            return
        self._metrics.add({"step": step, "epoch": epoch, "split": split, **values})
        for name, value in values.items():
            self._writer.add_scalar(f"{split}/{name}", value, step)

    def sync(self) -> int:
        """Puts all rows on the disk; how many bytes they are."""
        assert self._metrics is not None
        return self._metrics.sync()

    def close(self) -> None:
        """Ends writing."""
        if self._metrics is not None:
            self._metrics.close()
            self._writer.close()


def columns(job: Job) -> list[str]:
    """Of metrics.csv; the entropy losses under the text of their requests."""
    terms = job.entropy.names if job.entropy is not None else []
    total = ["total"] if terms else []
    return [
        "step", "epoch", "split", "loss", *job.task.figures, *total, *terms, "learning_rate",
    ]  # fmt: skip
