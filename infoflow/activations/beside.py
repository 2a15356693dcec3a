"""What stands beside a site's information: alignment (CKA), a linear probe, its own entropy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from infoflow.activations.information import Information
from infoflow.activations.rows import number
from infoflow.activations.variables import Variable
from infoflow.kernels import Distances, Gaussian
from infoflow.measures.activations.probe import probe_of_distances
from infoflow.report import Measurement

PROBE_SAMPLES = 2000
"""Samples that a linear probe sees at most, whose time is their cube."""


def aligned(name: str, measure: str, found: Information) -> Measurement:
    """Linear CKA of a site with X or Y."""
    method = "linear CKA; of labels with the indicator kernel"
    if "standardised" in found.words:
        method += "; features standardised"
    return number(name, measure, "value", found.alignment, unit="share", method=method)


def _distances(variable: Variable) -> Distances:
    assert isinstance(variable.kernel, Gaussian)
    return variable.kernel.distances


def probe(t: Variable, targets: Tensor, seed: int) -> Iterator[Measurement]:
    """The accuracy of a linear probe for the labels."""
    chosen = torch.arange(min(t.samples, PROBE_SAMPLES))
    found = probe_of_distances(_distances(t).between(chosen, chosen), targets[chosen], seed)
    method = (
        f"ridge regression trained on half of the samples, its penalty by leaving one out; "
        f"chance {found.chance:.3g}; "
        f"n = {found.held_out} held out"
    )
    yield number(
        t.name, "probe-accuracy", "value", found.accuracy, unit="share", low=found.low,
        high=found.high, method=method,
    )  # fmt: skip


def entropies(t: Variable, found: Information) -> Iterator[Measurement]:
    """The entropy of a site, quadratic and, on the chain, the papers'."""
    method = f"quadratic Rényi, without diagonal (α = 2); {t.words}; n = {t.samples}"
    yield number(t.name, "renyi-entropy", "value", float(found.quadratic.entropy_t), method=method)
    if found.papers is not None:
        papers = found.papers
        yield number(t.name, "renyi-entropy", "papers", papers.entropy, method=papers.words)
