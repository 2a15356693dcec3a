"""A plain network of many equal dense layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

INITIALISATIONS = ("torch", "he")


class FNN(nn.Module):
    """Dense layers with ReLU, without normalisation or shortcut, and a classifier on top.

    Args:
        depth: Hidden layers.
        width: Units of each.
        initialisation: ``torch`` (variance 1/(3·fan_in)) or ``he`` (variance 2/fan_in, biases 0).
        dropout: After each hidden layer.
        inputs: Shape of one sample.
        classes: Outputs.

    Raises:
        ValueError: There is no hidden layer, or no such initialisation.

    Source: Peer et al., Improving the trainability of deep neural networks through layerwise
    batch-entropy regularization, 2022.
    """

    def __init__(
        self,
        depth: int = 30,
        width: int = 1000,
        initialisation: str = "torch",
        dropout: float = 0.0,
        inputs: tuple[int, ...] = (1, 28, 28),
        classes: int = 10,
    ) -> None:
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"a depth of {depth} and a width of {width} are no network")
        if initialisation not in INITIALISATIONS:
            raise ValueError(f"initialisation is 'torch' or 'he', not {initialisation!r}")
        sizes = [math.prod(inputs)] + [width] * (depth - 1)
        self.hidden = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.classifier = nn.Linear(width, classes)
        self.dropout = nn.Dropout(dropout)
        if initialisation == "he":
            for layer in (*self.hidden, self.classifier):
                assert isinstance(layer, nn.Linear)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, samples: Tensor) -> Tensor:
        """``(batch, …)`` to logits ``(batch, classes)``."""
        signal = samples.flatten(start_dim=1)
        for layer in self.hidden:
            signal = self.dropout(torch.relu(layer(signal)))
        logits: Tensor = self.classifier(signal)
        return logits
