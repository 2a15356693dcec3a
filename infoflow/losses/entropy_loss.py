"""Entropy losses over an unmodified model, for any training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from infoflow.errors import CaptureError, SelectionError
from infoflow.losses.catalogue import LOSSES
from infoflow.losses.grammar import LossRequest, read
from infoflow.losses.term import Step, Term
from infoflow.losses.terms.batch_entropy import BatchEntropy
from infoflow.losses.unit_moments import UnitMoments
from infoflow.losses.watcher import Watcher
from infoflow.losses.whole import Part, as_whole, merged_over_processes, process_count, summed


@dataclass
class _Collected:
    """What the first pass over the micro-batches of one step gave.

    Args:
        parts: Micro-batches whose second pass is to come.
        samples: Of this process.
        total: Of all processes.
        task: Σ samples · task loss, then the mean.
        moments: By index of the term.
    """

    parts: int = 0
    samples: float = 0.0
    total: float = 0.0
    task: Tensor | None = None
    moments: dict[int, UnitMoments] = field(default_factory=dict)


class EntropyLoss(nn.Module):
    """A task loss and entropy losses, added up; made before the optimizer.

    A loss of strength 0 is measured and adds nothing: monitoring.

    The model stays as it is: it gets hooks and no parameter, and its ``state_dict`` does not
    change. Several processes of an initialised ``torch.distributed`` group give the loss and, once
    gradients are averaged as DistributedDataParallel does it, the gradient of one big batch; the
    task loss must be a mean over samples.

    >>> entropy = EntropyLoss(model, "batch-entropy=0.2", "conv=0.01:first")  # doctest: +SKIP
    >>> optimizer = Adam([{"params": model.parameters()}, *entropy.parameter_groups()])
    ... # doctest: +SKIP
    >>> loss = entropy(criterion(model(x), y))  # doctest: +SKIP

    Args:
        model: In training mode when its forward pass is to count. Plain, not compiled yet.
        requests: As ``NAME=λ[,setting=value…][:LAYERS]``, or `LossRequest`.

    Raises:
        SelectionError: A loss, setting, or layer is unknown, a loss applies to no layer, or there
            is none, or one twice.
        CaptureError: The model is compiled already.
    """

    def __init__(self, model: nn.Module, *requests: str | LossRequest) -> None:
        super().__init__()
        asked = [read(r) if isinstance(r, str) else r for r in requests]
        if not asked:
            known = ", ".join(LOSSES)
            raise SelectionError(f"No entropy loss is asked for; there are {known}.")
        self.names = [str(r) for r in asked]
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice:
            raise SelectionError(f"The loss {twice!r} is asked for twice.")
        made: list[Term] = [LOSSES[r.name].factory(r, model) for r in asked]
        self.terms = nn.ModuleList(made)
        places = [place for term in made for place in term.places]
        self._watcher = Watcher(model, places)
        self._values: dict[str, Tensor] = {}
        self._collected: _Collected | None = None
        self._collecting = False

    def forward(
        self,
        task_loss: Tensor,
        *,
        output: Tensor | None = None,
        x: Tensor | None = None,
        targets: Tensor | None = None,
        mask: Tensor | None = None,
        samples: float | None = None,
        share: float = 1.0,
    ) -> Tensor:
        """The total loss of the model's last forward pass in training mode.

        Args:
            task_loss: A number, the mean over this batch's samples.
            output: The network's output, where it is not what the model returned.
            x: The input, where it is not the first tensor that the model was given.
            targets: Labels (n,) or targets, which information-bottleneck needs.
            mask: (n, tokens), true where a token counts; ``attention_mask`` is found by itself.
            samples: What the task loss is a mean over; the batch's size where None.
            share: Times which terms that do not multiply the task loss are added: 1/K where the
                task losses of K micro-batches are added up without being divided by K.

        Raises:
            CaptureError: There was no forward pass since the last call, or it cannot be watched.
            EstimateError: A batch is too small for batch-entropy.
        """
        parts = self.contributions(
            task_loss, output=output, x=x, targets=targets, mask=mask, samples=samples, share=share
        )
        total: Tensor | None = None
        for part in parts.values():
            total = part if total is None else total + part
        assert total is not None
        return total

    def contributions(
        self,
        task_loss: Tensor,
        *,
        output: Tensor | None = None,
        x: Tensor | None = None,
        targets: Tensor | None = None,
        mask: Tensor | None = None,
        samples: float | None = None,
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """The task loss of the whole batch under ``task``, and what each term adds to it."""
        if self._collecting:
            raise CaptureError("Inside collecting() there is no loss; call collect() there.")
        step = self._step(task_loss, output, x, targets, mask, samples)
        kind = torch.promote_types(step.task.dtype, torch.float32)
        found = {"task": step.task}
        for index, (name, term) in enumerate(self._named_terms()):
            known = None if self._collected is None else self._collected.moments.get(index)
            of_term = replace(step, known=known)
            with torch.set_grad_enabled(torch.is_grad_enabled() and term.request.strength != 0):
                value = term.value(of_term)
            if value is None:
                continue
            self._values[name] = value.detach()
            if term.request.strength == 0:
                continue
            part = term.contribution(of_term, value).to(kind)
            found[name] = part if term.multiplies_task or share == 1 else share * part
        if self._collected is not None:
            self._collected.parts -= 1
            if self._collected.parts == 0:
                self._collected = None
        self._watcher.forget()
        return found

    @property
    def values(self) -> dict[str, float]:
        """Each term's last value, without its strength, by the text of its request."""
        return {name: float(value) for name, value in self._values.items()}

    @property
    def details(self) -> dict[str, dict[str, float]]:
        """Other numbers of the last step, by the text of the request (H of each layer, …)."""
        return {name: term.details() for name, term in self._named_terms() if term.details()}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnable α as groups for an optimizer, without weight decay; none where none is."""
        parameters = list(self.parameters())
        return [{"params": parameters, "weight_decay": 0.0}] if parameters else []

    @contextmanager
    def collecting(self) -> Iterator[Self]:
        """The first of two passes over the micro-batches of a step: statistics of the whole step.

        Inside, under ``no_grad``, run the model on each micro-batch and call `collect`; afterwards
        run the same micro-batches again, with gradients, and call `backward` on the loss of each,
        *not* divided by their number. The gradients add up to those of one big batch. The price is
        a second forward pass. Dropout must draw the same in both, and batch normalisation sees
        each batch twice.
        """
        self._collected, self._collecting = _Collected(), True
        self._watcher.without_gradients = True
        try:
            yield self
            self._merge_collected()
        except BaseException:
            self._collected = None
            raise
        finally:
            self._collecting = self._watcher.without_gradients = False
            self._watcher.forget()

    @torch.no_grad()
    def collect(
        self, task_loss: Tensor, *, mask: Tensor | None = None, samples: float | None = None
    ) -> None:
        """Take in the forward pass that was just made, inside `collecting`."""
        collected = self._collected
        if collected is None or not self._collecting:
            raise CaptureError("collect() belongs inside collecting().")
        step = self._step(task_loss.detach(), None, None, None, mask, samples)
        for index, (_, term) in enumerate(self._named_terms()):
            if isinstance(term, BatchEntropy):
                found, before = term.moments(step), collected.moments.get(index)
                collected.moments[index] = found if before is None else before.merged(found)
        count = step.part.samples
        weighted = task_loss.detach() * count
        collected.task = weighted if collected.task is None else collected.task + weighted
        collected.samples += count
        collected.parts += 1
        self._watcher.forget()

    def close(self) -> None:
        """Take the hooks off the model."""
        self._watcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _named_terms(self) -> Sequence[tuple[str, Term]]:
        return [
            (name, term)
            for name, term in zip(self.names, self.terms, strict=True)
            if isinstance(term, Term)
        ]

    def _step(
        self,
        task_loss: Tensor,
        output: Tensor | None,
        x: Tensor | None,
        targets: Tensor | None,
        mask: Tensor | None,
        samples: float | None,
    ) -> Step:
        watcher = self._watcher
        if not watcher.is_fresh:
            raise CaptureError(
                "There was no forward pass of the whole model in training mode, with gradients, "
                "since the last call of EntropyLoss."
            )
        activations = watcher.activations()
        first = watcher.x if x is None else x
        count = samples
        if count is None:
            count = float(first.shape[0]) if first is not None and first.ndim else 1.0
        step = Step(
            task_loss,
            Part(1, count, count),
            activations,
            watcher.main_output if output is None else output,
            first,
            targets,
            watcher.mask if mask is None else mask,
        )
        return step if self._collecting else self._of_whole(step)

    def _of_whole(self, step: Step) -> Step:
        """The step with the task loss of the whole batch, and this part's share of it."""
        processes, count, collected = process_count(), step.part.samples, self._collected
        if collected is not None and collected.task is not None:
            part = Part(processes, count, collected.total)
            task = as_whole(step.task, collected.task, part.share)
            return replace(step, task=task, part=part, share=count / collected.samples)
        if processes == 1:
            return step
        task = step.task.detach().double()
        sums = summed(torch.stack([task * count, torch.full_like(task, count)]))
        part = Part(processes, count, float(sums[1]))
        return replace(step, task=as_whole(step.task, sums[0] / sums[1], part.share), part=part)

    def _merge_collected(self) -> None:
        collected = self._collected
        if collected is None or collected.task is None:
            raise CaptureError("collecting() ended without a call of collect().")
        task = collected.task.double()
        sums = summed(torch.stack([task, torch.full_like(task, collected.samples)]))
        collected.total, collected.task = float(sums[1]), sums[0] / sums[1]
        for index, moments in collected.moments.items():
            collected.moments[index] = merged_over_processes(moments)
