"""Reliability diagram, confidence histogram and calibration error.

Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017, eqs. 3, 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15
"""As in the paper."""


@dataclass(frozen=True)
class Reliability:
    """Predictions by confidence, in equal bins (lower end excluded, upper end included).

    Adds up: that of two sets of samples together is the sum of theirs.

    Args:
        counts: Predictions of each bin (bins,), int64: the confidence histogram.
        confidence: Sum of their confidences (bins,), float64.
        correct: How many of them are right (bins,), int64.
    """

    counts: Tensor
    confidence: Tensor
    correct: Tensor

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.counts + other.counts,
            self.confidence + other.confidence,
            self.correct + other.correct,
        )

    @property
    def edges(self) -> Tensor:
        """Ends of the bins (bins + 1,)."""
        return torch.linspace(0, 1, len(self.counts) + 1, dtype=torch.float64)

    @property
    def gaps(self) -> Tensor:
        """Accuracy minus mean confidence of each bin (bins,), NaN where it is empty."""
        return (self.correct - self.confidence) / self.counts

    @property
    def calibration_error(self) -> float:
        """Mean of |accuracy − confidence| over the predictions' bins; NaN without predictions."""
        total = self.counts.sum()
        return float((self.correct - self.confidence).abs().sum() / total)

    @property
    def greatest_error(self) -> float:
        """The greatest |accuracy − confidence| of a bin that is not empty."""
        return float(self.gaps[self.counts > 0].abs().max())


def reliability(confidence: Tensor, correct: Tensor, bins: int = BINS) -> Reliability:
    """Predictions of any shape by their confidence, in (0, 1].

    Args:
        confidence: Greatest probability of each prediction.
        correct: Whether it is right.
        bins: Of equal width.
    """
    flat = confidence.detach().to(torch.float64).flatten().cpu()
    hits = correct.flatten().cpu()
    which = (torch.ceil(flat * bins) - 1).clamp(0, bins - 1).to(torch.int64)
    return Reliability(
        torch.bincount(which, minlength=bins),
        torch.bincount(which, weights=flat, minlength=bins),
        torch.bincount(which[hits], minlength=bins),
    )
