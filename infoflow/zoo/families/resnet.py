"""The residual networks for CIFAR with any number of channels and classes."""

from __future__ import annotations

from torch import nn

from infoflow.zoo.cifar_resnet import WIDTHS, CifarResNet


class ResNet(CifarResNet):
    """A CIFAR ResNet of depth 6n + 2: 20, 26, 32, …, 74, 152.

    Args:
        depth: 6n + 2, with n blocks in each of three stages.
        inputs: Channels, height and width of one picture; the size does not matter.
        classes: Outputs.

    Raises:
        ValueError: The depth is no 6n + 2.
    """

    def __init__(
        self, depth: int = 20, inputs: tuple[int, ...] = (3, 32, 32), classes: int = 10
    ) -> None:
        super().__init__(depth, classes=classes)
        if inputs[0] != self.conv1.in_channels:
            self.conv1 = nn.Conv2d(inputs[0], WIDTHS[0], 3, padding=1, bias=False)
