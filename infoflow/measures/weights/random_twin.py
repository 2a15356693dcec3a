"""How far a layer is from a random one: scores against its random twin, and the twin's figures.

The twin is a layer of the same shape with independent weights of the layer's own standard
deviation. Its family is the one that a fresh network of the recognised architecture draws from;
where that is unknown, uniform for weights that are bounded like a uniform draw's, else Gaussian.
A score says how far the layer is from random, not how good it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infoflow.measures.measure import Measure
from infoflow.measures.weights import entropy_change, random_volume
from infoflow.measures.weights.corner import KINDS, Corners, box, corners
from infoflow.measures.weights.twin import twin
from infoflow.measures.weights.twin_slices import FEWEST_SLICES, TWINS, Score, SliceTwin
from infoflow.measures.weights.twin_volumes import log_determinant_twin
from infoflow.report import Measurement

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

_ERRORS = "standard errors"
_CALIBRATED = "; the heavier tail drawn in so that beyond ±4 lies 1 random layer in 10,000"


def _scores(
    subject: Subject, name: str, score: Score | None, what: str, note: str
) -> Iterator[Measurement]:
    """The calibrated score and, beside it, the plain number of standard errors."""
    layer = subject.layer.name
    if score is None:
        yield Measurement(layer, name, "value", None, _ERRORS, note=note)
        return
    method = f"{what}; {twin(subject).method}"
    scaled = method + (_CALIBRATED if score.scaled != score.plain else "")
    yield Measurement(layer, name, "value", score.scaled, _ERRORS, method=scaled, note=note)
    yield Measurement(
        layer, name, "standard-errors", score.plain, _ERRORS, method=method, note=note
    )


def _slices(subject: Subject) -> tuple[SliceTwin | None, Corners, str]:
    """The twin of the slices (None where there is none, and why) and the slices; or a remark."""
    own, found = twin(subject), corners(subject)
    if own.note:
        return None, found, own.note
    if found.finite.size < FEWEST_SLICES:
        return (
            None,
            found,
            f"not computed: {found.finite.size} slices without an exact zero, at least "
            f"{FEWEST_SLICES} are needed",
        )
    note = f"{found.zeros:,} slices whose c₁₁ is exactly zero are left out" if found.zeros else ""
    return TWINS[own.family], found, note


def _z_mean(subject: Subject) -> Iterator[Measurement]:
    name = "random-twin.z-mean"
    if subject.layer.kind == "dense":
        score, note = _dense_score(subject)
        yield from _scores(subject, name, score, "log|det W_sq| less its expectation", note)
        return
    family, found, note = _slices(subject)
    score = None
    if family:
        own, values = twin(subject), found.finite
        score = family.mean_score(float(values.mean()), own.log_scale_live, values.size, own.live)
    yield from _scores(subject, name, score, "mean log|c₁₁| less its expectation", note)


def _dense_score(subject: Subject) -> tuple[Score | None, str]:
    own, found = twin(subject), entropy_change.logdet(subject)
    shape = subject.layer.weight.shape
    if own.note:
        return None, own.note
    if found.value is None:
        return None, f"not computed: log|det| does not exist ({found.note})"
    expected = log_determinant_twin(min(shape), math.prod(shape), own.family)
    if expected is None:
        return None, "no random twin: a single weight"
    return expected.score(found.value, own.log_scale, min(shape)), ""


def _z_spread(subject: Subject) -> Iterator[Measurement]:
    family, found, note = _slices(subject)
    score = None
    if family:
        spread = float(found.finite.std(ddof=1))
        if spread > 0:
            score = family.spread_score(spread, found.finite.size)
        else:
            note = "not computed: log|c₁₁| is the same in every slice"
    what = "log of the standard deviation of log|c₁₁| less its expectation"
    yield from _scores(subject, "random-twin.z-spread", score, what, note)


def _z_outliers(subject: Subject) -> Iterator[Measurement]:
    family, found, note = _slices(subject)
    score = None
    if family:
        tukey, slices = box(found.finite), found.finite.size
        score = family.share_score((tukey.outliers_low + tukey.outliers_high) / slices, slices)
    what = "share of Tukey outliers less its expectation"
    yield from _scores(subject, "random-twin.z-outliers", score, what, note)


def _c11(subject: Subject) -> Iterator[Measurement]:
    layer, name = subject.layer, "random-twin.c11"
    family, found, note = _slices(subject)
    own, unit = twin(subject), "nats a slice"
    if family is None:
        yield Measurement(layer.name, name, "expected-mean", None, unit, note=note)
    else:
        slices, shift = found.finite.size, own.log_scale_live
        q1, median, q3 = (shift + q for q in family.quartiles)
        for statistic, value, its_unit in (
            ("expected-mean", shift + family.mean, unit),
            ("expected-standard-deviation", family.spread, unit),
            ("expected-q1", q1, unit),
            ("expected-median", median, unit),
            ("expected-q3", q3, unit),
            ("expected-outlier-share", family.expected_share(slices), "share"),
        ):
            yield Measurement(layer.name, name, statistic, value, its_unit, method=own.method)
    fresh = layer.initialisation
    if fresh and fresh.family in TWINS and fresh.scale > 0:
        deviation = fresh.scale / math.sqrt(3) if fresh.family == "uniform" else fresh.scale
        mean = math.log(deviation) + TWINS[fresh.family].mean
        method = f"mean log|c₁₁| of a fresh network: {fresh.family}, scale {fresh.scale:.4g}"
        yield Measurement(layer.name, name, "initialisation-mean", mean, unit, method=method)


_DENSE = frozenset({"dense"})

MEASURES = (
    Measure(
        name="random-twin.z-mean",
        symbol="random z",
        unit=_ERRORS,
        needs="weights",
        kinds=KINDS | _DENSE,
        group="default",
        summary="distance of the mean log|c₁₁|, or of log|det W|, from a random layer's",
        source="ENT Figure 1, right panel, in closed form (infoflow)",
        compute=_z_mean,
    ),
    Measure(
        name="random-twin.z-spread",
        symbol="z spread",
        unit=_ERRORS,
        needs="weights",
        kinds=KINDS,
        group="default",
        summary="distance of the standard deviation of log|c₁₁| from a random layer's",
        source="ENT Figure 1, right panel, in closed form (infoflow)",
        compute=_z_spread,
    ),
    Measure(
        name="random-twin.z-outliers",
        symbol="z outliers",
        unit=_ERRORS,
        needs="weights",
        kinds=KINDS,
        group="default",
        summary="distance of the share of Tukey outliers of log|c₁₁| from a random layer's",
        source="ENT Figure 1, right panel, in closed form (infoflow)",
        compute=_z_outliers,
    ),
    Measure(
        name="random-twin.c11",
        symbol="random log|c₁₁|",
        unit="nats a slice",
        needs="weights",
        kinds=KINDS,
        group="default",
        summary="what log|c₁₁| looks like in a random layer of the same standard deviation",
        source="ENT Figure 1, right panel, in closed form (infoflow)",
        compute=_c11,
    ),
    *random_volume.MEASURES,
)
