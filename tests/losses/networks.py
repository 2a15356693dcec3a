"""Small networks for tests of losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


def mlp(
    depth: int = 3, width: int = 16, *, inputs: int = 8, classes: int = 4, inplace: bool = False
) -> nn.Sequential:
    """Dense layers and ReLUs, float64, the same at each call."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(inputs, width), nn.ReLU(inplace=inplace)]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU(inplace=inplace)]
    return nn.Sequential(*layers, nn.Linear(width, classes)).double()


def batch(samples: int = 24, *, inputs: int = 8, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Inputs (n, inputs) float64 and labels, the same at each call."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, inputs, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, classes, (samples,), generator=generator)


def task(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy."""
    return functional.cross_entropy(model(x), y)


def gradients(model: nn.Module) -> list[Tensor]:
    """Of all parameters."""
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


class Repeated(nn.Module):
    """A module that is called three times, plainly or under checkpointing."""

    def __init__(self, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.reentrant = reentrant
        self.first, self.inner, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        for _ in range(3):
            x = functional.relu(self.call(x))
        out: Tensor = self.head(x)
        return out

    def call(self, x: Tensor) -> Tensor:
        if self.reentrant is None:
            found: Tensor = self.inner(x)
        else:
            found = checkpoint(self.inner, x, use_reentrant=self.reentrant)
        return found
