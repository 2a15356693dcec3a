"""The network's outputs as rows, read first: a wrong preprocessing shows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from infoflow.activations.rows import number
from infoflow.data import Data
from infoflow.data.batch import IGNORED
from infoflow.errors import DataError
from infoflow.measures.outputs.predictive import mean_by_class
from infoflow.measures.outputs.stream import Outputs
from infoflow.report import Measurement, Series
from infoflow.statistics.intervals import interval

NETWORK = ""
"""The layer of rows that are of the whole network."""
MOST_CLASSES = 100
"""Classes up to which each has a row of its own."""
LN2 = math.log(2)


def rows(found: Outputs, data: Data) -> Iterator[Measurement]:
    """Accuracy, likelihood, calibration error and predictive entropy.

    Raises:
        DataError: No position of any sample counts.
    """
    if not found.positions:
        raise DataError(
            f"{data.name}: no position of any sample counts: its labels are all {IGNORED}, or its "
            "mask leaves everything out."
        )
    method = f"n = {data.samples}"
    if found.positions != data.samples:
        method += f", {found.positions:,} positions"

    row = partial(number, NETWORK, method=method)
    if found.accuracy is not None:
        accuracy = found.accuracy
        # Positions of one sample are not independent: of them there is no interval.
        one_each = found.positions == data.samples
        low, high = (accuracy.low, accuracy.high) if one_each else (None, None)
        yield row("accuracy", "value", accuracy.value, unit="share", low=low, high=high)
    if found.mean_nll is not None:
        # Of one answer a sample the mean over answers is that over samples, which are independent.
        single = found.nll if found.positions == data.samples else None
        within = ends(single) if single is not None else (None, None)
        yield row("negative-log-likelihood", "value", found.mean_nll, unit="nats",
                  low=within[0], high=within[1])  # fmt: skip
    if found.reliability is not None:
        error = found.reliability.calibration_error
        yield row("calibration-error", "value", error, unit="share")
    if data.task == "segmentation" and found.mean_iou is not None:
        yield row("mean-iou", "value", found.mean_iou, unit="share")
    if data.task == "next-token" and found.perplexity is not None:
        yield row("perplexity", "value", found.perplexity, unit="per token")
    entropy = found.entropy[found.entropy.isfinite()]
    yield from means("predictive-entropy", entropy, method)
    points = torch.tensor([0.25, 0.5, 0.75], dtype=entropy.dtype)
    for statistic, value in zip(("q1", "median", "q3"), _quantiles(entropy, points), strict=True):
        yield row("predictive-entropy", statistic, value, unit="nats")
    yield row("predictive-entropy", "ceiling", math.log(found.classes), unit="nats")
    if data.task == "classification" and found.labels is not None:
        yield from _of_classes(found.entropy, found.labels, found.classes, data)


def means(measure: str, values: Tensor, method: str, layer: str = NETWORK) -> Iterator[Measurement]:
    """The mean over samples of values (n,) in nats, in nats and in bits, with 95 % intervals."""
    mean, (low, high) = float(values.mean()), ends(values)
    row = partial(number, layer, measure, method=method)
    yield row("value", mean, unit="nats", low=low, high=high)
    yield row("mean-bits", mean / LN2, low=low / LN2, high=high / LN2)


def ends(values: Tensor) -> tuple[float, float]:
    """The 95 % interval of the mean of values (n,) of 0 and above, n at least 2.

    A t interval of the mean's logarithm, whose influences are those of the mean over it: it stays
    above 0, where that of the mean itself goes below when few large values make the mean. Values
    that may be below 0 have the mean's own.
    """
    mean = float(values.mean())
    if mean <= 0 or float(values.min()) < 0:
        found = interval(mean, values - mean)
        return found.low, found.high
    found = interval(math.log(mean), values / mean - 1)
    return math.exp(found.low), math.exp(found.high)


def _of_classes(entropy: Tensor, labels: Tensor, classes: int, data: Data) -> Iterator[Measurement]:
    """Mean predictive entropy of the samples of each class, where there are not too many."""
    names = list(data.classes or map(str, range(classes)))
    if len(names) > MOST_CLASSES or len(set(names)) < len(names):
        return
    values, counts = mean_by_class(entropy, labels, max(classes, len(names)))
    for name, value, count in zip(names, values.tolist(), counts.tolist(), strict=False):
        yield number(
            NETWORK, "predictive-entropy", f"class {name}", value, unit="nats",
            method=f"n = {count} of the class", note="" if count else "no sample of this class",
        )  # fmt: skip


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
