"""The first pass through the data: X, targets, outputs, and the error signal of the last site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.capture import Site, capture
from infoflow.capture.batches import Batch
from infoflow.capture.losses import summed_loss
from infoflow.capture.nesting import main_output
from infoflow.capture.stream import Loss
from infoflow.data import Data
from infoflow.data.batch import IGNORED
from infoflow.errors import CaptureError
from infoflow.measures.outputs.logits import logits_of, next_token
from infoflow.measures.outputs.stream import Outputs, OutputStream


@dataclass
class First:
    """What the first run gathered; rows are samples, in the data's order.

    Args:
        x: (n, …) what the network is given.
        targets: (n, …), None where there are none.
        outputs: None where outputs are no logits.
        error: δ of the last site of the chain, None where there is no loss.
    """

    x: Tensor
    targets: Tensor | None
    outputs: Outputs | None
    error: Tensor | None


def task_loss(data: Data) -> Loss:
    """The summed loss of this task from an output and a batch."""

    def loss(output: Any, batch: Batch) -> Tensor:
        if data.task == "next-token":
            tokens = batch.x if batch.targets is None else batch.targets
            logits, following = next_token(logits_of(output), tokens, batch.mask)
            return nn.functional.cross_entropy(
                logits.to(torch.float64), following, ignore_index=IGNORED, reduction="sum"
            )
        return summed_loss(output, batch)

    return loss


def refuse_non_finite(module: nn.Module, batch: Batch, start: int) -> None:
    """Name the first site whose activations are NaN or infinite.

    Args:
        module: The network.
        batch: Samples for which something is not finite.
        start: Number of its first sample in the data.

    Raises:
        CaptureError: Always, if there is such a site.
    """
    with capture(module) as recorder:
        recorder.run(batch)
    for site, values in recorder.activations.items():
        finite = values.reshape(len(values), -1).isfinite().all(dim=1)
        if not bool(finite.all()):
            first = start + int((~finite).nonzero()[0])
            raise CaptureError(
                f"The activations of {site.name} are NaN or infinite from sample {first + 1} on: "
                "nothing can be measured from there on. The weights, the preprocessing or "
                "--precision may be why."
            )


class FirstPass:
    """Watches the first pass.

    Args:
        module: The network.
        data: The samples.
        last: Site whose error signal is wanted.
    """

    def __init__(self, module: nn.Module, data: Data, last: Site) -> None:
        self.module, self.data, self.last = module, data, last
        self.outputs = OutputStream() if data.task != "regression" else None
        self.x: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.errors: list[Tensor] = []
        self.output: Any = None

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """The batch's loss; its output is kept, to be looked at once the batch is through."""
        self.output = output
        return task_loss(self.data)(output, batch)

    def look(self, output: Any, batch: Batch) -> None:
        """Keep what the report says of the outputs."""
        self.x.append(batch.x.detach().cpu())
        if batch.targets is not None:
            self.targets.append(batch.targets.cpu())
        if self.outputs is None:
            return
        logits = main_output(output)
        assert logits is not None
        targets = batch.targets
        if self.data.task == "next-token":
            tokens = batch.x if targets is None else targets
            logits, targets = next_token(logits, tokens, batch.mask)
        self.outputs.add(logits.detach(), targets)

    def activation(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """The batch is through: it will not be run again in halves."""
        if site != self.last:
            return
        if not bool(values.isfinite().all()):
            refuse_non_finite(self.module, batch, rows.start)
        self.look(self.output, batch)
        self.output = None

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the error signal of the last site."""
        if site == self.last:
            self.errors.append(values.detach().cpu())

    def first(self) -> First:
        """All of it together; what was kept is let go of."""
        kept = (self.x, self.targets, self.errors)
        x, targets, errors = (torch.cat(parts) if parts else None for parts in kept)
        for parts in kept:
            parts.clear()
        assert x is not None
        return First(x, targets, self.outputs.outputs() if self.outputs else None, errors)
