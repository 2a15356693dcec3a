"""A small convolutional network of one to some blocks."""

from __future__ import annotations

from torch import Tensor, nn


class CNN(nn.Module):
    """Blocks of 3 × 3 convolution, ReLU and 2 × 2 max pooling, then two dense layers.

    Args:
        blocks: Each halves the picture and doubles the channels.
        width: Channels of the first block.
        hidden: Units of the dense layer before the classifier.
        dropout: Before the classifier.
        inputs: Channels, height and width of one picture.
        classes: Outputs.

    Raises:
        ValueError: The picture is too small for so many blocks.

    Source: the networks of one to three blocks on CIFAR-10 in Meni et al., Entropy-based guidance
    of deep neural networks for accelerated convergence and improved performance, 2023.
    """

    def __init__(
        self,
        blocks: int = 3,
        width: int = 32,
        hidden: int = 128,
        dropout: float = 0.0,
        inputs: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
    ) -> None:
        super().__init__()
        channels, height, side = inputs
        if blocks < 1 or min(height, side) < 2**blocks:
            raise ValueError(f"{blocks} blocks do not fit pictures of {height} × {side}")
        self.blocks = nn.Sequential()
        for block in range(blocks):
            out = width * 2**block
            self.blocks.append(
                nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            )
            channels, height, side = out, height // 2, side // 2
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * side, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        logits: Tensor = self.classifier(self.blocks(images))
        return logits
