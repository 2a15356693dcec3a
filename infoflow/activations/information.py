"""The information of one site about X or about Y, in every form, with what must stand beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from infoflow.activations.variables import Variable
from infoflow.kernels import gram
from infoflow.measures.activations.joint import Joint, joint
from infoflow.measures.activations.nulls import quadratic_nulls, renyi_null
from infoflow.measures.activations.quadratic import QuadraticInformation
from infoflow.measures.activations.renyi import entropy, is_saturated, joint_entropy
from infoflow.report import Measurement
from infoflow.statistics.intervals import Interval, interval
from infoflow.statistics.permutations import Null

PAPERS_ALPHA = 1.01
PAPERS_SAMPLES = 128
"""REN's mini-batch: the papers' functional depends on n, so that n is theirs."""


@dataclass(frozen=True)
class Papers:
    """The papers' functional of the first samples, in bits."""

    information: float
    entropy: float
    null: Null | None
    samples: int
    saturated: bool


@dataclass(frozen=True)
class Information:
    """What one site says of one variable, in bits.

    Args:
        quadratic: I₂ and its kin.
        within: Its 95 % interval.
        cauchy_schwarz: Interval of I_CS.
        null: Of I₂.
        cauchy_schwarz_null: Of I_CS, where permutations were drawn.
        papers: The papers' functional; None off the chain.
        stability: I₂ at other σ and on thirds of the samples, by name; empty off the chain.
        alignment: Linear CKA of the two.
        words: Kernels and number of samples.
    """

    quadratic: QuadraticInformation
    within: Interval
    cauchy_schwarz: Interval
    null: Null
    cauchy_schwarz_null: Null | None
    papers: Papers | None
    stability: dict[str, float]
    alignment: float
    words: str

    @property
    def reasons(self) -> list[str]:
        """Why the figure cannot be told; empty if it can."""
        found = []
        note = self.quadratic.note
        if note.startswith(("constant", "cannot be told")):
            found.append(note.split(";")[0])
        if not math.isfinite(self.within.value):
            found.append("no number")
        elif self.null.holds(self.within.value):
            found.append("inside its null")
        return found


def information(
    other: Variable, site: Variable, *, permutations: int, seed: int, alpha: float, on_chain: bool
) -> Information:
    """Everything of one pair.

    Args:
        other: X, Y, or the last error signal.
        site: The activations (or the error signal) of the site.
        permutations: How many for the nulls; 0 for the exact moments of I₂'s and no others.
        seed: Of the permutations and of the thirds.
        alpha: Of the papers' functional.
        on_chain: Whether the site is compared along a chain: only then do the papers' functional
            and the stability line stand beside it.
    """
    x, t = other.kernel, site.kernel
    both = joint(other.marginal(seed), site.marginal(seed))
    found = both.quadratic
    drawn = quadratic_nulls(x, t, permutations, seed) if permutations else None
    bowed = interval(float(found.cauchy_schwarz), both.cauchy_schwarz_influence)
    return Information(
        found,
        found.interval(),
        bowed,
        drawn.quadratic if drawn else both.null,
        drawn.cauchy_schwarz if drawn else None,
        _papers(other, site, alpha, permutations, seed) if on_chain else None,
        _stability(both) if on_chain else {},
        both.alignment,
        f"{other.name}: {other.words}; {site.words}; n = {site.samples}",
    )


def _papers(other: Variable, site: Variable, alpha: float, permutations: int, seed: int) -> Papers:
    count = min(site.samples, PAPERS_SAMPLES)
    first = torch.arange(count)
    x, t = gram(other.part(first)), gram(site.part(first))
    own, spread = float(entropy(x, alpha)), float(entropy(t, alpha))
    return Papers(
        own + spread - float(joint_entropy(x, t, alpha=alpha)),
        spread,
        renyi_null(x, t, alpha, permutations, seed) if permutations else None,
        count,
        is_saturated(spread, count) or is_saturated(own, count),
    )


def _stability(both: Joint) -> dict[str, float]:
    found = both.other_widths()
    sizes = both.x.groups.sum(dim=0).tolist()
    for place, (value, size) in enumerate(zip(both.in_groups(), sizes, strict=True)):
        if size > 3:
            found[f"third-{place + 1}"] = value
    return found


def rows(name: str, measure: str, found: Information, *, note: str = "") -> Iterator[Measurement]:
    """All rows of a site's information; ``measure`` is such as ``mutual-information.input``."""
    quadratic = found.quadratic
    method = f"quadratic Rényi, entropy-difference form, without diagonal (α = 2); {found.words}"
    notes = "; ".join([*found.reasons, *([note] if note else []), *_copies(quadratic)])

    def row(
        suffix: str,
        statistic: str,
        value: float,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str = "bits",
        note: str = "",
    ) -> Measurement:
        return number(
            name, measure + suffix, statistic, value,
            unit=unit, low=low, high=high, method=method, note=note,
        )  # fmt: skip

    within, null = found.within, found.null
    yield row("", "value", within.value, low=within.low, high=within.high, note=notes)
    bowed = found.cauchy_schwarz
    yield row("", "cauchy-schwarz", bowed.value, low=bowed.low, high=bowed.high)
    yield row("", "density-matching", float(quadratic.density_matching))
    yield row(".null", "value", null.mean, low=null.low, high=null.high)
    if found.cauchy_schwarz_null is not None:
        other = found.cauchy_schwarz_null
        yield row(".null", "cauchy-schwarz", other.mean, low=other.low, high=other.high)
    yield row(
        ".above-null",
        "value",
        within.value - null.mean,
        low=within.low - null.mean,
        high=within.high - null.mean,
    )
    yield row(".ceiling", "value", float(quadratic.ceiling))
    yield row(".ceiling", "self", float(quadratic.self_t))
    yield row(".ratio", "value", float(quadratic.ratio), unit="share")
    for statistic, value in found.stability.items():
        yield row("", statistic, value)
    if found.papers is not None:
        yield from _papers_rows(name, measure, found.papers)


def _papers_rows(name: str, measure: str, papers: Papers) -> Iterator[Measurement]:
    method = (
        f"matrix-based Rényi, α = {PAPERS_ALPHA:g}, one kernel a site, the same σ; "
        f"n = {papers.samples}"
    )
    note = "saturated" if papers.saturated else ""
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


def _copies(found: QuadraticInformation) -> list[str]:
    return [f"{found.copies} samples repeat another one, which inflates it"] if found.copies else []


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
    words = "−∞" if value == -math.inf else "it does not exist here"
    said = f"{words}: {note}" if note else words
    return Measurement(layer, measure, statistic, None, unit, None, None, method, said)
