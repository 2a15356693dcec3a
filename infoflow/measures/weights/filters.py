"""Filters that carry nothing, next to nothing, or nothing of their own: counts with indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infoflow.measures.measure import Measure
from infoflow.measures.weights.filter_copies import copies, copy_tolerance
from infoflow.measures.weights.filter_facts import (
    facts_of,
    filter_array,
    negligible,
    negligible_inputs,
)
from infoflow.measures.weights.filter_outliers import SMALLEST, outliers
from infoflow.measures.weights.filter_pictures import filter_norms, filter_similarity
from infoflow.report import Measurement
from infoflow.spectra.rank import machine_epsilon
from infoflow.spectra.sides import SINGLE
from infoflow.words import cut

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

_KINDS = frozenset({"dense", "convolution", "transposed convolution"})
_NAMED = 12


def dead(subject: Subject) -> Iterator[Measurement]:
    """Output filters whose every weight is exactly zero, and input channels that are never read.

    Statistic ``value`` counts filters (rows of a dense layer), ``dead-inputs`` input channels
    (columns; of every group), both among all of the layer.
    """
    facts = facts_of(subject)
    groups, rows, channels, _ = filter_array(subject.layer).shape
    yield _count(subject, "filters.dead", facts.dead, groups * rows, "every weight is exactly zero")
    yield _count(
        subject,
        "filters.dead",
        facts.dead_inputs,
        groups * channels,
        "input channels whose every weight is exactly zero",
        statistic="dead-inputs",
    )


def negligible_filters(subject: Subject) -> Iterator[Measurement]:
    """Output filters whose norm is not zero but below ε times the largest norm of the layer.

    ε is the stored type's, and float32's for narrower ones, whose numbers have exponents of
    their own; beside the longest filter such a one is rounding. Statistic ``negligible-inputs``:
    input channels (of every group) whose largest weight is above 0 and below ε of the layer's.
    """
    facts = facts_of(subject)
    epsilon = _fine(subject)
    name, found, inputs = "filters.negligible", negligible(facts, epsilon), facts.largest_of_input
    method = f"norm above 0 and below {epsilon:.3g} of the largest norm"
    yield _count(subject, name, found, facts.norms.size, method)
    found = negligible_inputs(facts, epsilon)
    method = f"input channels whose largest weight is above 0, below {epsilon:.3g} of the layer's"
    yield _count(subject, name, found, inputs.size, method, statistic="negligible-inputs")


def duplicate(subject: Subject) -> Iterator[Measurement]:
    """Output filters that repeat an earlier one of their group, up to a factor of either sign.

    Two filters are copies where |cosine| > 1 − 10⁻⁶ (less strictly in 16-bit types and
    more so in few dimensions: see `filter_copies.copy_tolerance`). The value counts the filters
    that could go: of three copies, two. Zero filters are not counted.
    """
    layer = subject.layer
    _, rows, channels, taps = filter_array(layer).shape
    name = "filters.duplicate"
    if channels * taps < 2:
        note = "not computed: each filter is a single number, so that all are proportional"
        yield Measurement(layer.name, name, "value", None, "count", note=note)
        return
    groups = copies(layer, facts_of(subject))
    cosine = copy_tolerance(rows, channels * taps, machine_epsilon(layer.dtype)) ** 2 / 2
    yield Measurement(
        layer.name,
        name,
        "value",
        float(sum(len(group) - 1 for group in groups)),
        "count",
        method=f"|cosine| with an earlier filter of the group above 1 − {cosine:.2g}",
        note=cut([" = ".join(map(str, _shortened(group))) for group in groups], _NAMED),
    )


def dependent(subject: Subject) -> Iterator[Measurement]:
    """Output filters that take part in a linear dependence, beyond dead ones and copies.

    From the layer's rank. A combination cannot be told from its parts, so all of them count.
    """
    rank = subject.rank
    transposed = subject.layer.kind == "transposed convolution"
    found = rank.dependent_columns if transposed else rank.dependent_rows
    yield Measurement(
        subject.layer.name,
        "filters.dependent",
        "value",
        float(len(found)),
        "count",
        method="output channels in a linear dependence, by the tolerance of the rank",
        note=cut([str(i) for i in found], _NAMED),
    )


def outlier(subject: Subject) -> Iterator[Measurement]:
    """Output filters whose norm stands out: robust z of log-norm beyond 5 or more.

    The limits (in ``method``) are at least 5 and such that one layer in 10,000 of independent
    Gaussian weights has an outlier at all: see `filter_outliers.outlier_limits`. Statistic
    ``value`` counts them, ``below`` the short ones and ``above`` the long ones.
    """
    layer = subject.layer
    facts = facts_of(subject)
    _, _, channels, taps = filter_array(layer).shape
    found = outliers(facts, channels * taps, _fine(subject))
    if found is None:
        note = (
            f"not judged: under {SMALLEST} filters above the stored precision, "
            "or at least half of their norms are equal"
        )
        yield Measurement(layer.name, "filters.outlier", "value", None, "count", note=note)
        return
    listed = [
        (ratio, f"{index} ({ratio:.3g} times the median norm)")
        for index, ratio in zip(found.indices, found.ratios, strict=True)
    ]
    method = (
        f"log-norm beyond {found.low:.1f} or {found.high:+.1f} robust standard deviations "
        "from the median"
    )
    for statistic, chosen in (
        ("value", listed),
        ("below", [entry for entry in listed if entry[0] < 1]),
        ("above", [entry for entry in listed if entry[0] > 1]),
    ):
        yield Measurement(
            layer.name,
            "filters.outlier",
            statistic,
            float(len(chosen)),
            "count",
            method=method,
            note=cut([name for _, name in chosen], _NAMED),
        )


def _fine(subject: Subject) -> float:
    """ε of the stored type, at most that of float32."""
    return min(machine_epsilon(subject.layer.dtype), SINGLE)


def _count(
    subject: Subject,
    measure: str,
    indices: Sequence[int],
    total: int,
    method: str,
    *,
    statistic: str = "value",
) -> Measurement:
    return Measurement(
        subject.layer.name,
        measure,
        statistic,
        float(len(indices)),
        "count",
        method=f"{method}; of {total:,}",
        note=cut([str(i) for i in indices], _NAMED),
    )


def _shortened(group: Sequence[int]) -> Sequence[int | str]:
    return group if len(group) <= _NAMED else [*group[:_NAMED], "…"]


DEAD = Measure(
    name="filters.dead",
    symbol="dead filters",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="output filters, and input channels, whose every weight is exactly zero",
    source="infoflow",
    compute=dead,
    series=filter_norms,
)

NEGLIGIBLE = Measure(
    name="filters.negligible",
    symbol="negligible filters",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="output filters, and input channels, whose weights are rounding beside the largest",
    source="infoflow",
    compute=negligible_filters,
)

DUPLICATE = Measure(
    name="filters.duplicate",
    symbol="duplicate filters",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="output filters that repeat an earlier one up to a factor",
    source="infoflow",
    compute=duplicate,
    series=filter_similarity,
)

DEPENDENT = Measure(
    name="filters.dependent",
    symbol="dependent filters",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="output filters that are linear combinations of others",
    source="infoflow",
    compute=dependent,
)

OUTLIER = Measure(
    name="filters.outlier",
    symbol="outlier filters",
    unit="count",
    needs="weights",
    kinds=_KINDS,
    group="default",
    summary="output filters whose norm stands out from the layer's others",
    source="infoflow; robust z of log-norms, limits from χ² quantiles",
    compute=outlier,
)

MEASURES = (DEAD, NEGLIGIBLE, DUPLICATE, DEPENDENT, OUTLIER)
