"""Outputs gathered batch by batch: what is reported first, so that wrong preprocessing shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infoflow.capture.batches import IGNORED
from infoflow.measures.outputs.calibration import BINS, Reliability, reliability
from infoflow.measures.outputs.logits import check_labels, log_probabilities
from infoflow.measures.outputs.predictive import (
    confidence,
    correct,
    negative_log_likelihood,
    predictive_entropy,
    sample_means,
)
from infoflow.measures.outputs.segmentation import confusion_matrix, mean_iou
from infoflow.statistics.proportion import Proportion, proportion

MOST_CLASSES = 1000
"""Classes up to which a confusion matrix is kept."""


@dataclass(frozen=True)
class ByClass:
    """Sums over the positions of each class of the targets, (classes,) each.

    Args:
        count: Positions.
        entropy: Of their predictive entropies, in nats.
        correct: How many are right.
    """

    count: Tensor
    entropy: Tensor
    correct: Tensor

    def __add__(self, other: ByClass) -> ByClass:
        return ByClass(
            self.count + other.count, self.entropy + other.entropy, self.correct + other.correct
        )

    @property
    def mean_entropy(self) -> Tensor:
        """NaN for a class that the targets have not."""
        return self.entropy / self.count

    @property
    def accuracy(self) -> Tensor:
        """Likewise."""
        return self.correct / self.count


@dataclass(frozen=True)
class Outputs:
    """What the outputs of all samples say; entropies and likelihoods in nats.

    Vectors have an entry a sample, (n,), float64: of a sample with many positions (pixels, tokens)
    the mean over those that count, NaN where none does.

    Args:
        classes: Outputs of the network.
        positions: Positions that count, of all samples; n for labels.
        entropy: Predictive entropy.
        confidence: Greatest probability.
        nll: Negative log-likelihood of the target; None without targets.
        correct: Share of its positions that are right; None without targets.
        labels: (n,) targets, where each sample has one.
        predictions: (n,) likeliest classes, where each sample has one position.
        reliability: None without targets.
        by_class: Predictive entropy and accuracy of each class; None without targets.
        mean_nll: Over all positions that count; None without targets, ∞ where a target has
            probability 0.
        accuracy: Share of right positions; None without targets. The interval is that of
            independent positions, which tokens and pixels of one sample are not.
        confusion: Positions of each target class (rows) by predicted class; None of labels a
            sample, and where the classes are more than `MOST_CLASSES`.
    """

    classes: int
    positions: int
    entropy: Tensor
    confidence: Tensor
    nll: Tensor | None
    correct: Tensor | None
    labels: Tensor | None
    predictions: Tensor | None
    reliability: Reliability | None
    by_class: ByClass | None
    mean_nll: float | None
    accuracy: Proportion | None
    confusion: Tensor | None = None

    @property
    def mean_iou(self) -> float | None:
        """Mean intersection over union, see `infoflow.measures.outputs.segmentation.mean_iou`."""
        return None if self.confusion is None else mean_iou(self.confusion)

    @property
    def perplexity(self) -> float | None:
        """The exponential of the mean negative log-likelihood."""
        if self.mean_nll is None:
            return None
        return math.exp(self.mean_nll) if self.mean_nll < 700 else math.inf

    def most_uncertain(self, count: int) -> list[int]:
        """Numbers of the samples of the greatest predictive entropy, greatest first."""
        order = self.entropy.nan_to_num(-1).argsort(descending=True, stable=True)
        return [int(i) for i in order[:count]]


@dataclass
class OutputStream:
    """Takes log-probabilities batch by batch and keeps a few numbers a sample.

    Args:
        bins: Of the reliability diagram.
    """

    bins: int = BINS
    _parts: list[dict[str, Tensor]] = field(default_factory=list)
    _reliability: Reliability | None = None
    _by_class: ByClass | None = None
    _nll: float = 0.0
    _hits: int = 0
    _positions: int = 0
    _classes: int = 0
    _samples: int = 0
    _confusion: Tensor | None = None

    def add(self, logits: Tensor, targets: Tensor | None = None) -> None:
        """One batch.

        Args:
            logits: (n, classes, …).
            targets: (n, …) labels, ``IGNORED`` where a position does not count; None without.

        Raises:
            DataError: A label is none of the classes.
        """
        with torch.no_grad():
            self.add_log_probabilities(log_probabilities(logits), targets)

    def add_log_probabilities(
        self, log_q: Tensor, targets: Tensor | None = None, counts: Tensor | None = None
    ) -> None:
        """One batch of ln q (n, classes, …), such as an ensemble's.

        Args:
            log_q: Logarithms of the classes' probabilities.
            targets: As for `add`.
            counts: (n, …), without targets: which positions count; None for all.
        """
        self._classes = log_q.shape[1]
        if targets is not None:
            targets = targets.to(log_q.device)
            positions = (len(log_q), *log_q.shape[2:])
            check_labels(targets, positions, self._classes, self._samples)
            counts = targets != IGNORED
        elif counts is None:
            counts = torch.ones_like(log_q[:, 0], dtype=torch.bool)
        self._samples += len(log_q)
        sure = confidence(log_q)
        entropy = predictive_entropy(log_q)
        part = {
            "entropy": sample_means(entropy, counts),
            "confidence": sample_means(sure, counts),
        }
        if log_q.ndim == 2:
            part["predictions"] = log_q.argmax(dim=1)
        self._positions += int(counts.sum())
        if targets is not None:
            nll, hits = negative_log_likelihood(log_q, targets), correct(log_q, targets)
            part |= {
                "nll": sample_means(nll, counts),
                "correct": sample_means(hits.to(torch.float64), counts),
            }
            if targets.ndim == 1:
                part["labels"] = targets
            self._nll += float(nll.sum())
            self._hits += int(hits[counts].sum())
            found = reliability(sure[counts], hits[counts], self.bins)
            self._reliability = found if self._reliability is None else self._reliability + found
            each = _by_class(entropy[counts], hits[counts], targets[counts], self._classes)
            self._by_class = each if self._by_class is None else self._by_class + each
            if targets.ndim > 1 and self._classes <= MOST_CLASSES:
                pairs = confusion_matrix(
                    log_q.argmax(dim=1)[counts], targets[counts], self._classes
                )
                self._confusion = pairs if self._confusion is None else self._confusion + pairs
        self._parts.append({name: values.cpu() for name, values in part.items()})

    def outputs(self) -> Outputs:
        """What all batches so far say; there must be one."""
        names = self._parts[0]
        whole = {name: torch.cat([part[name] for part in self._parts]) for name in names}
        known = self._reliability is not None and self._positions > 0
        return Outputs(
            classes=self._classes,
            positions=self._positions,
            entropy=whole["entropy"],
            confidence=whole["confidence"],
            nll=whole.get("nll"),
            correct=whole.get("correct"),
            labels=whole.get("labels"),
            predictions=whole.get("predictions"),
            reliability=self._reliability if known else None,
            by_class=self._by_class if known else None,
            mean_nll=self._nll / self._positions if known else None,
            accuracy=proportion(self._hits, self._positions) if known else None,
            confusion=self._confusion if known else None,
        )


def _by_class(entropy: Tensor, hits: Tensor, labels: Tensor, classes: int) -> ByClass:
    labels = labels.cpu()
    return ByClass(
        torch.bincount(labels, minlength=classes),
        torch.bincount(labels, weights=entropy.cpu(), minlength=classes),
        torch.bincount(labels[hits.cpu()], minlength=classes),
    )
