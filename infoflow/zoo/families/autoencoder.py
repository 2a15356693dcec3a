"""A dense autoencoder."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Dense layers from a sample to a latent code and back to a sample, with ReLU between them.

    Args:
        depth: Hidden layers on each side of the code.
        width: Units of each.
        latent: Size of the code.
        inputs: Shape of one sample, and of its reconstruction.

    Raises:
        ValueError: The sizes are no network.
    """

    def __init__(
        self,
        depth: int = 2,
        width: int = 256,
        latent: int = 16,
        inputs: tuple[int, ...] = (1, 28, 28),
    ) -> None:
        super().__init__()
        if depth < 1 or width < 1 or latent < 1:
            raise ValueError(f"depth {depth}, width {width} and latent {latent} are no network")
        hidden = [math.prod(inputs)] + [width] * depth
        self.encoder = _dense([*hidden, latent])
        self.decoder = _dense([latent, *reversed(hidden)])

    def forward(self, samples: Tensor) -> Tensor:
        """``(batch, …)`` to the same shape: the reconstruction, or logits of its pixels."""
        code = _run(self.encoder, samples.flatten(start_dim=1))
        return _run(self.decoder, code).reshape(samples.shape)


def _dense(sizes: list[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))


def _run(layers: nn.ModuleList, signal: Tensor) -> Tensor:
    for place, layer in enumerate(layers):
        signal = layer(signal)
        if place < len(layers) - 1:
            signal = torch.relu(signal)
    return signal
