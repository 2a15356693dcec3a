"""A row of a report from any number, finite or not."""

from __future__ import annotations

import math

from infoflow.report import Measurement


def number(
    layer: str,
    measure: str,
    statistic: str,
    value: float,
    *,
    unit: str = "bits",
    low: float | None = None,
    high: float | None = None,
    method: str = "",
    note: str = "",
) -> Measurement:
    """A row; a number that is not finite becomes None with a note."""
    if math.isfinite(value):
        low, high = (None if x is None or not math.isfinite(x) else x for x in (low, high))
        return Measurement(layer, measure, statistic, value, unit, low, high, method, note)
    said = note or "it does not exist here"
    if math.isinf(value):
        sign = "−∞" if value < 0 else "∞"
        said = f"{sign}: {note}" if note else sign
    return Measurement(layer, measure, statistic, None, unit, None, None, method, said)
