"""Error signals as variables: each sample's direction, its magnitude, and δ as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.activations.variables import Variable, continuous, of_distances
from infoflow.kernels import Gaussian, Lengthened, points
from infoflow.measures.activations.error_signals import directions, log_magnitudes

FORMS = ("error", "error.magnitude", "error.raw")
"""The last part of the measures' names: by direction, by ln‖δ‖, and δ as it is."""
AT_ONCE = 16
"""Samples whose lengths are taken together."""


@dataclass(frozen=True)
class Errors:
    """The error signal of a site in every form.

    Args:
        forms: Variable and first values of each name of `FORMS` that exists.
        norms: (n,), ‖δ‖ of each sample.
        silent: Samples whose δ is exactly 0: they have no ln‖δ‖.
    """

    forms: Mapping[str, tuple[Variable, Tensor]]
    norms: Tensor
    silent: int


def error_variables(
    name: str, errors: Tensor, rule: str | float, reference: Variable | None, few: int
) -> Errors:
    """The forms of δ (n, …) under Gaussian kernels.

    Args:
        name: For the reader.
        errors: (n, …).
        rule: Name of a bandwidth rule, or σ itself.
        reference: X, for the rule ``alignment``.
        few: First samples whose values are wanted besides the variables.
    """
    # Some samples at a time: no float64 copy of a whole site is made.
    logs = torch.cat([log_magnitudes(few) for few in torch.split(errors, AT_ONCE)])
    norms = logs.exp()
    still = int((norms == 0).sum())
    lengths = torch.where(norms > 0, norms, 1.0)
    direction = continuous(name, errors, rule, reference, lengths=lengths)
    assert isinstance(direction.kernel, Gaussian)
    apart = Lengthened(direction.kernel.distances, norms)
    raw = of_distances(name, apart, errors[0].numel(), rule, reference)
    first = errors[:few]
    forms = {"error": (direction, directions(first)), "error.raw": (raw, first)}
    if not still:
        forms["error.magnitude"] = (of_distances(name, points(logs), 1, rule, reference), logs)
    return Errors(forms, norms, still)


def mean_norm(errors: Errors) -> float:
    """Mean of ‖δ‖ over the samples."""
    return float(torch.mean(errors.norms))
