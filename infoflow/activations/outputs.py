"""The network's outputs as rows, read first: a wrong preprocessing shows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from infoflow.activations.information import number
from infoflow.data import Data
from infoflow.measures.outputs.stream import Outputs
from infoflow.report import Measurement, Series

NETWORK = ""
"""The layer of rows that are of the whole network."""


def rows(found: Outputs, data: Data) -> Iterator[Measurement]:
    """Accuracy, likelihood, calibration error and predictive entropy."""
    method = f"n = {data.samples}"
    if found.positions != data.samples:
        method += f", {found.positions:,} positions"

    row = partial(number, NETWORK, method=method)
    if found.accuracy is not None:
        accuracy = found.accuracy
        low, high = accuracy.low, accuracy.high
        yield row("accuracy", "value", accuracy.value, unit="share", low=low, high=high)
    if found.mean_nll is not None:
        yield row("negative-log-likelihood", "value", found.mean_nll, unit="nats")
    if found.reliability is not None:
        error = found.reliability.calibration_error
        yield row("calibration-error", "value", error, unit="share")
    if data.task == "next-token" and found.perplexity is not None:
        yield row("perplexity", "value", found.perplexity, unit="per token")
    entropy = found.entropy[found.entropy.isfinite()]
    yield row("predictive-entropy", "value", float(entropy.mean()), unit="nats")
    yield row("predictive-entropy", "mean-bits", float(entropy.mean()) / math.log(2))
    points = torch.tensor([0.25, 0.5, 0.75], dtype=entropy.dtype)
    for statistic, value in zip(("q1", "median", "q3"), _quantiles(entropy, points), strict=True):
        yield row("predictive-entropy", statistic, value, unit="nats")
    yield row("predictive-entropy", "ceiling", math.log(found.classes), unit="nats")


def series(found: Outputs) -> Iterator[Series]:
    """The reliability diagram and the histogram of confidences."""
    if found.reliability is None:
        return
    bins = found.reliability
    total = int(bins.counts.sum())
    shares = [int(count) / total for count in bins.counts]
    values: list[float | None] = []
    for count, sure, right, share in zip(
        bins.counts.tolist(), bins.confidence.tolist(), bins.correct.tolist(), shares, strict=True
    ):
        values += [sure / count, right / count, share] if count else [None, None, 0.0]
    note = "confidence, accuracy and share of the predictions of each bin of confidence"
    yield Series(NETWORK, "reliability", "share", (len(shares), 3), tuple(values), note)
    yield Series(NETWORK, "confidence-histogram", "share", (len(shares),), tuple(shares))


def _quantiles(values: Tensor, points: Tensor) -> list[float]:
    found: list[float] = torch.quantile(values, points).tolist()
    return found
