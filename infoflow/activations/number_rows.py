"""Outputs that are numbers, as rows: how far they are from their targets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from infoflow.activations.outputs import NETWORK, ends
from infoflow.activations.rows import number
from infoflow.measures.outputs.regression import Regression
from infoflow.report import Measurement

CONSTANT = "the targets are constant: there is no variance to explain"


def rows(found: Regression) -> Iterator[Measurement]:
    """Mean squared and mean absolute error with 95 % intervals over samples, and R²."""
    method = f"mean over the numbers of a sample, then over samples; n = {found.samples}"

    def error(measure: str, values: Tensor, unit: str) -> Measurement:
        low, high = ends(values)
        value = float(values.mean())
        return number(
            NETWORK, measure, "value", value, unit=unit, low=low, high=high, method=method
        )

    yield error("mean-squared-error", found.squared, "squared units of the targets")
    yield error("mean-absolute-error", found.absolute, "units of the targets")
    row = partial(Measurement, NETWORK, "explained-variance", "value")
    share = found.explained_variance
    method = f"1 - sum of squared errors over that about the mean; n = {found.samples}"
    yield row(share, "share", method=method, note="" if share is not None else CONSTANT)
