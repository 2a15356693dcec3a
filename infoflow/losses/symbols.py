"""A convolution's symbol K̂(z) as matrices, differentiable: at z = 0, and on a frequency grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvNd


def polyphase_taps(
    weight: Tensor, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int
) -> dict[tuple[int, ...], Tensor]:
    """Coarse taps W_q by their offset q, each (groups, rows, columns · phases).

    y[n] = Σ_k w[k] x[s n + r k] becomes Σ_q W_q X[n + q], with r k = s q + φ; the phases φ that a
    tap reaches are channels of their own, the others are dropped.

    Args:
        weight: (rows, columns, *kernel), as stored (transposed ones: of their adjoint).
        stride: s.
        dilation: r.
        groups: Blocks on the diagonal.
    """
    places = list(itertools.product(*(range(n) for n in weight.shape[2:])))
    where = {
        k: tuple(divmod(a * r, s) for a, s, r in zip(k, stride, dilation, strict=True))
        for k in places
    }
    phases = sorted({tuple(phase for _, phase in found) for found in where.values()})
    offsets = sorted({tuple(q for q, _ in found) for found in where.values()})
    at = {found: index for index, found in enumerate(where.values())}
    flat = weight.flatten(2)
    nothing = torch.zeros_like(weight.flatten(2)[..., 0])
    taps = {}
    for q in offsets:
        parts = []
        for phase in phases:
            k = at.get(tuple(zip(q, phase, strict=True)))
            parts.append(nothing if k is None else flat[..., k])
        side = torch.cat(parts, dim=1)
        taps[q] = side.reshape(groups, -1, side.shape[1])
    return taps


def layer_taps(layer: _ConvNd, weight: Tensor) -> dict[tuple[int, ...], Tensor]:
    """`polyphase_taps` of a layer of torch."""
    return polyphase_taps(weight, layer.stride, layer.dilation, layer.groups)


def corner_blocks(taps: dict[tuple[int, ...], Tensor]) -> Tensor:
    """W₁₁, the symbol at z = 0: (groups, rows, columns · phases)."""
    return taps[min(taps)]


def frequency_symbols(taps: dict[tuple[int, ...], Tensor], grid: int) -> tuple[Tensor, Tensor]:
    """K̂(ω) = Σ_q W_q exp(iω·q) on a grid of ``grid`` frequencies along each axis that has taps.

    Returns:
        (F, groups, rows, columns) complex128, and (F,) float64 weights with sum 1: of each pair
        ω, −ω one is left out and the other counts twice.
    """
    offsets = list(taps)
    axes = [axis for axis in range(len(offsets[0])) if len({q[axis] for q in offsets}) > 1]
    kept: dict[tuple[int, ...], int] = {}
    for k in itertools.product(range(grid), repeat=len(axes)):
        mirror = tuple(-i % grid for i in k)
        chosen = min(k, mirror)
        kept[chosen] = kept.get(chosen, 0) + 1
    stacked = torch.stack([taps[q] for q in offsets]).to(torch.complex128)
    frequencies = torch.tensor(list(kept), dtype=torch.float64).reshape(len(kept), len(axes))
    steps = torch.tensor([[q[a] for a in axes] for q in offsets], dtype=torch.float64)
    angles = 2 * math.pi / grid * frequencies @ steps.reshape(len(offsets), len(axes)).T
    turns = torch.polar(torch.ones_like(angles), angles).to(stacked.device)
    symbols = torch.einsum("fq,qgrc->fgrc", turns, stacked)
    weights = torch.tensor(list(kept.values()), dtype=torch.float64) / grid ** len(axes)
    return symbols, weights.to(stacked.device)
