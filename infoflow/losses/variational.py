"""Layers with a distribution: a variational bottleneck, and mean-field Gaussian weights."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from infoflow.errors import ArchitectureError


def gaussian_kl(mean: Tensor, log_scale: Tensor, prior_scale: float = 1.0) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, s²)) elementwise, in nats: ln(s/σ) + (σ² + μ²)/(2s²) − ½."""
    relative = log_scale - math.log(prior_scale)
    squares = (2 * relative).exp() + (mean / prior_scale).square()
    return 0.5 * squares - relative - 0.5


def gaussian_entropy(log_scale: Tensor) -> Tensor:
    """Differential entropy of N(·, σ²) elementwise, in nats: ½ ln(2πe) + ln σ."""
    return 0.5 * math.log(2 * math.pi * math.e) + log_scale


class VariationalBottleneck(nn.Module):
    """z = μ(x) + σ(x) ε with μ, ln σ linear in x; μ alone in evaluation mode (Alemi et al. 2017).

    Args:
        inputs: Features of x.
        outputs: Of z.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.statistics = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        mean, log_scale = self.statistics(x).chunk(2, dim=-1)
        if not self.training:
            return cast(Tensor, mean)
        return cast(Tensor, mean + log_scale.exp() * torch.randn_like(mean))


class _MeanField(nn.Module):
    """q(W) = Π N(μ, σ²), σ = exp of a parameter; drawn anew in training, μ in evaluation mode."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, prior_scale: float, scale: float
    ) -> None:
        super().__init__()
        self.prior_scale = prior_scale
        self.weight = nn.Parameter(weight.detach().clone())
        self.weight_log_scale = nn.Parameter(torch.full_like(weight, math.log(scale)))
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.bias_log_scale = (
            None if bias is None else nn.Parameter(torch.full_like(bias, math.log(scale)))
        )

    def kl(self) -> Tensor:
        """KL(q ‖ N(0, prior_scale²)) of all weights and biases, in nats."""
        total = gaussian_kl(self.weight, self.weight_log_scale, self.prior_scale).sum()
        if self.bias is not None and self.bias_log_scale is not None:
            total = total + gaussian_kl(self.bias, self.bias_log_scale, self.prior_scale).sum()
        return total

    def posterior_entropy(self) -> Tensor:
        """Differential entropy of q, in nats."""
        total = gaussian_entropy(self.weight_log_scale).sum()
        if self.bias_log_scale is not None:
            total = total + gaussian_entropy(self.bias_log_scale).sum()
        return total

    def drawn(self) -> tuple[Tensor, Tensor | None]:
        """A weight and a bias: a draw in training, the means in evaluation mode."""
        if not self.training:
            return self.weight, self.bias
        weight = self.weight + self.weight_log_scale.exp() * torch.randn_like(self.weight)
        if self.bias is None or self.bias_log_scale is None:
            return weight, None
        return weight, self.bias + self.bias_log_scale.exp() * torch.randn_like(self.bias)


class MeanFieldLinear(_MeanField):
    """A dense layer with a mean-field Gaussian posterior, from one that is there.

    Args:
        layer: Its weights are the first means.
        prior_scale: s of the prior N(0, s²).
        scale: σ at the start.
    """

    def __init__(self, layer: nn.Linear, prior_scale: float = 1.0, scale: float = 1e-3) -> None:
        super().__init__(layer.weight, layer.bias, prior_scale, scale)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        return functional.linear(x, *self.drawn())


class MeanFieldConv(_MeanField):
    """A convolution of one to three dimensions with a mean-field Gaussian posterior.

    Args:
        layer: Its weights are the first means; padded with zeros.
        prior_scale: s of the prior N(0, s²).
        scale: σ at the start.

    Raises:
        ArchitectureError: The layer pads otherwise.
    """

    def __init__(
        self,
        layer: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        prior_scale: float = 1.0,
        scale: float = 1e-3,
    ) -> None:
        if layer.padding_mode != "zeros":
            raise ArchitectureError(
                f"MeanFieldConv pads with zeros, but the layer pads with {layer.padding_mode}."
            )
        super().__init__(layer.weight, layer.bias, prior_scale, scale)
        self._geometry: tuple[Any, ...] = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )
        kinds: tuple[Any, ...] = (functional.conv1d, functional.conv2d, functional.conv3d)
        self._function = kinds[layer.weight.ndim - 3]

    def forward(self, x: Tensor) -> Tensor:
        """(n, C_in, …) to (n, C_out, …)."""
        return cast(Tensor, self._function(x, *self.drawn(), *self._geometry))


MEAN_FIELD = (MeanFieldLinear, MeanFieldConv)
