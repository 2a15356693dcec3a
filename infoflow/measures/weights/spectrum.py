"""What the singular values of a layer say at a glance: size, spread, entropy.

For a convolution every figure is *a position*: sums over the pooled singular values of the symbol
are divided by the number of positions, so that layers and grids compare. Entropies of the pooled
spectrum are therefore lower by log(positions) than those of the whole circular operator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from infoflow.measures.measure import Measure
from infoflow.measures.weights.subject import LINEAR, SPECTRAL, Subject
from infoflow.report import Measurement, Series
from infoflow.spectra import Spectrum

RENYI_ORDER = 2.0
POINTS = 256
NOTHING = "every weight is exactly zero"


def stable_rank(spectrum: Spectrum) -> float:
    """‖W‖_F² / ‖W‖₂² = Σ σ² / σ_max². Source: Rudelson & Vershynin 2007, §1."""
    relative = spectrum.values / spectrum.values[0]
    return float(spectrum.weights @ relative**2)


def effective_rank(spectrum: Spectrum) -> float:
    """exp(−Σ p log p), p = σ / Σ σ. Source: Roy & Vetterli 2007, definition 1."""
    return math.exp(shannon(spectrum.values, spectrum.weights))


def von_neumann_entropy(spectrum: Spectrum) -> float:
    """−Σ p log2 p in bits, p = σ² / Σ σ²: of the density matrix WWᵀ / tr WWᵀ. Source: GIR, §2."""
    relative = spectrum.values / spectrum.values[0]
    return shannon(relative**2, spectrum.weights) / math.log(2)


def renyi_entropy(spectrum: Spectrum, order: float = RENYI_ORDER) -> float:
    """log2(Σ p^α) / (1 − α) in bits, p = σ² / Σ σ², α ≠ 1. Source: GIR, definition 2.1."""
    if order == 1:
        raise ValueError("order 1 is von Neumann's entropy")
    squares = (spectrum.values / spectrum.values[0]) ** 2
    share = squares / float(spectrum.weights @ squares)
    return math.log2(float(spectrum.weights @ share**order)) / (1 - order)


def shannon(masses: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """−Σ w p log p in nats, p = m / Σ w m; masses of zero add nothing."""
    share = masses / float(weights @ masses)
    alive = share > 0
    return float(-np.sum(weights[alive] * share[alive] * np.log(share[alive])))


def _row(
    subject: Subject,
    measure: str,
    value: float | None,
    unit: str,
    *,
    method: str = "",
    note: str = "",
) -> Measurement:
    how = ", ".join(filter(None, [method, subject.spectrum.method]))
    return Measurement(subject.layer.name, measure, "value", value, unit, method=how, note=note)


def _is_zero(subject: Subject) -> bool:
    return subject.spectrum.values.size == 0 or not subject.spectrum.values[0] > 0


def _bound(subject: Subject, of: str) -> str:
    if subject.spectrum.exact:
        return ""
    return f"a grid sees a sample of the frequencies: a lower bound of {of} over all of them"


def spectral_norm_rows(subject: Subject) -> Iterator[Measurement]:
    """σ_max: the most that the layer can stretch its input (on the grid named)."""
    largest = 0.0 if _is_zero(subject) else float(subject.spectrum.values[0])
    note = _bound(subject, "the largest") if largest else NOTHING
    yield _row(subject, "spectral-norm", largest, "ratio", note=note)


def stable_rank_rows(subject: Subject) -> Iterator[Measurement]:
    """Σ σ² / σ_max², a position."""
    value = None if _is_zero(subject) else stable_rank(subject.spectrum)
    note = NOTHING if value is None else ""
    if value is not None and not subject.spectrum.exact:
        bound = "this an upper bound" if subject.spectrum.resolved else "this an estimate"
        note = f"a grid sees a sample of the frequencies: σ_max is a lower bound, {bound}"
    yield _row(subject, "stable-rank", value, "count", method="Σσ²/σ_max²", note=note)


def effective_rank_rows(subject: Subject) -> Iterator[Measurement]:
    """Roy & Vetterli's effective rank, a position."""
    value = None if _is_zero(subject) else effective_rank(subject.spectrum)
    note = NOTHING if value is None else ""
    if value is not None and not subject.spectrum.exact:
        note = "a grid sees a sample of the frequencies: an estimate, no bound"
    yield _row(
        subject, "effective-rank", value, "count", method="exp of the entropy of σ/Σσ", note=note
    )


