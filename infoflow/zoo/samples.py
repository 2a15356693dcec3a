"""The networks of ``sample_models/``: small, plain modules, untrained.

Each takes a batch of images, ``(batch, channels, height, width)``, and gives ten logits an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

CLASSES = 10


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling, for 1 × 28 × 28 images.

    Two convolutions of 5 × 5 and three dense layers, 61,706 parameters. The first convolution pads
    by 2, which gives it the 32 × 32 input of the paper.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document
    recognition, 1998 (there with sigmoids, trained pooling and a sparse second convolution).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, CLASSES)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 1, 28, 28)`` to logits ``(batch, 10)``."""
        maps = self.pool(torch.relu(self.conv1(images)))  # (batch, 6, 14, 14)
        maps = self.pool(torch.relu(self.conv2(maps)))  # (batch, 16, 5, 5)
        hidden = torch.relu(self.fc1(maps.flatten(start_dim=1)))
        logits: Tensor = self.fc3(torch.relu(self.fc2(hidden)))
        return logits


VGG_BLOCKS = ((16, 16), (32, 32), (64, 64))
"""Channels of the convolutions of each block; a pooling layer ends each block."""


class VGGStyle(nn.Module):
    """Blocks of 3 × 3 convolutions with batch normalisation, for 3 × 32 × 32 images.

    16-16-M-32-32-M-64-64-M and two dense layers, as VGG but narrower: 204,794 parameters.

    Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image
    recognition, 2015 (the first three blocks of configuration B; batch normalisation came later).
    """

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = []
        channels = 3
        for block in VGG_BLOCKS:
            for width in block:
                features += [
                    nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                channels = width
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * 4 * 4, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, CLASSES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 3, 32, 32)`` to logits ``(batch, 10)``."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class DeepFNN(nn.Module):
    """A plain ReLU network of many equal dense layers, for 1 × 28 × 28 images.

    No normalisation, no shortcut: what decides whether it trains is how the weights are drawn.
    ``torch`` is the default of ``nn.Linear``, uniform with variance 1/(3·fan_in), which divides the
    variance of the signal by 6 in each layer. ``he`` is normal with variance 2/fan_in, which keeps
    it, and has biases of zero.

    Args:
        depth: Hidden layers; the classifier comes on top.
        width: Units of each hidden layer.
        initialisation: ``torch`` or ``he``.

    Raises:
        ValueError: The initialisation is neither of the two.

    Source: Peer et al., Improving the trainability of deep neural networks through layerwise
    batch-entropy regularization, 2022; He et al., Delving deep into rectifiers, 2015, eq. 10.
    """

    def __init__(
        self,
        depth: int = 30,
        width: int = 100,
        initialisation: Literal["torch", "he"] = "torch",
    ) -> None:
        super().__init__()
        if initialisation not in ("torch", "he"):
            raise ValueError(f"initialisation is 'torch' or 'he', not {initialisation!r}")
        inputs = [28 * 28] + [width] * (depth - 1)
        self.hidden = nn.ModuleList(nn.Linear(size, width) for size in inputs)
        self.classifier = nn.Linear(width, CLASSES)
        if initialisation == "he":
            for layer in self.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 1, 28, 28)`` to logits ``(batch, 10)``."""
        signal = images.flatten(start_dim=1)
        for layer in self.hidden:
            signal = torch.relu(layer(signal))
        logits: Tensor = self.classifier(signal)
        return logits


def encoder_layer(width: int, heads: int) -> nn.TransformerEncoderLayer:
    """A pre-norm encoder layer with GELU, twice as wide inside, without dropout."""
    return nn.TransformerEncoderLayer(
        width,
        heads,
        dim_feedforward=2 * width,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )


class TransformerEncoderClassifier(nn.Module):
    """A small vision transformer, for 1 × 28 × 28 images.

    The image becomes 7 × 7 patches of 4 × 4 pixels, a class token is put before them, and pre-norm
    encoder layers of ``torch.nn`` follow, whose attention keeps q, k and v in one packed weight.

    Args:
        width: Size of a token.
        heads: Attention heads; a divisor of the width.
        depth: Encoder layers.

    Source: Dosovitskiy et al., An image is worth 16x16 words, 2021.
    """

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 3) -> None:
        super().__init__()
        self.patch_embedding = nn.Conv2d(1, width, kernel_size=4, stride=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embedding = nn.Parameter(torch.empty(1, 1 + 7 * 7, width))
        nn.init.normal_(self.position_embedding, std=0.02)
        # Not nn.TransformerEncoder: it copies one layer, so that all begin with the same weights.
        self.encoder = nn.Sequential(*(encoder_layer(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 1, 28, 28)`` to logits ``(batch, 10)``."""
        patches = self.patch_embedding(images).flatten(start_dim=2).transpose(1, 2)
        token = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([token, patches], dim=1) + self.position_embedding  # (batch, 50, width)
        logits: Tensor = self.classifier(self.norm(self.encoder(tokens)[:, 0]))
        return logits


@dataclass(frozen=True)
class ZooEntry:
    """A network of the zoo.

    Args:
        factory: Builds it, freshly drawn.
        input_size: Spatial size of an input image.
        title: For people.
        channels: Channels of an input image.
    """

    factory: Callable[[], nn.Module]
    input_size: tuple[int, ...]
    title: str
    channels: int = 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input image, channels first."""
        return (self.channels, *self.input_size)


def deep_fnn_torch() -> DeepFNN:
    """30 layers of 100 units as torch draws them: untrainable without help."""
    return DeepFNN(initialisation="torch")


def deep_fnn_he() -> DeepFNN:
    """The same 30 layers under He initialisation: trainable."""
    return DeepFNN(initialisation="he")


ZOO: dict[str, ZooEntry] = {
    "lenet5": ZooEntry(LeNet5, (28, 28), "LeNet-5 (MNIST)"),
    "vgg-style": ZooEntry(VGGStyle, (32, 32), "VGG-style network (CIFAR-10)", channels=3),
    "deep-fnn-torch": ZooEntry(deep_fnn_torch, (28, 28), "30 plain layers (torch's default)"),
    "deep-fnn-he": ZooEntry(deep_fnn_he, (28, 28), "30 plain layers (He)"),
    "transformer-encoder": ZooEntry(
        TransformerEncoderClassifier, (28, 28), "small transformer encoder (Fashion-MNIST)"
    ),
}
"""The sample networks by name; the names and shapes of the two deep ones are equal."""
