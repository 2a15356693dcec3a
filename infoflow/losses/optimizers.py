"""Putting learnable α beside a model's parameters in an optimizer that is there already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer


def join(
    optimizer: Optimizer, groups: Iterable[dict[str, Any]], schedulers: Iterable[Any] = ()
) -> None:
    """Add parameter groups, with the options of the optimizer's first group where they have none.

    Args:
        optimizer: It gets the groups.
        groups: `EntropyLoss.parameter_groups()`.
        schedulers: Of the optimizer, made before: they follow the new groups as the first one.
    """
    added = 0
    for group in groups:
        options = {key: v for key, v in optimizer.param_groups[0].items() if key != "params"}
        optimizer.add_param_group({**options, **group})
        added += 1
    for scheduler in schedulers:
        for name in ("base_lrs", "lr_lambdas", "min_lrs", "_last_lr"):
            per_group = getattr(scheduler, name, None)
            if isinstance(per_group, list) and per_group:
                setattr(scheduler, name, [*per_group, *[per_group[0]] * added])
