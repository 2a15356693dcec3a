"""Strengths for entropy losses, from the gradients of a few steps; nothing is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from itertools import islice

from torch import Tensor

from infoflow.data import Batch
from infoflow.errors import SelectionError
from infoflow.losses import find_lambda, gradient_shares
from infoflow.training.job import Job, assemble, make_fabric, named
from infoflow.training.settings import Settings


def cautions(job: Job) -> list[str]:
    """Sentences on entropy losses whose gradient does nothing, or exceeds the task's, at first.

    Network and losses are left as they were.
    """
    if job.entropy is None:
        return []
    module, entropy = job.network.module, job.entropy
    kept = [copy.deepcopy(one.state_dict()) for one in (module, entropy)]
    batch = next(job.steps(0))[0].to(job.device)
    loss = _task_loss(job, batch)
    parts = entropy.contributions(
        loss, x=batch.x, targets=batch.targets, mask=batch.mask, samples=job.task.count(batch)
    )
    shares = gradient_shares(module, entropy, parts)
    for one, state in zip((module, entropy), kept, strict=True):
        one.load_state_dict(state)
    return [share.warning for share in shares if share.warning]


def propose(settings: Settings, steps: int) -> dict[str, float]:
    """The λ of each entropy loss that gives its gradient a tenth of the task's.

    Args:
        settings: With the losses; a strength's sign is kept.
        steps: Batches whose gradients are looked at.

    Raises:
        SelectionError: There is no entropy loss, or one has no gradient.
    """
    if not settings.loss.entropy:
        raise SelectionError("--find-lambda proposes strengths of --entropy-loss; give one.")
    job = assemble(settings, named(settings), make_fabric(settings.run))
    assert job.entropy is not None
    batches = [parts[0].to(job.device) for parts in islice(job.steps(0), steps)]
    runs: list[Callable[[], Tensor]] = [partial(_task_loss, job, batch) for batch in batches]
    return find_lambda(job.network.module, job.entropy, runs)


def _task_loss(job: Job, batch: Batch) -> Tensor:
    return job.task.loss(batch.call(job.module), batch)