def condition_number_rows(subject: Subject) -> Iterator[Measurement]:
    """σ_max / σ_min over all min(m, n) singular values; none below full rank."""
    name, rank, spectrum = "condition-number", subject.rank, subject.spectrum
    if not rank.is_full:
        yield _row(subject, name, None, "ratio", note=f"∞: {rank.sentence}")
        return
    largest, smallest = float(spectrum.values[0]), float(spectrum.values[-1])
    ratio = largest / smallest if smallest > 0 else math.inf
    if math.isinf(ratio):
        yield _row(subject, name, None, "ratio", note="∞: a frequency of the grid is singular")
        return
    yield _row(
        subject, name, ratio, "ratio", method="σ_max/σ_min", note=_bound(subject, "the ratio")
    )


def von_neumann_rows(subject: Subject) -> Iterator[Measurement]:
    """Von Neumann entropy of the spectrum, a position, in bits."""
    value = None if _is_zero(subject) else von_neumann_entropy(subject.spectrum)
    note = NOTHING if value is None else ""
    yield _row(
        subject, "spectral-entropy.von-neumann", value, "bits", method="p = σ²/Σσ²", note=note
    )


def renyi_rows(subject: Subject) -> Iterator[Measurement]:
    """Rényi entropy of order 2 of the spectrum, a position, in bits."""
    value = None if _is_zero(subject) else renyi_entropy(subject.spectrum)
    note = NOTHING if value is None else ""
    method = f"α = {RENYI_ORDER:g}, p = σ²/Σσ²"
    yield _row(subject, "spectral-entropy.renyi", value, "bits", method=method, note=note)


def spectrum_series(subject: Subject) -> Iterator[Series]:
    """Singular values, descending; at most 256, then evenly spaced quantiles."""
    values, weights = subject.spectrum.values, subject.spectrum.weights
    if values.size > POINTS:
        # The place of each value is the middle of its share of the whole.
        places = (np.cumsum(weights) - weights / 2) / weights.sum()
        values = np.interp(np.linspace(0, 1, POINTS), places, values)
    numbers = tuple(float(v) for v in values)
    note = subject.spectrum.method
    yield Series(subject.layer.name, "spectrum", "ratio", (len(numbers),), numbers, note)


SPECTRAL_NORM = Measure(
    name="spectral-norm",
    symbol="σ_max",
    unit="ratio",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="the most that the layer can stretch an input",
    source="SED (Sedghi, Gupta, Long 2019), theorem 6, for convolutions",
    compute=spectral_norm_rows,
    series=spectrum_series,
)

STABLE_RANK = Measure(
    name="stable-rank",
    symbol="Σσ²/σ_max²",
    unit="count",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="how many directions carry as much as the strongest one; at most the rank",
    source="Rudelson & Vershynin 2007, §1",
    compute=stable_rank_rows,
)

EFFECTIVE_RANK = Measure(
    name="effective-rank",
    symbol="erank",
    unit="count",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="exponential of the entropy of the singular values' shares",
    source="Roy & Vetterli 2007, definition 1",
    compute=effective_rank_rows,
)

CONDITION_NUMBER = Measure(
    name="condition-number",
    symbol="κ",
    unit="ratio",
    needs="spectrum",
    kinds=LINEAR | {"embedding"},
    group="default",
    summary="strongest over weakest direction",
    source="Golub & Van Loan, Matrix Computations, §2.6",
    compute=condition_number_rows,
)

VON_NEUMANN = Measure(
    name="spectral-entropy.von-neumann",
    symbol="S₁",
    unit="bits",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="entropy of the squared singular values' shares",
    source="GIR (Sanchez Giraldo, Rao, Principe 2015), §2, α → 1",
    compute=von_neumann_rows,
)

RENYI = Measure(
    name="spectral-entropy.renyi",
    symbol="S₂",
    unit="bits",
    needs="spectrum",
    kinds=SPECTRAL,
    group="default",
    summary="Rényi entropy of order 2 of the squared singular values' shares",
    source="GIR (Sanchez Giraldo, Rao, Principe 2015), definition 2.1",
    compute=renyi_rows,
)

MEASURES = (SPECTRAL_NORM, STABLE_RANK, EFFECTIVE_RANK, CONDITION_NUMBER, VON_NEUMANN, RENYI)
