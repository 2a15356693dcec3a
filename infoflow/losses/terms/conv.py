"""−Σ log|c₁₁| of the slices of convolution kernels (ENT eq. 16), and Σ 1/(|c₁₁| + ε)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infoflow.errors import SelectionError
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import chosen, convolutions
from infoflow.losses.term import WeightTerm


def corner_losses(weight: Tensor, form: str = "log", epsilon: float = 1e-3) -> Tensor:
    """The loss of each slice, (rows, columns); times λ of layers and channels it is eq. 16's sum.

    Minimising either form raises |c₁₁|.

    Args:
        weight: (rows, columns, *kernel), as stored; c₁₁ is weight[o, i, 0, …].
        form: ``log``: −½ log(c₁₁² + δ²), δ = ε_machine times the layer's root mean square: eq. 16,
            with a finite value and a gradient of 0 where c₁₁ is exactly 0. ``inverse``:
            1/(|c₁₁| + ε), as published.
        epsilon: ε of the form ``inverse``.
    """
    corner = weight.flatten(2)[..., 0]
    corner = corner if corner.dtype == torch.float64 else corner.float()
    if form == "inverse":
        return 1 / (corner.abs() + epsilon)
    scale = weight.detach().to(corner.dtype).square().mean().sqrt()
    floor = torch.clamp_min(torch.finfo(corner.dtype).eps * scale, 1e-18)
    return -torch.hypot(corner, floor.expand_as(corner)).log()


class Conv(WeightTerm):
    """`corner_losses`, summed over layers and slices."""

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        self.weights = chosen(request, convolutions(model))
        self.form, self.epsilon = str(request.setting("form")), request.number("epsilon")
        self.channels = _channels(str(request.setting("channels")))
        fewest = min(len(weight.read()) for weight in self.weights)
        if self.channels is not None and max(self.channels) >= fewest:
            raise SelectionError(
                f"conv is asked for channel {max(self.channels)}, but a layer that it applies to "
                f"has {fewest} channels."
            )

    def of_weights(self) -> Tensor:
        """Σ over layers and slices."""
        total = []
        for weight in self.weights:
            tensor = weight.read()
            tensor = tensor if self.channels is None else tensor[self.channels]
            total.append(corner_losses(tensor, self.form, self.epsilon).sum())
        return torch.stack(total).sum()


def _channels(text: str) -> list[int] | None:
    """Indices of ``0-15+20``; None of ``all``."""
    if text == "all":
        return None
    found: list[int] = []
    for part in text.split("+"):
        low, dash, high = part.partition("-")
        if not low.isdigit() or (dash and not (high.isdigit() and int(high) >= int(low))):
            raise SelectionError(
                f"channels of conv cannot be {text!r}; write ranges such as 0-15+20, or all."
            )
        found += range(int(low), int(high or low) + 1)
    return found
