"""Predictive entropy, confidence, likelihood and perplexity, a position each.

Source: Shannon, A mathematical theory of communication, 1948.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infoflow.data.batch import IGNORED


def predictive_entropy(log_q: Tensor) -> Tensor:
    """H(q) = −Σ q ln q over the classes, in nats: (n, classes, …) to (n, …).

    Differentiable; a class of probability 0 adds 0.
    """
    q = log_q.exp()
    finite = torch.where(q > 0, log_q, torch.zeros_like(log_q))
    return -(q * finite).sum(dim=1)


def confidence(log_q: Tensor) -> Tensor:
    """The greatest probability, (n, …)."""
    return log_q.amax(dim=1).exp()


def correct(log_q: Tensor, targets: Tensor) -> Tensor:
    """Whether the likeliest class is the target, (n, …); the first of several alike."""
    return log_q.argmax(dim=1) == targets


def negative_log_likelihood(log_q: Tensor, targets: Tensor) -> Tensor:
    """−ln q of the target, in nats, (n, …); 0 where the target is ``IGNORED``, ∞ where q is 0."""
    counts = targets != IGNORED
    index = torch.where(counts, targets, torch.zeros_like(targets))
    taken = log_q.gather(1, index.unsqueeze(1)).squeeze(1)
    return torch.where(counts, -taken, torch.zeros_like(taken))


def perplexity(nll: Tensor, targets: Tensor) -> Tensor:
    """What exp makes of the mean negative log-likelihood of all that counts; NaN for none."""
    return (nll.sum() / (targets != IGNORED).sum()).exp()


def sample_means(values: Tensor, counts: Tensor) -> Tensor:
    """Mean over the positions of each sample that count, (n, …) to (n,); NaN where none does."""
    n = len(values)
    weights = counts.reshape(n, -1).to(torch.float64)
    kept = torch.where(counts, values, torch.zeros_like(values)).reshape(n, -1)
    return kept.to(torch.float64).sum(dim=1) / weights.sum(dim=1)


def mean_by_class(values: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Mean over the positions of each class, NaN for none, and their number: two of (classes,)."""
    counts = targets != IGNORED
    labels, kept = targets[counts], values[counts].to(torch.float64)
    sums = torch.zeros(classes, dtype=torch.float64, device=values.device)
    number = torch.bincount(labels, minlength=classes)
    return sums.index_add(0, labels, kept) / number, number


def in_bits(nats: Tensor) -> Tensor:
    """Nats over ln 2."""
    return nats / math.log(2)
