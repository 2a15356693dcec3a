"""A loss over a model, as one term of the sum; and what it is given at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import Place
from infoflow.losses.unit_moments import UnitMoments
from infoflow.losses.whole import Part, as_whole, summed


@dataclass(frozen=True)
class Step:
    """What one forward pass left.

    Args:
        task: The task loss, that of the whole batch.
        part: What part of the whole batch this is.
        activations: By place: names of calls and tensors.
        output: The network's main output.
        x: What it was given.
        targets: Labels or targets, where they are known.
        mask: (n, tokens), true where a token counts.
        share: Of weight terms' gradients in this micro-batch.
        known: Moments of the whole batch that were collected before, for the term.
    """

    task: Tensor
    part: Part
    activations: Mapping[str, Sequence[tuple[str, Tensor]]]
    output: Tensor | None = None
    x: Tensor | None = None
    targets: Tensor | None = None
    mask: Tensor | None = None
    share: float = 1.0
    known: UnitMoments | None = None

    def mean(self, values: Tensor) -> Tensor:
        """The mean of values (m,), one a sample or position, over the whole batch."""
        mean = values.mean()
        if self.known is not None or self.share != 1:
            return as_whole(mean, mean.detach(), self.part.share)
        if self.part.processes == 1:
            return mean
        count = len(values)
        sums = summed(torch.stack([values.detach().sum(), values.new_tensor(float(count))]))
        return as_whole(mean, sums[0] / sums[1], self.part.processes * count / float(sums[1]))


class Term(nn.Module):
    """One loss over a model. Its parameters, if any, are its own; the model's stay the model's.

    Args:
        request: What was asked for.
    """

    def __init__(self, request: LossRequest) -> None:
        super().__init__()
        self.request = request
        self.places: tuple[Place, ...] = ()

    def value(self, step: Step) -> Tensor | None:
        """The loss without its strength; None where it is not looked at in this step."""
        raise NotImplementedError

    def contribution(self, step: Step, value: Tensor) -> Tensor:
        """What is added to the task loss."""
        return self.request.strength * value

    @property
    def multiplies_task(self) -> bool:
        """Whether the contribution has the task loss as a factor."""
        return False

    def details(self) -> dict[str, float]:
        """Other numbers of the last step worth logging, by name."""
        return {}


class WeightTerm(Term):
    """A loss of weights alone: the same in each process, looked at in every so many steps."""

    steps: Tensor

    def __init__(self, request: LossRequest) -> None:
        super().__init__(request)
        self.every = int(request.number("every"))
        if self.every > 1:
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device="cpu"))

    def of_weights(self) -> Tensor:
        """The loss of the weights as they are."""
        raise NotImplementedError

    def value(self, step: Step) -> Tensor | None:
        """`of_weights`, if it is its turn."""
        if self.every > 1:
            due = int(self.steps) % self.every == 0
            self.steps += 1
            if not due:
                return None
        return shared(self.of_weights(), step.share)

    def contribution(self, step: Step, value: Tensor) -> Tensor:
        """λ times the value, times the steps that it stands for."""
        return self.request.strength * self.every * value


def shared(value: Tensor, share: float) -> Tensor:
    """The value with so much of its gradient."""
    return value if share == 1 else as_whole(value, value.detach(), share)
