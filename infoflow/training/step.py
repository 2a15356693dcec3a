"""One step of the optimizer: task loss and entropy losses of all parts, then the move."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, distributed

from infoflow.data import Batch
from infoflow.training.job import Job
from infoflow.training.means import Means


def train_step(job: Job, parts: Sequence[Batch], means: Means) -> bool:
    """Runs all parts and moves the parameters; whether the loss was finite, or nothing moved.

    The gradient is that of the mean over all samples of the step, whatever their division among
    processes and accumulated parts; batch statistics (batch normalisation, batch-entropy under
    accumulation) are those of the parts.

    Args:
        job: What is trained.
        parts: This process's, of this step.
        means: Takes in what is logged.
    """
    counts = [job.task.count(batch) for batch in parts]
    totals = _over_processes(counts, job)
    job.optimizer.zero_grad()
    found = Means()
    for place, batch in enumerate(parts):
        last = place == len(parts) - 1
        waiting = job.fabric.no_backward_sync(job.module, enabled=not last)
        with waiting if job.processes > 1 else nullcontext():
            loss = _forward(job, batch.to(job.device), counts[place], totals[place], found)
            job.fabric.backward(loss * (totals[place] / max(1, sum(totals))))
    found.merge_processes(job.processes, job.device)
    if not found.finite:
        return False
    means.include(found)
    _merge_alpha(job)
    if job.settings.optimizer.clip:
        job.fabric.clip_gradients(
            job.module, job.optimizer, max_norm=job.settings.optimizer.clip,
            error_if_nonfinite=False,
        )  # fmt: skip
    job.optimizer.step()
    return True


def _forward(job: Job, batch: Batch, count: int, total: int, means: Means) -> Tensor:
    """The loss of a part, whose gradient averaged over processes is that of all their parts."""
    output = batch.call(job.module)
    task_loss = job.task.loss(output, batch)
    scores = job.task.scores(output, batch)
    means.add({"loss": float(task_loss.detach()), **scores}, count)
    if job.entropy is None:
        return task_loss * (job.processes * count / max(1, total))
    loss: Tensor = job.entropy(
        task_loss, x=batch.x, targets=batch.targets, mask=batch.mask, samples=count
    )
    means.add({"total": float(loss.detach()), **job.entropy.values}, count)
    return loss


def _over_processes(counts: list[int], job: Job) -> list[int]:
    if job.processes == 1:
        return counts
    found = torch.tensor(counts, device=job.device)
    distributed.all_reduce(found)
    return [int(one) for one in found]


def _merge_alpha(job: Job) -> None:
    """Averages the gradients of the losses' own parameters, which are no part of the network."""
    if job.processes == 1 or job.entropy is None:
        return
    for parameter in job.entropy.parameters():
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= job.processes
