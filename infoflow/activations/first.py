"""The first run through the data: X, targets, outputs, and the error signal of the last site."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.capture import Site, capture
from infoflow.capture.batches import Batch
from infoflow.capture.losses import summed_loss
from infoflow.capture.nesting import main_output
from infoflow.capture.stream import Loss, stream
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


def first_run(module: nn.Module, data: Data, last: Site, *, batch_size: int, prepare: Any) -> First:
    """Run all samples once.

    Args:
        module: The network.
        data: The samples.
        last: Site whose error signal is wanted.
        batch_size: Samples at once.
        prepare: Moves a batch to the network's device and precision.
    """
    seen = _Seen(module, data, OutputStream() if data.task != "regression" else None)
    stream(
        module,
        data,
        seen,
        names=[last.name],
        batch_size=batch_size,
        loss=seen.loss,
        prepare=prepare,
    )
    return seen.first()


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


@dataclass
class _Seen:
    """The consumer of the first run."""

    module: nn.Module
    data: Data
    outputs: OutputStream | None
    x: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)
    output: Any = None

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
        if not bool(values.isfinite().all()):
            refuse_non_finite(self.module, batch, rows.start)
        self.look(self.output, batch)

    def error(self, site: Site, values: Tensor, rows: slice, batch: Batch) -> None:
        """Keep the error signal of the last site."""
        self.errors.append(values.detach().cpu())

    def first(self) -> First:
        """All of it together."""
        return First(
            torch.cat(self.x),
            torch.cat(self.targets) if self.targets else None,
            self.outputs.outputs() if self.outputs is not None else None,
            torch.cat(self.errors) if self.errors else None,
        )
