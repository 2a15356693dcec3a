"""An ensemble as rows: each member, the whole, what they are unsure of and what they differ on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from infoflow.activations import outputs
from infoflow.activations.rows import number
from infoflow.activations.together import Together
from infoflow.data import Data
from infoflow.report import Measurement, Series

OF_MEMBERS = frozenset(
    {"accuracy", "negative-log-likelihood", "calibration-error", "predictive-entropy", "perplexity"}
)
"""Measures that each member has for itself."""


def rows(found: Together, names: Sequence[str], data: Data) -> Iterator[Measurement]:
    """The ensemble's rows (layer ``""``), then each member's, then the pairs'."""
    method = f"n = {data.samples}"
    yield from outputs.rows(found.whole, data)
    expected = f"mean over {len(names)} members; {method}"
    yield from outputs.means("expected-entropy", finite(found.expected), expected)
    less = f"total less expected entropy, as mean of KL(member‖mean) over members; {method}"
    yield from outputs.means("disagreement", finite(found.disagreement), less)
    for name, member in zip(names, found.members, strict=True):
        for row in outputs.rows(member, data):
            if row.measure in OF_MEMBERS and not row.statistic.startswith("class "):
                yield replace(row, layer=name)
    for (first, second), values in found.divergences.items():
        yield _divergence(names[first], names[second], values, method)


def series(found: Together, names: Sequence[str]) -> Iterator[Series]:
    """Reliability and confidences of the ensemble and of each member."""
    yield from outputs.series(found.whole)
    for name, member in zip(names, found.members, strict=True):
        for one in outputs.series(member):
            yield replace(one, layer=name)


def finite(values: Tensor) -> Tensor:
    """The samples of which a position counts."""
    return values[~values.isnan()]


def _divergence(first: str, second: str, values: Tensor, method: str) -> Measurement:
    kept = finite(values)
    method = f"mean over samples of Σ p (ln p − ln q), p of the row's network; {method}"
    value = float(kept.mean())
    low, high = outputs.ends(kept) if kept.isfinite().all() else (None, None)
    lost = int((~kept.isfinite()).sum())
    note = f"{second} gives {lost} samples a class the probability 0" if lost else ""
    return number(
        first, "kl-divergence", f"to {second}", value, unit="nats", low=low, high=high,
        method=method, note=note,
    )  # fmt: skip
