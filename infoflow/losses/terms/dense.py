"""−Σ log|det W_sq| of dense weights (ENT eq. 14), and 1/(|det| + ε) in two forms."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from infoflow.losses.determinants import (
    geometric_inverse,
    inverse,
    log_abs_det,
    log_slope_of_inverse,
    square_part,
)
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import chosen, dense_weights
from infoflow.losses.term import WeightTerm

INERT = math.log(1e-8)
"""Of |det|/(|det| + ε)², below which the published form is told to be inert."""


def dense_loss(weight: Tensor, form: str = "log", epsilon: float = 1e-3) -> Tensor:
    """The loss of one weight (N, d), over its square part W_sq, k = min(N, d), in nats for ``log``.

    Minimising any of the forms raises log|det W_sq|.

    Args:
        weight: (N, d).
        form: ``log``: −log|det W_sq| (eq. 14 with λ = 1). ``inverse``: 1/(|det| + ε) as published,
            whose gradient vanishes in every type from a few dozen units on. ``geometric``:
            1/(|det|^{1/k} + ε).
        epsilon: ε.
    """
    logarithm = log_abs_det(square_part(weight))
    if form == "log":
        return -logarithm
    if form == "inverse":
        return inverse(logarithm, epsilon)
    return geometric_inverse(logarithm, min(weight.shape), epsilon)


class Dense(WeightTerm):
    """`dense_loss`, summed over layers."""

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        self.weights = chosen(request, dense_weights(model))
        self.form, self.epsilon = str(request.setting("form")), request.number("epsilon")
        if self.form == "inverse":
            self._warn_of_inert_layers()

    def of_weights(self) -> Tensor:
        """Σ over layers."""
        losses = [dense_loss(w.read(), self.form, self.epsilon) for w in self.weights]
        return torch.stack(losses).sum()

    @torch.no_grad()
    def _warn_of_inert_layers(self) -> None:
        inert = [
            weight.name
            for weight in self.weights
            if weight.read().device.type != "meta"
            and log_slope_of_inverse(
                float(log_abs_det(square_part(weight.read().double()))), self.epsilon
            )
            < INERT
        ]
        if inert:
            warnings.warn(
                f"dense with form=inverse is numerically inert for {len(inert)} of "
                f"{len(self.weights)} layers ({inert[0]} the first): their determinants are "
                "too small for 1/(|det| + ε) to have a gradient; form=log and form=geometric have.",
                stacklevel=4,
            )
