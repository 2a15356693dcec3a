"""The papers' functional beside I₂: matrix-based, with its diagonal, of the first samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.activations.request import ActivationRequest
from infoflow.activations.rows import number
from infoflow.activations.variables import Variable
from infoflow.errors import EstimateError
from infoflow.kernels import Indicator, gram
from infoflow.measures.activations.nulls import renyi_null
from infoflow.measures.activations.presets import Preset, preset
from infoflow.measures.activations.renyi import entropy, is_saturated, mutual_information
from infoflow.report import Measurement
from infoflow.statistics.permutations import Null

PAPERS_ALPHA = 1.01
PAPERS_SAMPLES = 128
"""REN's mini-batch: the papers' functional depends on n, so that n is theirs."""


@dataclass(frozen=True)
class Few:
    """A variable's first samples.

    Args:
        gram: Their Gram matrix.
        entropy: S_α of it, in bits.
    """

    gram: Tensor
    entropy: float


@dataclass(frozen=True)
class Papers:
    """The papers' functional of the first samples, in bits."""

    information: float
    entropy: float
    null: Null | None
    samples: int
    saturated: bool
    words: str


@dataclass(frozen=True)
class Form:
    """How the papers' functional is computed.

    Args:
        alpha: Order: positive, 1 and ∞ included.
        name: Of the published convention; empty for the kernels of I₂.
        convention: None for those.
    """

    alpha: float
    name: str = ""
    convention: Preset | None = None

    @classmethod
    def of(cls, request: ActivationRequest) -> Form:
        """What was asked for; an α that was given is taken instead of the preset's.

        Raises:
            EstimateError: There is no such preset, or α is not positive.
        """
        convention = preset(request.preset) if request.preset else None
        alpha = request.alpha
        if alpha is None:
            alpha = PAPERS_ALPHA if convention is None else convention.alpha
        if not alpha > 0:
            raise EstimateError(f"Rényi's α must be positive, not {alpha!r}.")
        return cls(alpha, request.preset, convention)

    @property
    def words(self) -> str:
        """The functional, its order and its kernels."""
        order = f"matrix-based Rényi, α = {alpha_text(self.alpha)}"
        if self.convention is None:
            return f"{order}, one kernel a site, the same σ"
        kernels = "one kernel a map, multiplied" if self.convention.maps else "one kernel a site"
        return f"{order}, preset {self.name}: {self.convention.label}, {kernels}"

    @property
    def wanted(self) -> int:
        """First samples whose values `few` looks at: none without a kernel of its own."""
        return 0 if self.convention is None else PAPERS_SAMPLES

    def few(self, variable: Variable, values: Tensor, reference: Tensor | None = None) -> Few:
        """The first samples of a variable.

        Args:
            variable: All of its samples under the kernel of I₂.
            values: (n, …), from which a preset makes a kernel of its own.
            reference: Gram matrix with which a preset may align.
        """
        count = min(variable.samples, PAPERS_SAMPLES)
        first = values[:count]
        if self.convention is None or isinstance(variable.kernel, Indicator):
            matrix = gram(variable.part(torch.arange(count)))
        elif bool((first == first[:1]).all()):
            matrix = torch.ones(count, count, dtype=torch.float64)
        else:
            mapped = self.convention.maps and first.ndim > 2
            variables = first.unbind(dim=1) if mapped else [first]
            matrix = self.convention.gram(variables, reference)
        return Few(matrix, float(entropy(matrix, self.alpha)))

    def papers(self, x: Few, t: Few, permutations: int, seed: int) -> Papers:
        """I_α of two variables; its null where permutations are drawn."""
        count = len(t.gram)
        return Papers(
            float(mutual_information(x.gram, t.gram, self.alpha)),
            t.entropy,
            renyi_null(x.gram, t.gram, self.alpha, permutations, seed) if permutations else None,
            count,
            is_saturated(t.entropy, count) or is_saturated(x.entropy, count),
            f"{self.words}; n = {count}",
        )


def alpha_text(alpha: float) -> str:
    """α as print has it.

    >>> alpha_text(1.01), alpha_text(math.inf)
    ('1.01', '∞')
    """
    return "∞" if math.isinf(alpha) else f"{alpha:g}"


def papers_rows(name: str, measure: str, papers: Papers) -> Iterator[Measurement]:
    """The functional, its ceiling and its null."""
    note = "saturated" if papers.saturated else ""
    method = papers.words
    yield number(name, measure, "papers", papers.information, method=method, note=note)
    yield number(name, f"{measure}.ceiling", "papers", math.log2(papers.samples), method=method)
    if papers.null is not None:
        null = papers.null
        yield number(
            name, f"{measure}.null", "papers", null.mean, low=null.low, high=null.high,
            method=method,
        )  # fmt: skip
        yield number(
            name, f"{measure}.above-null", "papers", papers.information - null.mean, method=method
        )
