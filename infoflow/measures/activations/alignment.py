"""Centred kernel alignment: how similar two sets of features are, from 0 to 1, without a unit.

Sources: Kornblith and others, Similarity of neural network representations revisited (2019);
the unbiased form with Song and others' estimator of HSIC (2012).
"""

from __future__ import annotations

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import centred, points


def linear_gram(x: Tensor) -> Tensor:
    """Products x_i·x_j (n, n) of centred features (n, …), float64: the linear kernel."""
    features = points(x).features
    return features @ features.T


def cka(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """⟨HKH, HLH⟩/(‖HKH‖·‖HLH‖) of two Gram matrices (n, n); NaN where one is constant.

    Biased upwards when features are many and samples few; differentiable.
    """
    first, second = centred(k.to(torch.float64)), centred(l.to(torch.float64))
    aligned: Tensor = (first * second).sum() / (first.norm() * second.norm())
    return aligned


def unbiased_cka(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """The same from unbiased estimates of HSIC, diagonals left out: may be below 0.

    Raises:
        EstimateError: There are fewer than 4 samples.
    """
    return _hsic(k, l) / (_hsic(k, k) * _hsic(l, l)).sqrt()


def linear_cka(x: Tensor, t: Tensor) -> Tensor:
    """CKA of features (n, …) and (n, …) with linear kernels: invariant to rotation and scale."""
    return cka(linear_gram(x), linear_gram(t))


def _hsic(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    n = k.shape[0]
    if n < 4:
        raise EstimateError("The unbiased alignment needs four samples or more.")
    inside = torch.eye(n, dtype=torch.bool, device=k.device)
    first, second = (m.to(torch.float64).masked_fill(inside, 0.0) for m in (k, l))
    rows, columns = first.sum(dim=1), second.sum(dim=1)
    means = rows.sum() * columns.sum() / ((n - 1) * (n - 2))
    crossed = 2 * torch.dot(rows, columns) / (n - 2)
    return ((first * second).sum() + means - crossed) / (n * (n - 3))
