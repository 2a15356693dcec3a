"""Batch-entropy: a Gaussian proxy of how much each unit varies over the samples, in nats.

Source: Layerwise batch-entropy regularization (LBE), eqs. 2 to 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from infoflow.errors import EstimateError


def paper(variance: Tensor, count: int) -> Tensor:
    """½ ln(1 + 2πe σ²), σ² the population variance: LBE eq. 2, never negative."""
    return 0.5 * torch.log1p(2 * math.pi * math.e * variance)


def code_fnn(variance: Tensor, count: int) -> Tensor:
    """½ ln(1 + πe s²), s² the unbiased variance: what the published code computes."""
    return 0.5 * torch.log1p(math.pi * math.e * _unbiased(variance, count))


def raw(variance: Tensor, count: int) -> Tensor:
    """½ ln(2πe σ²), a Gaussian's differential entropy: negative for quiet units, −∞ for still ones.

    It tells a nearly dead layer from a quiet one.
    """
    return 0.5 * torch.log(2 * math.pi * math.e * variance)


CONVENTIONS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "paper": paper,
    "code-fnn": code_fnn,
    "code-resnet": code_fnn,
    "raw": raw,
}
"""Entropy of a unit from its population variance (u,) and the number of samples, by name."""


def batch_entropy(variance: Tensor, count: int, convention: str = "paper") -> Tensor:
    """Batch-entropy of each unit (u,), in nats, float64; a layer's is the mean over its units.

    Differentiable in the variance. Computed with log1p: at σ² = 1e-9 ln(1 + ·) is 0 in float32.

    Args:
        variance: (u,) population variances (÷ n), `Moments.variance`. For a convolution a unit is
            one channel at one position.
        count: Samples n, from which the published code's unbiased variance is made.
        convention: A name in `CONVENTIONS`. ``code-resnet`` is ``code-fnn`` for one site a
            residual block: the choice of sites is the caller's.

    Raises:
        EstimateError: The convention is unknown.
    """
    if convention not in CONVENTIONS:
        raise EstimateError(
            f"No batch-entropy convention is called {convention!r}; there are "
            f"{', '.join(CONVENTIONS)}."
        )
    return CONVENTIONS[convention](variance.to(torch.float64), count)


def _unbiased(variance: Tensor, count: int) -> Tensor:
    return variance * (count / (count - 1)) if count > 1 else torch.full_like(variance, torch.nan)
