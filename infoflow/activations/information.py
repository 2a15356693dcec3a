"""The information of one site about X or about Y, in every form, with what must stand beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from infoflow.activations.papers import Papers, papers_rows
from infoflow.activations.rows import number
from infoflow.activations.variables import Variable
from infoflow.measures.activations.joint import Joint, joint
from infoflow.measures.activations.nulls import quadratic_nulls
from infoflow.measures.activations.quadratic import QuadraticInformation
from infoflow.report import Measurement
from infoflow.statistics.intervals import Interval, interval
from infoflow.statistics.permutations import Null

SIGMAS = {"half-sigma": 0.5, "double-sigma": 2.0}
ALIKE = 1e-3
"""S₂ in bits below which a kernel is saturated: the mean of its squares is above 0.9993."""
FORM = "quadratic Rényi, entropy-difference form, without diagonal (α = 2)"


@dataclass(frozen=True)
class Variant:
    """I₂ under other circumstances: its bits, its share of the ceiling, and the circumstances."""

    value: float
    ratio: float
    words: str


@dataclass(frozen=True)
class Information:
    """What one site says of one variable, in bits.

    Args:
        quadratic: I₂ and its kin.
        within: Its 95 % interval.
        ratio: I₂ over its ceiling, with its interval: what compares sites.
        ratio_influence: (n,) of each sample on that ratio.
        cauchy_schwarz: Interval of I_CS.
        null: Of I₂.
        cauchy_schwarz_null: Of I_CS, where permutations were drawn.
        papers: The papers' functional; None where it was not asked for.
        stability: I₂ at other σ and on thirds of the samples, by name; empty where not asked for.
        alignment: Linear CKA of the two.
        words: Kernels and number of samples.
    """

    quadratic: QuadraticInformation
    within: Interval
    ratio: Interval
    ratio_influence: Tensor
    cauchy_schwarz: Interval
    null: Null
    cauchy_schwarz_null: Null | None
    papers: Papers | None
    stability: dict[str, Variant]
    alignment: float
    words: str

    @property
    def reasons(self) -> list[str]:
        """Why the figure cannot be told; empty if it can."""
        found = []
        note = self.quadratic.note
        constant = note.startswith("constant")
        if constant or note.startswith("cannot be told"):
            found.append(note.split(";")[0])
        spread = (self.quadratic.entropy_x, self.quadratic.entropy_t)
        if not constant and float(min(spread)) < ALIKE:
            found.append("saturated: at this σ all samples look alike")
        if not (math.isfinite(self.within.value) and math.isfinite(self.ratio.value)):
            found.append("no number")
        elif self.null.holds(self.within.value):
            found.append("inside its null")
        return found


def information(
    other: Variable,
    site: Variable,
    *,
    permutations: int,
    seed: int,
    papers: Papers | None,
    steady: bool,
) -> Information:
    """Everything of one pair.

    Args:
        other: X, Y, or the last error signal.
        site: The activations (or the error signal) of the site.
        permutations: How many for the nulls; 0 for the exact moments of I₂'s and no others.
        seed: Of the permutations and of the thirds.
        papers: The papers' functional of the same pair, None where it is not wanted.
        steady: Whether the stability line is wanted.
    """
    x, t = other.kernel, site.kernel
    both = joint(other.marginal(seed), site.marginal(seed))
    found = both.quadratic
    drawn = quadratic_nulls(x, t, permutations, seed) if permutations else None
    bowed = interval(float(found.cauchy_schwarz), both.cauchy_schwarz_influence)
    return Information(
        found,
        found.interval(),
        interval(float(found.ratio), both.ratio_influence),
        both.ratio_influence,
        bowed,
        drawn.quadratic if drawn else both.null,
        drawn.cauchy_schwarz if drawn else None,
        papers,
        _stability(both) if steady else {},
        both.alignment,
        f"{other.name}: {other.words}; {site.words}; n = {site.samples}",
    )


def _stability(both: Joint) -> dict[str, Variant]:
    found = {
        name: Variant(*figures, f"{FORM}; every σ times {SIGMAS[name]:g}; n = {both.x.samples}")
        for name, figures in both.other_widths().items()
    }
    sizes = both.x.groups.sum(dim=0).int().tolist()
    for place, (figures, size) in enumerate(zip(both.in_groups(), sizes, strict=True), start=1):
        if size > 3:
            words = f"{FORM}; the σ of all samples; third {place} of them, n = {size}"
            found[f"third-{place}"] = Variant(*figures, words)
    return found


def rows(name: str, measure: str, found: Information, *, note: str = "") -> Iterator[Measurement]:
    """All rows of a site's information; ``measure`` is such as ``mutual-information.input``."""
    quadratic = found.quadratic
    method = f"{FORM}; {found.words}"
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
    ratio = found.ratio
    yield row(".ratio", "value", ratio.value, unit="share", low=ratio.low, high=ratio.high)
    for statistic, variant in found.stability.items():
        yield number(name, measure, statistic, variant.value, method=variant.words)
        yield number(
            name, f"{measure}.ratio", statistic, variant.ratio, unit="share", method=variant.words
        )
    if found.papers is not None:
        yield from papers_rows(name, measure, found.papers)


def _copies(found: QuadraticInformation) -> list[str]:
    return [f"{found.copies} samples repeat another one, which inflates it"] if found.copies else []
