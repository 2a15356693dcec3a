"""Confidences that are not the shares of right answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from infoflow.findings.rule import Rule
from infoflow.findings.sites import share_text
from infoflow.report import Finding, Report, Series, Severity

LIMIT = 0.05
"""Expected calibration error above which it is reported, beyond what chance brings about."""

Bin = tuple[float, float, float]


def miscalibrated(report: Report) -> Iterator[Finding]:
    """An expected calibration error above `LIMIT` plus what perfect confidences would read.

    The error of a finite sample is never zero: each bin's accuracy scatters by
    √(c(1 − c)/n_b), whose mean size is √(2/π) of that.
    """
    row = report.row("", "calibration-error")
    if row is None or row.value is None:
        return
    bins = reliability(report.series)
    size = report.data.samples if report.data else 0
    threshold = LIMIT + scatter(bins, size)
    if (row.value if row.low is None else row.low) <= threshold:
        return
    yield Finding(
        rule="miscalibrated",
        severity=Severity.WARNING,
        layers=(),
        measure="calibration-error",
        value=row.value,
        threshold=threshold,
        sentence=f"The network's confidence is off by {share_text(row.value)} on average"
        f"{_direction(bins)}; up to {share_text(threshold)} passes.",
        advice="Divide the logits by a temperature that is fitted on held-out data: the accuracy "
        "stays. On data unlike the training set see the accuracy first.",
    )


def reliability(series: Sequence[Series]) -> list[Bin]:
    """Confidence, accuracy and share of each bin that holds samples."""
    found = next((one for one in series if one.name == "reliability" and not one.layer), None)
    if found is None or len(found.shape) != 2 or found.shape[1] != 3:
        return []
    rows = (found.values[start : start + 3] for start in range(0, len(found.values), 3))
    return [(c, a, s) for c, a, s in rows if c is not None and a is not None and s and s > 0]


def scatter(bins: Sequence[Bin], samples: int) -> float:
    """Calibration error that perfect confidences would read at so many samples.

    >>> scatter([(0.5, 0.5, 1.0)], 100).__round__(3)
    0.04
    """
    if not samples:
        return 0.0
    return sum(
        share * math.sqrt(2 / math.pi * max(c * (1 - c), 0.0) / (share * samples))
        for c, _, share in bins
    )


def _direction(bins: Sequence[Bin]) -> str:
    total = sum(share for *_, share in bins)
    if not total:
        return ""
    confidence = sum(c * share for c, _, share in bins) / total
    accuracy = sum(a * share for _, a, share in bins) / total
    word = "too sure" if confidence > accuracy else "not sure enough"
    return (
        f": it is {word}, mean confidence {share_text(confidence)} at an accuracy of "
        f"{share_text(accuracy)}"
    )


MISCALIBRATED = Rule(
    "miscalibrated",
    "a mean gap between confidence and accuracy above 5 % and what chance brings about",
    ("calibration-error",),
    miscalibrated,
)
