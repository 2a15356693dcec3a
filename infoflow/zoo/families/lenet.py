"""LeNet-5 for pictures of any size."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LeNet(nn.Module):
    """Two convolutions of 5 × 5 and three dense layers; `infoflow.zoo.LeNet5` at 1 × 28 × 28.

    Args:
        inputs: Channels, height and width of one picture.
        classes: Outputs.

    Raises:
        ValueError: The picture is smaller than 12 × 12.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document
    recognition, 1998 (there with sigmoids, trained pooling and a sparse second convolution).
    """

    def __init__(self, inputs: tuple[int, ...] = (1, 28, 28), classes: int = 10) -> None:
        super().__init__()
        channels, height, width = inputs
        rows, columns = ((side // 2 - 4) // 2 for side in (height, width))
        if min(rows, columns) < 1:
            raise ValueError(f"pictures of {height} × {width} are too small for LeNet-5")
        self.conv1 = nn.Conv2d(channels, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * rows * columns, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        maps = self.pool(torch.relu(self.conv1(images)))
        maps = self.pool(torch.relu(self.conv2(maps)))
        hidden = torch.relu(self.fc1(maps.flatten(start_dim=1)))
        logits: Tensor = self.fc3(torch.relu(self.fc2(hidden)))
        return logits
