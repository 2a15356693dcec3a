"""The whole batch, of which this process and this micro-batch may hold a part.

The gradient of each part, added up (over micro-batches) or averaged (over processes, as
DistributedDataParallel does it), is that of the loss of one big batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from infoflow.losses.unit_moments import UnitMoments


@dataclass(frozen=True)
class Part:
    """What part of the whole batch is here.

    Args:
        processes: How many processes hold a part: gradients are averaged over them.
        samples: Of this part.
        total: Of the whole batch.
    """

    processes: int
    samples: float
    total: float

    @property
    def share(self) -> float:
        """Of this part in gradients of what is a mean over samples."""
        return self.processes * self.samples / self.total


def process_count() -> int:
    """Processes of the group that is initialised, else 1."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1


def summed(values: Tensor) -> Tensor:
    """Σ over the processes, without autograd; the tensor itself where there is one process."""
    if process_count() == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def merged_over_processes(moments: UnitMoments) -> UnitMoments:
    """Of the samples of all processes: means by their counts first, then deviations from those."""
    if process_count() == 1:
        return moments
    count = moments.count.expand_as(moments.mean)
    sums = summed(torch.stack([count, count * moments.mean]))
    total = sums[0]
    mean = sums[1] / total.clamp_min(1)
    deviation = summed(moments.deviation + count * (moments.mean - mean).square())
    return UnitMoments(total, mean, deviation)


def as_whole(value: Tensor, whole: Tensor, share: float) -> Tensor:
    """The number of the whole batch, with ``share`` times the gradient of this part's value."""
    found: Tensor = _AsWhole.apply(value, whole, share)
    return found


class _AsWhole(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, value: Tensor, whole: Tensor, share: float) -> Tensor:
        context.share = share
        return whole.to(value.dtype).clone()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        return gradients[0] * context.share, None, None
