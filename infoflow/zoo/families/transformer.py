"""A small vision transformer for pictures of any size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infoflow.zoo.samples import encoder_layer


class Transformer(nn.Module):
    """Patches, a class token, pre-norm encoder layers, a classifier on the class token.

    Args:
        width: Size of a token.
        heads: Attention heads; a divisor of the width.
        depth: Encoder layers.
        patch: Side of a patch; a divisor of the picture's sides.
        inputs: Channels, height and width of one picture.
        classes: Outputs.

    Raises:
        ValueError: The heads do not divide the width, or the patch does not divide the sides.

    Source: Dosovitskiy et al., An image is worth 16x16 words, 2021.
    """

    def __init__(
        self,
        width: int = 64,
        heads: int = 4,
        depth: int = 3,
        patch: int = 4,
        inputs: tuple[int, ...] = (1, 28, 28),
        classes: int = 10,
    ) -> None:
        super().__init__()
        channels, rows, columns = inputs
        if heads < 1 or width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        if patch < 1 or rows % patch or columns % patch:
            raise ValueError(f"patches of {patch} do not divide pictures of {rows} × {columns}")
        patches = (rows // patch) * (columns // patch)
        self.patch_embedding = nn.Conv2d(channels, width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embedding = nn.Parameter(torch.empty(1, 1 + patches, width))
        nn.init.normal_(self.position_embedding, std=0.02)
        self.encoder = nn.Sequential(*(encoder_layer(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` to logits ``(batch, classes)``."""
        patches = self.patch_embedding(images).flatten(start_dim=2).transpose(1, 2)
        token = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([token, patches], dim=1) + self.position_embedding
        logits: Tensor = self.classifier(self.norm(self.encoder(tokens)[:, 0]))
        return logits
