"""−Σ log|det W₁₁|, W₁₁ the matrix at the kernel's corner: block c₁₁ of the whole layer."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from infoflow.losses.determinants import half_log_det, log_abs_det
from infoflow.losses.grammar import LossRequest
from infoflow.losses.places import chosen, convolutions
from infoflow.losses.symbols import corner_blocks, layer_taps
from infoflow.losses.term import WeightTerm


def block_loss(blocks: Tensor) -> Tensor:
    """−Σ over groups of log|det W₁₁|; of ½ log det(W₁₁W₁₁ᵀ), smaller side, where not square.

    Args:
        blocks: (groups, rows, columns).
    """
    if blocks.shape[0] == 1 and blocks.shape[1] == blocks.shape[2]:
        return -log_abs_det(blocks[0])
    return -half_log_det(blocks).sum()


class Block(WeightTerm):
    """`block_loss`, summed over layers, in nats a position.

    With a stride the block is weight[:, :, 0, 0] and the other taps within the stride, side by
    side: the polyphase symbol at z = 0.
    """

    def __init__(self, request: LossRequest, model: nn.Module) -> None:
        super().__init__(request)
        self.weights = chosen(request, convolutions(model))

    def of_weights(self) -> Tensor:
        """Σ over layers."""
        losses = [
            block_loss(corner_blocks(layer_taps(cast(_ConvNd, w.module), w.read())))
            for w in self.weights
        ]
        return torch.stack([loss.to(losses[0].dtype) for loss in losses]).sum()
