"""The first pass through the data: X, targets, outputs, and the error signal of the last site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.capture import Site, capture
from infoflow.capture.batches import Batch
from infoflow.data import Data
from infoflow.data.arrays import refuse_constant
from infoflow.errors import CaptureError
from infoflow.measures.outputs.reading import Reading
from infoflow.measures.outputs.regression import Regression, RegressionStream
from infoflow.measures.outputs.stream import Outputs, OutputStream


@dataclass
class First:
    """What the first run gathered; rows are samples, in the data's order.

    Args:
        x: (n, …) what the network is given.
        targets: (n, …), None where there are none.
        outputs: None where outputs are numbers.
        numbers: None where outputs are of classes, and without targets.
        error: δ of the last site of the chain, None where there is no loss.
    """

    x: Tensor
    targets: Tensor | None
    outputs: Outputs | None
    error: Tensor | None
    numbers: Regression | None = None


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


class _Rows:
    """Rows that come batch by batch, copied to where they stay: no second copy of all is made."""

    def __init__(self, samples: int) -> None:
        self.samples, self.count = samples, 0
        self.rows: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """The next rows (m, …), m ≥ 1."""
        if self.rows is None:
            shape = (self.samples, *values.shape[1:])
            self.rows = torch.empty(shape, dtype=values.dtype)
        self.rows[self.count : self.count + len(values)] = values.detach().cpu()
        self.count += len(values)

    def taken(self) -> Tensor | None:
        """All rows, which are let go of; None where there were none."""
        found, self.rows = self.rows, None
        return None if found is None else found[: self.count]


class FirstPass:
    """Watches the first pass.

    Args:
        module: The network.
        data: The samples.
        reading: How outputs are read against targets.
        last: Site whose error signal is wanted.
    """

    def __init__(self, module: nn.Module, data: Data, reading: Reading, last: Site) -> None:
        self.module, self.data, self.reading, self.last = module, data, reading, last
        self.outputs, self.numbers = OutputStream(), RegressionStream()
        self.x, self.targets, self.errors = (_Rows(data.samples) for _ in range(3))
        self.output: Any = None

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """The batch's loss; its output is kept, to be looked at once the batch is through."""
        self.output = output
        return self.reading.loss(output, batch)

    def look(self, output: Any, batch: Batch) -> None:
        """Keep what the report says of the outputs."""
        self.x.add(batch.x)
        if batch.targets is not None:
            self.targets.add(batch.targets)
        with torch.no_grad():
            if self.reading.form == "numbers":
                values, numbers = self.reading.answers(output, batch)
                if numbers is not None:
                    self.numbers.add(values, numbers)
                return
            log_q, targets = self.reading.log_probabilities(output, batch)
            counts = self.reading.counts(log_q, batch)
            self.outputs.add_log_probabilities(log_q, targets, counts)

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
            self.errors.add(values)

    def first(self) -> First:
        """All of it; what was kept is let go of.

        Raises:
            DataError: All samples are the same.
        """
        x, targets, errors = (kept.taken() for kept in (self.x, self.targets, self.errors))
        assert x is not None
        if len(self.data.first(1).inputs) == 1:
            refuse_constant(self.data.name, x)
        of_numbers = self.reading.form == "numbers"
        return First(
            x,
            targets,
            None if of_numbers else self.outputs.outputs(),
            errors,
            self.numbers.result() if of_numbers and targets is not None else None,
        )
