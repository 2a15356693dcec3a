"""The symmetric product of centred, scaled features: what distances cost.

On the CPU it is made in column blocks that stay in the cache, by BLAS's symmetric rank-k update,
which does half the work of a general product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

COLUMNS = 1024
"""Features a block."""


def centred_products(x: Tensor, factor: Tensor, precision: torch.dtype) -> Tensor:
    """The products z zᵀ (n, n) of z = (x − mean x)·factor, in float64. Differentiable in both.

    Centring serves the rounding only: distances do not depend on it.

    Args:
        x: (n, d), any float type.
        factor: (d,), float64.
        precision: float64 or float32, of the product.
    """
    product: Tensor = _CentredProducts.apply(x, factor, precision)
    return product


class _CentredProducts(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, factor: Tensor, precision: torch.dtype) -> Tensor:
        context.save_for_backward(x, factor)
        if x.device.type != "cpu":
            z = _scaled(x, factor).to(precision)
            return (z @ z.T).to(torch.float64)
        return _in_blocks(x.detach(), factor.detach(), precision)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        x, factor = context.saved_tensors
        (gradient,) = gradients
        centred = _scaled(x, torch.ones_like(factor))
        towards = (gradient + gradient.T) @ (centred * factor)
        for_x = towards * factor
        for_x = (for_x - for_x.mean(dim=0)).to(x.dtype)
        return for_x, (towards * centred).sum(dim=0), None


def _scaled(x: Tensor, factor: Tensor) -> Tensor:
    wide = x.to(torch.float64)
    return (wide - wide.mean(dim=0)) * factor


def _in_blocks(x: Tensor, factor: Tensor, precision: torch.dtype) -> Tensor:
    from scipy.linalg.blas import dsyrk, ssyrk

    update = dsyrk if precision == torch.float64 else ssyrk
    n, d = x.shape
    # One buffer for all blocks: fresh memory would cost more than the arithmetic.
    buffer = torch.empty(n * min(d, COLUMNS), dtype=torch.promote_types(x.dtype, precision))
    total = torch.zeros(n, n, dtype=precision).numpy().T
    for start in range(0, d, COLUMNS):
        columns = slice(start, min(start + COLUMNS, d))
        block = buffer[: n * (columns.stop - start)].view(n, -1)
        block.copy_(x[:, columns])
        scale = factor[columns].to(block.dtype)
        torch.addcmul(-block.mean(dim=0) * scale, block, scale, out=block)
        # The transpose of a C array is the Fortran array that BLAS wants, without a copy.
        array = block.to(precision).numpy().T
        total = update(1.0, array, beta=1.0, c=total, trans=1, lower=1, overwrite_c=1)
    lower = torch.from_numpy(total).to(torch.float64).tril()
    return lower + lower.tril(-1).T
