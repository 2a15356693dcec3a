"""−λ H(q): the confidence penalty on the network's output distribution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infoflow.errors import CaptureError
from infoflow.losses.grammar import LossRequest
from infoflow.losses.term import Step, Term


def output_entropies(logits: Tensor) -> Tensor:
    """H(q) = −Σ q ln q of softmaxed logits, in nats.

    λ·KL(q‖u) = λ(ln K − H(q)): the penalty. Label smoothing's is KL(u‖q): related, not equivalent
    (gradients in the logits λ q_i(ln q_i + H) against λ(q_i − 1/K)).

    Args:
        logits: (n, K), maps (n, K, h, w), or tokens (n, T, K).

    Returns:
        (n,), (n, h, w) or (n, T).
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    logs = torch.log_softmax(logits, dim=-1 if logits.ndim == 3 else 1)
    # q ln q is 0 where q is, not 0 · −∞.
    products = logs.exp() * torch.where(logs == -torch.inf, 0.0, logs)
    return -products.sum(dim=-1 if logits.ndim == 3 else 1)


class ConfidencePenalty(Term):
    """−mean H(q) over samples (and positions that the mask counts)."""

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)

    def value(self, step: Step) -> Tensor:
        """−mean H(q), in nats."""
        if step.output is None or step.output.ndim < 2 or not step.output.is_floating_point():
            raise CaptureError("confidence-penalty needs logits (samples, classes) as the output.")
        entropies = output_entropies(step.output)
        if step.mask is not None and step.mask.shape == entropies.shape:
            entropies = entropies[step.mask.bool()]
        return -step.mean(entropies.flatten())
