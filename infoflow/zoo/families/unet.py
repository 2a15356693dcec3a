"""A U-Net for a label a pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


class UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, with the maps of the way down beside them.

    Args:
        depth: Times that the picture is halved.
        width: Channels at full size; each level has twice as many.
        norm: Batch normalisation after each convolution.
        inputs: Channels, height and width of one picture.
        classes: Labels, the background among them.

    Raises:
        ValueError: The picture is too small for such a depth.

    Source: Ronneberger, Fischer and Brox, U-Net: Convolutional networks for biomedical image
    segmentation, 2015 (there without padding and normalisation).
    """

    def __init__(
        self,
        depth: int = 3,
        width: int = 16,
        norm: bool = True,
        inputs: tuple[int, ...] = (3, 32, 32),
        classes: int = 2,
    ) -> None:
        super().__init__()
        if depth < 1 or min(inputs[1:]) < 2**depth:
            raise ValueError(f"a depth of {depth} does not fit pictures of {inputs[1:]}")
        widths = [width * 2**level for level in range(depth + 1)]
        sources = [inputs[0], *widths[:-2]]
        self.down = nn.ModuleList(
            _double(a, b, norm) for a, b in zip(sources, widths[:-1], strict=True)
        )
        self.bottom = _double(widths[-2], widths[-1], norm)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1])
        )
        self.merge = nn.ModuleList(_double(2 * w, w, norm) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` to logits ``(batch, classes, height, width)``."""
        beside: list[Tensor] = []
        maps = images
        for block in self.down:
            maps = block(maps)
            beside.append(maps)
            maps = self.pool(maps)
        maps = self.bottom(maps)
        for up, merge in zip(self.up, self.merge, strict=True):
            across, maps = beside.pop(), up(maps)
            if maps.shape != across.shape:  # a picture of odd sides
                maps = interpolate(maps, across.shape[2:])
            maps = merge(torch.cat([across, maps], dim=1))
        logits: Tensor = self.head(maps)
        return logits


def _double(inputs: int, outputs: int, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers.append(nn.Conv2d(channels, outputs, 3, padding=1, bias=not norm))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()] if norm else [nn.ReLU()]
    return nn.Sequential(*layers)
