"""Slow twins: kernels, entropies and nulls written as their definitions read, pair by pair."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

Matrix = np.ndarray


def distance_matrix(x: Matrix) -> Matrix:
    n = len(x)
    return np.array([[np.sum((x[i] - x[j]) ** 2) for j in range(n)] for i in range(n)])


def gaussian_gram(x: Matrix, sigma: float) -> Matrix:
    return np.exp(-distance_matrix(x) / (2 * sigma**2))


def renyi_entropy(gram: Matrix, alpha: float) -> float:
    """By all eigenvalues of G/n."""
    values = np.linalg.eigvalsh(gram / len(gram))
    values = values[values > len(gram) * 2.3e-16 * values[-1]]
    if alpha == 1:
        return float(-np.sum(values * np.log2(values)))
    if math.isinf(alpha):
        return float(-np.log2(values[-1]))
    return float(np.log2(np.sum(values**alpha)) / (1 - alpha))


def mean_over_pairs(matrix: Matrix) -> float:
    n = len(matrix)
    return sum(matrix[i, j] for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))


def row_means(matrix: Matrix) -> Matrix:
    n = len(matrix)
    return np.array([sum(matrix[i, j] for j in range(n) if j != i) / (n - 1) for i in range(n)])


def quadratic(k_x: Matrix, k_t: Matrix) -> tuple[float, float]:
    """I₂ and I_CS from Gram matrices."""
    a, b = k_x**2, k_t**2
    joint = mean_over_pairs(a * b)
    marginal = mean_over_pairs(a) * mean_over_pairs(b)
    crossed = float(np.mean(row_means(a) * row_means(b)))
    return math.log2(joint / marginal), math.log2(joint * marginal / crossed**2)


def jackknife_influence(values: Sequence[float], whole: float) -> Matrix:
    """(n − 1)(θ − θ_{−i}): what the influence functions are the limit of."""
    return (len(values) - 1) * (whole - np.array(values))


def permuted_products(a: Matrix, b: Matrix) -> Matrix:
    """Mean over pairs of a_ij b_π(i)π(j) for every order π."""
    n = len(a)
    orders = (list(order) for order in itertools.permutations(range(n)))
    return np.array([mean_over_pairs(a * b[np.ix_(order, order)]) for order in orders])


def shannon(labels: Sequence[object]) -> float:
    """Plug-in entropy of labels, in bits."""
    shares = [labels.count(value) / len(labels) for value in set(labels)]
    return -sum(share * math.log2(share) for share in shares)


def nearest_neighbour_entropy(x: Matrix, neighbours: int) -> float:
    """Kozachenko and Leonenko's estimate of one unit, all distances sorted."""
    from scipy.special import digamma

    n = len(x)
    radius = [
        sorted(abs(x[i] - x[j]) for j in range(n) if j != i)[neighbours - 1] for i in range(n)
    ]
    return float(digamma(n) - digamma(neighbours) + np.mean(np.log(2 * np.array(radius))))


def unexplained(maps: Matrix) -> Matrix:
    """1 − R² of each column (observations, C) regressed on the others."""
    values = maps - maps.mean(axis=0)
    found = []
    for column in range(values.shape[1]):
        others = np.delete(values, column, axis=1)
        fit = others @ np.linalg.lstsq(others, values[:, column], rcond=None)[0]
        residual = values[:, column] - fit
        found.append(np.sum(residual**2) / np.sum(values[:, column] ** 2))
    return np.array(found)
