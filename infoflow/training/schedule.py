"""The learning rate at each step: a function of the step, so that nothing needs to be kept."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer

from infoflow.losses import EntropyLoss
from infoflow.training.settings import OptimizerSettings


def learning_rate(settings: OptimizerSettings, step: int, total: int) -> float:
    """Of a step, counted from 0, of a run of ``total``.

    >>> settings = OptimizerSettings(learning_rate=1.0, schedule="cosine")
    >>> [round(learning_rate(settings, step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    rate = settings.learning_rate
    if step < settings.warmup:
        return rate * (step + 1) / (settings.warmup + 1)
    if settings.schedule == "cosine":
        share = (step - settings.warmup) / max(1, total - settings.warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * share))
    if settings.schedule == "steps":
        return rate * settings.gamma ** sum(step >= one * total for one in settings.milestones)
    return rate


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def make_optimizer(
    settings: OptimizerSettings, module: nn.Module, entropy: EntropyLoss | None
) -> Optimizer:
    """The optimizer of a network's parameters, and of the losses' own without weight decay."""
    groups = [{"params": [one for one in module.parameters() if one.requires_grad]}]
    groups += entropy.parameter_groups() if entropy is not None else []
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.name == "sgd":
        return torch.optim.SGD(
            groups,
            lr=rate,
            weight_decay=decay,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
        )
    first, second = settings.betas
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, weight_decay=decay, betas=(first, second))
