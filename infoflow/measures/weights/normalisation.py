"""Entropy change of a normalisation layer: a diagonal map, so a sum of logarithms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.measures.measure import Measure
from infoflow.report import MINUS_INFINITY, Measurement

if TYPE_CHECKING:
    from infoflow.layers import Normalisation
    from infoflow.measures.weights.subject import Subject

_NAME = "entropy-change.normalisation"


def channel_scales(normalisation: Normalisation) -> np.ndarray[Any, Any]:
    """γ/√(running_var + ε) of every channel in evaluation mode; γ where no variance is kept."""
    gamma = np.asarray(normalisation.gamma, dtype=np.float64).ravel()
    if normalisation.variance is None:
        return gamma
    variance = np.asarray(normalisation.variance, dtype=np.float64).ravel()
    with np.errstate(invalid="ignore", divide="ignore"):
        scales: np.ndarray[Any, Any] = gamma / np.sqrt(variance + normalisation.epsilon)
    return scales


def _compute(subject: Subject) -> Iterator[Measurement]:
    layer, normalisation = subject.layer, subject.layer.normalisation

    def row(statistic: str, value: float | None, unit: str, note: str = "") -> Measurement:
        return Measurement(layer.name, _NAME, statistic, value, unit, method=method, note=note)

    if normalisation is None:
        method = ""
        yield row("value", None, "nats", "not computed: neither scale nor variance is in the file")
        return
    scales = channel_scales(normalisation)
    method = (
        "Σ log|γ| over channels: the data-dependent part, −Σ log of the standard deviation, "
        "is left out"
        if normalisation.variance is None
        else f"Σ log|γ/√(running_var + {normalisation.epsilon:g})| over channels"
    )
    if broken := int(np.count_nonzero(~np.isfinite(scales))):
        yield row(
            "value",
            None,
            "nats",
            f"not computed: γ/√(running_var + ε) is NaN or infinite in {broken} of "
            f"{scales.size} channels",
        )
        return
    zeros = int(np.count_nonzero(scales == 0))
    if zeros:
        note = f"{MINUS_INFINITY}: γ is exactly zero in {zeros} of {scales.size} channels"
        yield row("value", None, "nats", note)
    else:
        yield row("value", float(np.log(np.abs(scales)).sum()), "nats")
    yield row("zeros", zeros, "count")


MEASURES = (
    Measure(
        name=_NAME,
        symbol="Σ log|γ/σ|",
        unit="nats",
        needs="weights",
        kinds=frozenset({"normalisation"}),
        group="paper",
        summary="entropy change of a normalisation in evaluation mode, at one position",
        source="change of variables for a diagonal map (ENT eq. 2)",
        compute=_compute,
    ),
)
