"""KL(q(W) ‖ prior)/N of mean-field Gaussian layers: the evidence lower bound's second part."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import Place, chosen
from infoflow.losses.term import Step, Term, shared
from infoflow.losses.variational import MEAN_FIELD, MeanFieldLinear


class Elbo(Term):
    """Σ over layers of the KL, over the number of training samples, in nats a sample.

    The task loss is to be the mean negative log-likelihood.
    """

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        found = [Place(n, m) for n, m in model.named_modules() if isinstance(m, MEAN_FIELD)]
        self.layers = [cast(MeanFieldLinear, place.module) for place in chosen(request, found)]

    def value(self, step: Step) -> Tensor:
        """In nats a sample."""
        kl = torch.stack([layer.kl() for layer in self.layers]).sum()
        return shared(kl / self.request.number("samples"), step.share)

    def details(self) -> dict[str, float]:
        """The posterior's differential entropy, in nats."""
        with torch.no_grad():
            return {
                "posterior entropy": float(
                    torch.stack([layer.posterior_entropy() for layer in self.layers]).sum()
                )
            }
