"""Entropy from nearest neighbours (Kozachenko and Leonenko), in nats: a check without a Gaussian.

Beside batch-entropy's raw ½ ln(2πe σ²): for a Gaussian unit the two agree, and the Gaussian one is
never lower in truth. Ties (a ReLU's zeros) have no density: such units read −∞, and are counted.

Source: Kozachenko, Leonenko (1987); Kraskov, Stögbauer, Grassberger (2004), eq. 20.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from infoflow.errors import EstimateError

NEIGHBOURS = 3


def unit_entropies(x: Tensor, neighbours: int = NEIGHBOURS) -> Tensor:
    """ψ(n) − ψ(k) + mean ln 2ε_i of each unit by itself, ε_i the distance to its k-th neighbour.

    In sorted order the k nearest are consecutive, so that no search is needed. Differentiable.

    Args:
        x: (n, …): each position besides the samples is a unit.
        neighbours: k.

    Returns:
        (units,) nats, float64; −∞ for a unit in which k + 1 samples have the same value.

    Raises:
        EstimateError: There are not more samples than k.
    """
    n, k = x.shape[0], neighbours
    if n <= k:
        raise EstimateError(f"{k} neighbours need {k + 1} samples or more; there are {n}.")
    values = _ordered(x.to(torch.float64).reshape(n, -1))
    radius = torch.full_like(values, math.inf)
    for below in range(k + 1):
        # Windows of k + 1 values in a row in which this one has ``below`` others before it.
        middle = values[below : n - k + below]
        reach = torch.maximum(middle - values[: n - k], values[k:] - middle)
        part = torch.minimum(radius[below : n - k + below], reach)
        radius = torch.cat([radius[:below], part, radius[n - k + below :]])
    return _digamma(n) - _digamma(k) + (2 * radius).log().mean(dim=0)


def _ordered(values: Tensor) -> Tensor:
    """Columns (n, units) in ascending order; numpy sorts several times faster, without gradient."""
    if values.requires_grad or values.device.type != "cpu":
        return values.sort(dim=0).values
    columns = np.ascontiguousarray(values.numpy().T)
    columns.sort(axis=1)
    return torch.from_numpy(columns).T.contiguous()


def joint_entropy(x: Tensor, neighbours: int = NEIGHBOURS) -> float:
    """ψ(n) − ψ(k) + ln V_d + d·mean ln ε_i of all features together (n, d), few of them, in nats.

    V_d is the volume of the unit ball. −∞ where k + 1 samples are equal. Biased upwards from
    d = 5 or so.

    Raises:
        EstimateError: There are not more samples than k.
    """
    from scipy.spatial import cKDTree

    features = x.detach().to(torch.float64).reshape(x.shape[0], -1).cpu().numpy()
    n, d = int(features.shape[0]), int(features.shape[1])
    if n <= neighbours:
        raise EstimateError(
            f"{neighbours} neighbours need {neighbours + 1} samples or more; there are {n}."
        )
    radius = torch.from_numpy(cKDTree(features).query(features, k=[neighbours + 1])[0][:, 0])
    volume = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    spread = d * float(radius.log().mean())
    return _digamma(n) - _digamma(neighbours) + volume + spread


def _digamma(count: int) -> float:
    return float(torch.digamma(torch.tensor(float(count), dtype=torch.float64)))
