"""Σ KL(q(z|x) ‖ N(0, I)) of variational bottlenecks: the bound on I(X;Z), in nats."""

from __future__ import annotations

from torch import Tensor, nn

from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import Place, chosen
from infoflow.losses.term import Step, Term
from infoflow.losses.variational import VariationalBottleneck, gaussian_kl


class VariationalBottleneckTerm(Term):
    """Mean over samples of the KL, summed over the layers and the features of each.

    Of tokens (n, T, features) each position is a sample.
    """

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        layers = [
            Place(name, module)
            for name, module in model.named_modules()
            if isinstance(module, VariationalBottleneck)
        ]
        self.places = tuple(
            Place(f"{place.name}.statistics".lstrip("."), place.module.statistics)
            for place in chosen(request, layers)
            if isinstance(place.module, VariationalBottleneck)
        )

    def value(self, step: Step) -> Tensor:
        """In nats."""
        total = None
        for place in self.places:
            for _, tensor in step.activations.get(place.name, ()):
                wide = tensor if tensor.dtype.itemsize > 4 else tensor.float()
                mean, log_scale = wide.chunk(2, dim=-1)
                each = gaussian_kl(mean, log_scale).sum(dim=-1).flatten()
                total = step.mean(each) if total is None else total + step.mean(each)
        assert total is not None
        return total
