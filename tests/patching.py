"""Putting other values at a site of a running network: what hangs on it, seen from outside."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from infoflow.capture.batches import Batch, Inputs, call, mapped, named
from infoflow.capture.nesting import main_output
from infoflow.capture.site import Site
from infoflow.capture.undisturbed import undisturbed
from infoflow.capture.watch import Watch

Change = Callable[[Site, Tensor], Tensor | None]


def run_with(module: nn.Module, inputs: Inputs, change: Change) -> Tensor:
    """The main output where ``change`` may put another tensor at each site."""
    inputs = mapped(inputs, torch.clone)
    watch = Watch(module, lambda site, tensor, instead_of: change(site, tensor))
    with undisturbed(module), torch.no_grad(), watch.over([*named(inputs).values()]):
        output = main_output(call(module, inputs))
    assert output is not None
    return output


def copies(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The naive twin of capturing: every tensor copied as soon as it exists."""
    seen: dict[str, Tensor] = {}

    def copy(site: Site, tensor: Tensor, instead_of: Site | None) -> None:
        if instead_of is not None:
            del seen[instead_of.name]
        seen[site.name] = tensor.clone()

    inputs = mapped(batch.inputs, torch.clone)
    watch = Watch(module, copy)
    with undisturbed(module), torch.no_grad(), watch.over([*named(inputs).values()]):
        watch.finished(call(module, inputs))
    return seen
