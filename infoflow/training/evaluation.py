"""The test of a network during and after training."""

from __future__ import annotations

import torch

from infoflow.training.job import Job


@torch.no_grad()
def evaluate(job: Job) -> dict[str, float]:
    """Loss and metrics on the validation data, in evaluation mode; the random states stay.

    Every process tests the whole set, so that all decide alike.
    """
    module, task = job.network.module, job.task
    metrics = task.metrics(job.device)
    summed, count = 0.0, 0
    was_training = module.training
    module.eval()
    try:
        for batch in job.sets.validation.batches(job.settings.run.batch_size):
            moved = batch.to(job.device, _dtype(job))
            with job.fabric.autocast():
                output = moved.call(module)
            loss, weight = task.loss(output, moved), task.count(moved)
            summed, count = summed + weight * float(loss), count + weight
            task.update(metrics, output, moved)
    finally:
        module.train(was_training)
    found = {"loss": summed / max(1, count)}
    for name, metric in metrics.items():
        if metric.update_called:
            found[name] = float(metric.compute())
    return found


def _dtype(job: Job) -> torch.dtype | None:
    return torch.float64 if job.settings.run.precision == "64-true" else None
