"""The residual networks of He et al. for CIFAR, as published weights name their parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

WIDTHS = (16, 32, 64)
"""Channels of the three stages."""


class Pad(nn.Module):
    """A shortcut without parameters: every second pixel, zero channels before and after.

    Args:
        inputs: Channels before.
        outputs: Channels after; half of the new ones on either side.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.added = outputs - inputs

    def forward(self, maps: Tensor) -> Tensor:
        """``(batch, inputs, h, w)`` to ``(batch, outputs, ⌈h/2⌉, ⌈w/2⌉)``."""
        before = self.added // 2
        return pad(maps[:, :, ::2, ::2], (0, 0, 0, 0, before, self.added - before))


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with batch normalisation, and a shortcut around them.

    Args:
        inputs: Channels before.
        outputs: Channels after.
        stride: Of the first convolution.
        shortcut: Name under which a convolution and its norm stand on the shortcut of a block that
            changes the size, ``""`` for `Pad`.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.way_around = shortcut or "shortcut"
        around: nn.Module = nn.Identity()
        if stride != 1:
            around = Pad(inputs, outputs)
            if shortcut:
                convolution = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
                around = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        self.add_module(self.way_around, around)

    def forward(self, maps: Tensor) -> Tensor:
        """``(batch, inputs, h, w)`` to ``(batch, outputs, h/stride, w/stride)``."""
        hidden = torch.relu(self.bn1(self.conv1(maps)))
        shortcut: Tensor = self.get_submodule(self.way_around)(maps)
        return torch.relu(self.bn2(self.conv2(hidden)) + shortcut)


class CifarResNet(nn.Module):
    """ResNet-20, -32, -44, -56, -110, …, for 3 × 32 × 32 images.

    Args:
        depth: 6n + 2, with n blocks in each of three stages.
        shortcut: Name of the shortcuts' convolutions (option B), ``""`` for none (option A).
        head: Name of the last layer.
        classes: Its outputs.

    Raises:
        ValueError: The depth is no 6n + 2.

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015, §4.2.
    """

    def __init__(
        self, depth: int, shortcut: str = "", head: str = "linear", classes: int = 10
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"the depth is 6n + 2, not {depth}")
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS, start=1):
            blocks = []
            for block in range((depth - 2) // 6):
                stride = 2 if stage > 1 and block == 0 else 1
                blocks.append(BasicBlock(before, width, stride, shortcut))
                before = width
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.head = head
        self.add_module(head, nn.Linear(before, classes))

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, 3, 32, 32)`` to logits ``(batch, classes)``."""
        maps = torch.relu(self.bn1(self.conv1(images)))
        for stage in range(1, len(WIDTHS) + 1):
            maps = self.get_submodule(f"layer{stage}")(maps)
        pooled = self.avgpool(maps).flatten(start_dim=1)
        logits: Tensor = self.get_submodule(self.head)(pooled)
        return logits
