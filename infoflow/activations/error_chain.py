"""Error signals as variables: each sample's direction, its magnitude, and δ as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.activations.variables import Variable, continuous, of_distances
from infoflow.kernels import DistanceMatrix, Gaussian
from infoflow.measures.activations.error_signals import directions, log_magnitudes, silent

FORMS = ("error", "error.magnitude", "error.raw")
"""The last part of the measures' names: by direction, by ln‖δ‖, and δ as it is."""


@dataclass(frozen=True)
class Errors:
    """The error signal of a site in every form.

    Args:
        forms: Variable and values (n, …) of each name of `FORMS` that exists.
        norms: (n,), ‖δ‖ of each sample.
        silent: Samples whose δ is exactly 0: they have no ln‖δ‖.
    """

    forms: Mapping[str, tuple[Variable, Tensor]]
    norms: Tensor
    silent: int


def error_variables(
    name: str, errors: Tensor, rule: str | float, reference: Variable | None
) -> Errors:
    """The forms of δ (n, …) under Gaussian kernels.

    Args:
        name: For the reader.
        errors: (n, …).
        rule: Name of a bandwidth rule, or σ itself.
        reference: X, for the rule ``alignment``.
    """
    logs, still = log_magnitudes(errors), int(silent(errors).sum())
    norms = logs.exp()
    turned = directions(errors).flatten(1)
    direction = continuous(name, turned, rule, reference)
    assert isinstance(direction.kernel, Gaussian)
    assert isinstance(direction.kernel.distances, DistanceMatrix)
    dimension = turned.shape[1]
    # ‖x − y‖² = (‖x‖ − ‖y‖)² + ‖x‖‖y‖·‖x/‖x‖ − y/‖y‖‖²: no second product, and no cancellation.
    apart = (norms[:, None] - norms[None, :]).square()
    apart += norms[:, None] * norms[None, :] * direction.kernel.distances.matrix
    raw = of_distances(name, DistanceMatrix(apart), dimension, rule, reference)
    forms = {"error": (direction, turned), "error.raw": (raw, errors)}
    if not still:
        forms["error.magnitude"] = (continuous(name, logs, rule, reference), logs)
    return Errors(forms, norms, still)


def mean_norm(errors: Errors) -> float:
    """Mean of ‖δ‖ over the samples."""
    return float(torch.mean(errors.norms))
