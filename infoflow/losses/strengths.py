"""How strong a term's gradient is beside the task's, and which λ gives it a share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infoflow.errors import SelectionError
from infoflow.losses.entropy_loss import EntropyLoss

INERT = 1e-8
"""Share of the task's gradient norm below which a term does nothing."""

SHARE = 0.1
"""Of the task's gradient norm that a proposed λ gives a term."""


@dataclass(frozen=True)
class GradientShare:
    """Norms of gradients with respect to the model's parameters, at one step.

    Args:
        name: The request's text.
        strength: λ as it was.
        task: ‖∇ task‖.
        term: ‖∇ contribution‖, λ included.
    """

    name: str
    strength: float
    task: float
    term: float

    @property
    def ratio(self) -> float:
        """‖∇ contribution‖/‖∇ task‖; ∞ where the task has no gradient and the term has."""
        if self.task == 0:
            return math.inf if self.term > 0 else 0.0
        return self.term / self.task

    @property
    def warning(self) -> str:
        """Empty, or a sentence: the term is inert, exceeds the task, or is not finite."""
        if not (math.isfinite(self.term) and math.isfinite(self.task)):
            return f"{self.name}: the gradient is not finite."
        if self.ratio < INERT:
            return (
                f"{self.name} is inert: its gradient is {self.ratio:.1g} of the task's; a larger "
                "strength or another form is needed for it to do anything."
            )
        if self.ratio > 1:
            return f"{self.name} exceeds the task: its gradient is {self.ratio:.3g} times as large."
        return ""


def gradient_shares(
    model: nn.Module, entropy: EntropyLoss, contributions: Mapping[str, Tensor]
) -> list[GradientShare]:
    """The share of each term, from what `EntropyLoss.contributions` returned.

    No parameter's ``grad`` is touched; the graph stays, so that the loss may be called backward.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    task = _norm(contributions["task"], parameters)
    strengths = dict(zip(entropy.names, (_strength(t) for t in entropy.terms), strict=True))
    return [
        GradientShare(name, strengths[name], task, _norm(part, parameters))
        for name, part in contributions.items()
        if name != "task"
    ]


def find_lambda(
    model: nn.Module,
    entropy: EntropyLoss,
    steps: Iterable[Callable[[], Tensor]],
    share: float = SHARE,
) -> dict[str, float]:
    """The strength of each term that gives its gradient a share of the task's.

    The median over the steps of share · λ · ‖∇ task‖/‖∇ contribution‖, of the sign that λ has;
    contributions are linear in λ. Nothing is trained.

    Args:
        model: In training mode.
        entropy: Over the model; strengths other than 0.
        steps: Each runs a forward pass and returns the task loss.
        share: Of ‖∇ task‖.

    Returns:
        λ by the text of each request.

    Raises:
        SelectionError: A strength is 0, a term's gradient is 0 in every step, or there is no step.
    """
    found: dict[str, list[float]] = {name: [] for name in entropy.names}
    for name, term in zip(entropy.names, entropy.terms, strict=True):
        if _strength(term) == 0:
            raise SelectionError(f"{name}: a strength of 0 has no gradient; give it 1.")
    for run in steps:
        for each in gradient_shares(model, entropy, entropy.contributions(run())):
            if each.term > 0 and math.isfinite(each.ratio) and each.task > 0:
                found[each.name].append(share * each.strength / each.ratio)
    for name, proposals in found.items():
        if not proposals:
            raise SelectionError(
                f"{name}: no strength can be proposed, since its gradient, or the task's, was 0 or "
                "not finite in every step."
            )
    return {name: statistics.median(proposals) for name, proposals in found.items()}


def _strength(term: nn.Module) -> float:
    request = getattr(term, "request")  # noqa: B009
    return float(request.strength)


def _norm(value: Tensor, parameters: Sequence[Tensor]) -> float:
    if not value.requires_grad or not parameters:
        return 0.0
    found = torch.autograd.grad(value, list(parameters), retain_graph=True, allow_unused=True)
    squares = [g.detach().double().square().sum() for g in found if g is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
