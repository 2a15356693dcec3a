"""VGG-16, named as torchvision names its parts."""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions of each block; a pooling layer ends each block."""


class VGG16(nn.Module):
    """Thirteen convolutions of 3 × 3 and three dense layers.

    Args:
        norm: Batch normalisation after each convolution.
        hidden: Units of the two dense layers (4096 as published; 512 is usual for CIFAR).
        pool: Side to which the last maps are averaged (7 as published).
        dropout: After the two dense layers.
        inputs: Channels, height and width of one picture, 32 × 32 at least.
        classes: Outputs.

    Raises:
        ValueError: The picture is smaller than 32 × 32.

    Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image
    recognition, 2015, configuration D.
    """

    def __init__(
        self,
        norm: bool = False,
        hidden: int = 4096,
        pool: int = 7,
        dropout: float = 0.5,
        inputs: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
    ) -> None:
        super().__init__()
        channels, height, width = inputs
        if min(height, width) < 2 ** len(BLOCKS):
            raise ValueError(f"pictures of {height} × {width} are smaller than 32 × 32")
        self.features = nn.Sequential()
        for block in BLOCKS:
            for out in block:
                convolution = nn.Conv2d(channels, out, 3, padding=1)
                nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
                self.features.append(convolution)
                if norm:
                    self.features.append(nn.BatchNorm2d(out))
                self.features.append(nn.ReLU())
                channels = out
            self.features.append(nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(pool)
        self.classifier = nn.Sequential(
            nn.Linear(channels * pool**2, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        maps = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(maps.flatten(start_dim=1))
        return logits
