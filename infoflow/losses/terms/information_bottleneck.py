"""I(X;T) − β I(T;Y) by differentiable kernel estimators, in bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infoflow.errors import CaptureError, EstimateError
from infoflow.kernels import Indicator, Kernel, gram, kernel_of
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import any_output, chosen, linear_outputs
from infoflow.losses.term import Step, Term
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.measures.activations.renyi import mutual_information


def information(x: Kernel, t: Kernel, estimator: str = "quadratic", order: float = 1.01) -> Tensor:
    """I of two kernels on the same samples, in bits, differentiable in their features.

    ``quadratic``: I₂ without the diagonal; ``cauchy-schwarz``: I_CS; ``renyi``: the matrix-based
    functional of an order, with the diagonal's bias. None of them is Shannon's information.
    """
    if estimator == "renyi":
        return mutual_information(gram(x), gram(t), order)
    found = quadratic_information(x, t)
    return found.value if estimator == "quadratic" else found.cauchy_schwarz


class InformationBottleneck(Term):
    """Mean over layers of I(X;T) − β I(T;Y).

    Bandwidths are chosen from the samples of each step and are constants of the gradient: none
    flows through σ. Estimated by each process from its own samples, and averaged.
    """

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        self.places = tuple(chosen(request, linear_outputs(model), any_output(model)))

    def value(self, step: Step) -> Tensor:
        """In bits.

        Raises:
            CaptureError: There are no targets or no input.
            EstimateError: A figure is not finite: no two samples are within a kernel's reach.
        """
        if step.targets is None or step.x is None:
            raise CaptureError(
                "information-bottleneck needs the targets: entropy(task_loss, targets=y)."
            )
        x, y = self._kernel(step.x.detach()), self._kernel(step.targets.detach())
        estimator = str(self.request.setting("estimator"))
        order, beta = self.request.number("order"), self.request.number("beta")
        values = []
        for place in self.places:
            for label, tensor in step.activations.get(place.name, ()):
                t = self._kernel(tensor)
                value = information(x, t, estimator, order)
                value = value - beta * information(t, y, estimator, order)
                if not bool(torch.isfinite(value)):
                    raise EstimateError(
                        f"information-bottleneck has no finite value at {label}: no two samples "
                        "are within reach of the kernels; use larger batches or a larger sigma."
                    )
                values.append(value)
        return step.mean(torch.stack(values).mean().reshape(1))

    def _kernel(self, samples: Tensor) -> Kernel:
        if not samples.is_floating_point():
            return Indicator(samples)
        rule = self.request.setting("sigma")
        return kernel_of(samples.flatten(1) if samples.ndim > 1 else samples, rule)[0]
