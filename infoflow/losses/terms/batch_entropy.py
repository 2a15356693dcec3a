"""Layerwise batch-entropy regularisation, LBE eqs. 3 to 6, with learnable α."""

from __future__ import annotations

import math
from itertools import accumulate

import torch
from torch import Tensor, nn

from infoflow.errors import EstimateError
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import (
    any_output,
    chosen,
    hidden_inputs,
    linear_outputs,
    residual_blocks,
)
from infoflow.losses.term import Step, Term, shared
from infoflow.losses.unit_moments import UnitMoments, unit_moments, with_gradient
from infoflow.losses.whole import merged_over_processes

PLACES = {"paper": linear_outputs, "code-fnn": hidden_inputs, "code-resnet": residual_blocks}
"""What each convention looks at."""


def unit_entropy(variance: Tensor, count: Tensor, convention: str = "paper") -> Tensor:
    """H of each unit, in nats, from its population variance over ``count`` samples.

    ``paper``: ½ ln(1 + 2πe σ²), LBE eq. 2. ``code-fnn``, ``code-resnet``: ½ ln(1 + πe s²) with the
    unbiased variance s², what the published code computes. By log1p: ln(1 + ·) is 0 in float32 at
    σ² = 1e-9.
    """
    if convention == "paper":
        return 0.5 * torch.log1p(2 * math.pi * math.e * variance)
    return 0.5 * torch.log1p(math.pi * math.e * variance * (count / (count - 1)))


def layer_loss(entropy: Tensor, alpha: Tensor, alpha_min: float) -> Tensor:
    """(H − max(α_min, |α|))², LBE eqs. 4 and 5; elementwise."""
    return (entropy - alpha.abs().clamp_min(alpha_min)).square()


class BatchEntropy(Term):
    """task + β · task · mean over layers of `layer_loss`; both factors carry gradient.

    Statistics are those of the whole batch over all processes. α belongs to a module; several calls
    of it in a forward pass are layers of their own that share it.
    """

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        self.convention = str(request.setting("convention"))
        found = chosen(request, PLACES[self.convention](model), any_output(model))
        self.places = tuple(found)
        self.alpha_min = request.number("alpha-min")
        alpha = request.number("alpha")
        if self.convention == "code-resnet" and "alpha" not in request.settings:
            alpha = self.alpha_min + 0.2  # as its script does
        device = next((p.device for p in model.parameters()), None)
        self.alpha = nn.Parameter(torch.full((len(found),), alpha, device=device))
        self._entropies: dict[str, Tensor] = {}

    @property
    def multiplies_task(self) -> bool:
        """It does."""
        return True

    def rows(self, step: Step) -> list[tuple[int, str, Tensor, Tensor | None]]:
        """Index of α, name, rows (samples, units) and which of them count, of each call."""
        by_channel = self.request.setting("unit") == "channel"
        found = []
        for index, place in enumerate(self.places):
            for label, tensor in step.activations.get(place.name, ()):
                channels_first = tensor.ndim > 3 or isinstance(place.module, nn.Conv1d)
                rows = unit_rows(tensor, step.mask, by_channel, channels_first)
                found.append((index, label, *rows))
        return found

    @torch.no_grad()
    def moments(self, step: Step) -> UnitMoments:
        """Of all units of all layers in this part of the batch, one after another."""
        each = [unit_moments(rows, weight) for _, _, rows, weight in self.rows(step)]
        return UnitMoments(
            torch.cat([m.count.expand_as(m.mean) for m in each]),
            torch.cat([m.mean for m in each]),
            torch.cat([m.deviation for m in each]),
        )

    def value(self, step: Step) -> Tensor:
        """Mean over layers of the squared distances of H from its target (without β)."""
        rows = self.rows(step)
        if step.known is not None or step.part.processes > 1:
            whole = step.known or merged_over_processes(self.moments(step))
            ends = list(accumulate(r.shape[1] for _, _, r, _ in rows))[:-1]
            parts = (whole.count, whole.mean, whole.deviation)
            cut = [part.tensor_split(ends) for part in parts]
            moments = [UnitMoments(*each) for each in zip(*cut, strict=True)]
        else:
            moments = [unit_moments(r, weight) for _, _, r, weight in rows]
        alpha = shared(self.alpha, step.share)
        entropies = {}
        for (_, label, r, weight), found in zip(rows, moments, strict=True):
            entropies[label] = self._entropy(label, r, weight, found, step.part.processes)
        stacked = torch.stack(list(entropies.values()))
        self._entropies = {name: h.detach() for name, h in entropies.items()}
        indices = torch.tensor([index for index, *_ in rows], device=alpha.device)
        return layer_loss(stacked, alpha[indices].to(stacked), self.alpha_min).mean()

    def contribution(self, step: Step, value: Tensor) -> Tensor:
        """β · task · value."""
        return self.request.strength * step.task * value

    def details(self) -> dict[str, float]:
        """H of each layer in the last step, in nats."""
        return {f"entropy of {name}": float(h) for name, h in self._entropies.items()}

    def _entropy(
        self, label: str, rows: Tensor, weight: Tensor | None, moments: UnitMoments, processes: int
    ) -> Tensor:
        variance = with_gradient(rows, moments, processes, weight)
        count = moments.count
        # Counts are looked at where they may differ: on an accelerator that waits for it.
        if count.ndim:
            enough = count >= 2
            if not bool(enough.any()):
                raise _too_few(label, int(count.max()))
            if weight is not None:  # positions that are padding in nearly all samples
                variance, count = variance[enough], count[enough]
        elif len(rows) < 2:
            raise _too_few(label, len(rows))
        return unit_entropy(variance, count, self.convention).mean()


def _too_few(label: str, samples: int) -> EstimateError:
    return EstimateError(
        f"batch-entropy needs at least two samples in a batch at {label}, which has {samples}: use "
        "larger batches, or drop the last one."
    )


def unit_rows(
    tensor: Tensor, mask: Tensor | None, by_channel: bool, channels_first: bool
) -> tuple[Tensor, Tensor | None]:
    """Activations as (samples, units), and which entries count.

    Args:
        tensor: (n, …).
        mask: (n, tokens), true where a token counts; it is applied to tensors (n, tokens, …).
        by_channel: Whether a unit is a channel, and positions are samples.
        channels_first: Whether channels are dimension 1, not the last.
    """
    tokens = mask is not None and tensor.ndim > 2 and tensor.shape[:2] == mask.shape
    if by_channel and tensor.ndim > 2:
        if tokens and mask is not None:
            return tensor[mask.bool()].flatten(0, -2), None
        return (tensor.movedim(1, -1) if channels_first else tensor).flatten(0, -2), None
    rows = tensor.reshape(tensor.shape[0], -1)
    if not tokens or mask is None:
        return rows, None
    spread = mask.bool().reshape(*mask.shape, *([1] * (tensor.ndim - 2))).expand(tensor.shape)
    return rows, spread.reshape(rows.shape)
