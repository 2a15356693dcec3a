"""A linear probe: how well a linear map of the features tells the label, on samples not seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import squared_distances
from infoflow.statistics.proportion import proportion

PENALTIES = tuple(10.0**power for power in range(-6, 3))
"""Ridge penalties, as shares of the mean squared length of the features."""


@dataclass(frozen=True)
class Probe:
    """What a linear probe reached.

    Args:
        accuracy: Share of the held-out half that it classified right.
        chance: Share of the held-out half that has the training half's most frequent class.
        low: Lower end of the Wilson 95 % interval of the accuracy.
        high: Its upper end.
        held_out: Samples of the held-out half.
        penalty: The ridge penalty, chosen by leaving out one sample of the training half.
    """

    accuracy: float
    chance: float
    low: float
    high: float
    held_out: int
    penalty: float


def linear_probe(x: Tensor, labels: Tensor, seed: int = 0) -> Probe:
    """`probe_of_distances` of features (n, …)."""
    return probe_of_distances(squared_distances(x), labels, seed)


def probe_of_distances(distances: Tensor, labels: Tensor, seed: int = 0) -> Probe:
    """Ridge regression of the classes' indicators on features, trained on half of the samples.

    In the dual, O(n³) for any number of features; the penalty with the smallest leave-one-out
    error of the training half, exactly, from one eigendecomposition.

    Args:
        distances: (n, n), squared, of the features.
        labels: (n,), whole numbers.
        seed: Of the split.

    Raises:
        EstimateError: There are fewer than 4 samples, or the labels are not one a sample.
    """
    n = distances.shape[0]
    if labels.shape != (n,) or n < 4:
        raise EstimateError(
            f"A linear probe needs one label a sample and four samples; there are {n} samples "
            f"and labels of shape {tuple(labels.shape)}."
        )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).to(distances.device)
    train, test = order[: n // 2], order[n // 2 :]
    classes, targets = torch.unique(labels, return_inverse=True)
    indicators = torch.nn.functional.one_hot(targets, len(classes)).to(torch.float64)
    products = _products(distances[:, train], train)
    mean = indicators[train].mean(dim=0)
    dual, penalty = _ridge(products[train], indicators[train] - mean)
    predicted = (products[test] @ dual + mean).argmax(dim=1)
    right = int((predicted == targets[test]).sum())
    frequent = indicators[train].sum(dim=0).argmax()
    chance = float((targets[test] == frequent).double().mean())
    hit = proportion(right, len(test))
    return Probe(hit.value, chance, hit.low, hit.high, len(test), penalty)


def _products(distances: Tensor, train: Tensor) -> Tensor:
    """Products of all samples with the training half, of features centred on that half.

    Args:
        distances: (n, m), squared, of all samples to those of the training half.
        train: (m,), their numbers.
    """
    to_mean = distances.mean(dim=1)
    spread = to_mean[train].mean()
    return -0.5 * (distances - to_mean[:, None] - to_mean[None, train] + spread)


def _ridge(products: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """Dual coefficients (n, classes) of the penalty with the least leave-one-out error.

    Args:
        products: (n, n), of features centred on these n samples.
        targets: (n, classes), centred likewise: the intercept of both is the mean.
    """
    values, vectors = torch.linalg.eigh(products)
    scale = products.diagonal().mean()
    rotated = vectors.T @ targets
    # The intercept takes the constant direction out: its 1/penalty would hide every other.
    weights = (vectors - vectors.mean(dim=0)).square()
    best: tuple[float, Tensor, float] | None = None
    for share in PENALTIES:
        penalty = float(share * scale) if float(scale) > 0 else share
        inverse = 1 / (values + penalty)
        dual = vectors @ (inverse[:, None] * rotated)
        # The residual of a left-out sample is dual_i over the centred inverse's diagonal entry.
        left_out = dual / (weights @ inverse)[:, None]
        error = float(left_out.square().sum())
        if best is None or error < best[0]:
            best = (error, dual, share)
    assert best is not None
    return best[1], best[2]
