"""−Σ log-volume: the exact counterpart of the losses that look at a corner or a square part."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from infoflow.losses.determinants import half_log_det, log_abs_det
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import Weight, chosen, convolutions, dense_weights
from infoflow.losses.symbols import frequency_symbols, layer_taps
from infoflow.losses.term import WeightTerm


def dense_log_volume(weight: Tensor) -> Tensor:
    """Σ log σᵢ over min(N, d) singular values of (N, d), in nats: log|det| where it is square."""
    if weight.shape[0] == weight.shape[1]:
        return log_abs_det(weight)
    return half_log_det(weight)


def log_volume_density(taps: dict[tuple[int, ...], Tensor], grid: int = 8) -> Tensor:
    """Mean over a frequency grid of Σ log σᵢ(K̂(ω)), in nats a position of the coarse grid.

    Args:
        taps: Of the convolution, `polyphase_taps`.
        grid: Frequencies along each axis; 8 are within 1e-3 relative of the limit for wide layers.
    """
    symbols, weights = frequency_symbols(taps, grid)
    volumes = half_log_det(symbols)
    return (volumes.sum(dim=1) * weights).sum()


class LogVolume(WeightTerm):
    """−Σ over layers of the exact log-volume."""

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        order = {id(part): place for place, part in enumerate(model.modules())}
        both = [*dense_weights(model), *convolutions(model)]
        both.sort(key=lambda weight: order[id(weight.module)])
        self.weights = chosen(request, both)
        self.grid = int(request.number("grid"))

    def of_weights(self) -> Tensor:
        """−Σ over layers."""
        return -torch.stack([self._volume(weight).double() for weight in self.weights]).sum()

    def _volume(self, weight: Weight) -> Tensor:
        if isinstance(weight.module, _ConvNd):
            return log_volume_density(layer_taps(weight.module, weight.read()), self.grid)
        return dense_log_volume(weight.read())
