"""Published ways of computing the matrix-based functional: kernel, σ, α and unit, by name.

The papers and their codes disagree in all of these, so that each is part of a figure's label.
Figures are given in bits whatever the source's unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import (
    Indicator,
    bandwidth,
    gram,
    points,
    product_of_gaussians,
    squared_distances,
    standardised,
)
from infoflow.measures.activations.renyi import mutual_information

Width = Callable[[Tensor, Tensor | None], float]
"""From features (n, d), and a Gram matrix to align with if any, to σ of exp(−‖x − y‖²/(2σ²))."""


@dataclass(frozen=True)
class Preset:
    """A published convention.

    Args:
        source: Paper or repository, and where in it.
        label: Kernel and σ as the source writes them, for the figure's label.
        width: σ in infoflow's convention, from the features of one variable.
        standardise: Whether features are brought to mean 0 and variance 1 first.
        alpha: Order.
        maps: Whether each map of a convolution is a variable with a kernel of its own.
    """

    source: str
    label: str
    width: Width
    standardise: bool = False
    alpha: float = 1.01
    maps: bool = False

    def gram(self, variables: Sequence[Tensor], reference: Tensor | None = None) -> Tensor:
        """The joint Gram matrix (n, n) of one or several variables (n, …), such as maps.

        Args:
            variables: Each gets its own σ; their Gram matrices are multiplied.
            reference: Gram matrix (n, n) that an aligning rule aligns with.
        """
        features = [standardised(x) if self.standardise else points(x).features for x in variables]
        widths = [self.width(x, reference) for x in features]
        return gram(product_of_gaussians(features, widths))

    def information(
        self, x: Sequence[Tensor], t: Sequence[Tensor], labels: Tensor | None = None
    ) -> Tensor:
        """I(X; T) in bits.

        Args:
            x: One or several variables (n, …).
            t: Likewise.
            labels: (n,), with which an aligning rule aligns T; with X where there are none.
        """
        first = self.gram(x)
        reference = first if labels is None else gram(Indicator(labels))
        return mutual_information(first, self.gram(t, reference), self.alpha)


def preset(name: str) -> Preset:
    """A convention by its name.

    Raises:
        EstimateError: The name is unknown.
    """
    if name not in PRESETS:
        raise EstimateError(f"No preset is called {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name]


def _by_rule(rule: str, factor: float) -> Width:
    """σ by one of infoflow's rules."""

    def width(x: Tensor, reference: Tensor | None) -> float:
        return bandwidth(rule, squared_distances(x), x.shape[1], factor=factor).sigma

    return width


def _aligned(x: Tensor, reference: Tensor | None) -> float:
    rule = "median" if reference is None else "alignment"
    return bandwidth(rule, squared_distances(x), x.shape[1], reference=reference).sigma


def _ten_columns(x: Tensor, reference: Tensor | None) -> float:
    # The source sorts the first ten columns where it means the ten nearest; exp(−d²/σ²) has √2 σ.
    return float(squared_distances(x)[:, :10].sqrt().mean()) / math.sqrt(2)


PRESETS: Mapping[str, Preset] = {
    "ren": Preset(
        "Yu, Jenssen, Principe: Understanding convolutional neural network training with "
        "information theory, forward pass",
        "exp(−d²/(2σ²)), σ = 5·n^(−1/(1+d))",
        _by_rule("silverman-printed", 5.0),
        maps=True,
    ),
    "ren-error": Preset(
        "Yu, Jenssen, Principe: Understanding convolutional neural network training with "
        "information theory, error signals",
        "exp(−d²/(2σ²)), σ = 0.1·n^(−1/(1+d))",
        _by_rule("silverman-printed", 0.1),
        maps=True,
    ),
    "gir": Preset(
        "Sanchez Giraldo, Rao, Principe: Measures of entropy from data using infinitely "
        "divisible kernels",
        "exp(−d²/(2σ²)), σ = 5·n^(−1/(4+d)) (the rule's form; 5 is REN's)",
        _by_rule("silverman", 5.0),
    ),
    "tapia": Preset(
        "Tapia, Estévez: On the information plane of autoencoders (nicolasigor/entropy)",
        "exp(−d²/(2σ²)), standardised features, σ = √d·n^(−1/(4+d)), nats",
        _by_rule("scaled", 1.0),
        standardise=True,
    ),
    "ipdl": Preset(
        "Wickstrøm and others: Information plane analysis of deep neural networks via "
        "matrix-based Renyi's entropy and tensor kernels, as in SolidusAbi/IPDL, for one batch "
        "(without its average over batches)",
        "exp(−d²/σ²), σ of X by the median, σ of T by kernel alignment with the labels, α = 1",
        _aligned,
        alpha=1.0,
    ),
    "brain-ib": Preset(
        "SJYuCNEL/brain-and-Information-Bottleneck, BrainIB_V1/main.py",
        "exp(−d²/σ²), σ the mean distance to the first ten samples of the batch",
        _ten_columns,
    ),
}
"""Every convention by its name."""
