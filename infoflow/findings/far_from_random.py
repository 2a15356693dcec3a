"""Layers that no random draw explains: where training has left its mark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from infoflow.findings.rule import Rule, figure, measured
from infoflow.report import Finding, Report, Severity
from infoflow.words import counted, listed

FAMILY_RATE = 0.01
"""How often a whole network of random layers may be reported."""

_SCORES = {
    "random-twin.z-mean": "mean",
    "random-twin.z-spread": "spread",
    "random-twin.z-outliers": "outliers",
}
_QUIET = (
    " In {} of {} the mean of log|c₁₁| lies below: the kernel's weight is away from its corner."
)
_CALIBRATED = 4.0
_DECAY = 2.3


@dataclass(frozen=True)
class Score:
    """One number of standard errors: whose, of which measure, in a word what of."""

    layer: str
    measure: str
    word: str
    z: float


def score_limit(scores: int) -> float:
    """Limit of |z| for so many scores, at a family rate of 1 % (Bonferroni, two sides).

    The normal quantile up to 4, where the scores' tails are calibrated. Beyond, the tail is taken
    to fall like exp(−2.3z), more slowly than any of the scores' does, so that the rate holds for
    any number of layers.
    """
    rate = FAMILY_RATE / max(scores, 1)
    limit = -NormalDist().inv_cdf(rate / 2)
    if limit <= _CALIBRATED:
        return limit
    return _CALIBRATED + math.log(2 * NormalDist().cdf(-_CALIBRATED) / rate) / _DECAY


def far_from_random(report: Report) -> Iterator[Finding]:
    """Layers with a score of ``random-twin`` beyond the limit for all scores of the network.

    ``layers`` are these layers, ``value`` is the largest |z| among them (its sign is in the
    sentence) and ``threshold`` the limit of |z|.
    """
    scores = [
        Score(layer.name, measure, "log|det|" if layer.kind == "dense" else word, value)
        for measure, word in _SCORES.items()
        for layer, _, value in measured(report, measure)
    ]
    limit = score_limit(len(scores))
    worst: dict[str, Score] = {}
    for score in scores:
        if abs(score.z) > limit and (
            score.layer not in worst or abs(score.z) > abs(worst[score.layer].z)
        ):
            worst[score.layer] = score
    if not worst:
        return
    found = [worst[layer.name] for layer in report.layers if layer.name in worst]
    farthest = max(found, key=lambda score: abs(score.z))
    looked_at = counted(len({score.layer for score in scores}), "layer")
    told = listed([f"{score.layer} ({score.word} {figure(score.z)})" for score in found])
    verb = "is" if len(found) == 1 else "are"
    quiet = sum(score.word == "mean" and score.z < -limit for score in scores)
    yield Finding(
        rule="far-from-random",
        severity=Severity.NOTE,
        layers=tuple(score.layer for score in found),
        measure=farthest.measure,
        value=abs(farthest.z),
        threshold=limit,
        sentence=f"{len(found):,} of {looked_at} {verb} unlike independent random weights, in "
        f"standard errors: {told} (limit ±{limit:.1f}, for {counted(len(scores), 'score')})."
        + (_QUIET.format(quiet, "them" if len(found) > 1 else "1") if quiet else ""),
        advice="This is what training does, and no fault. Read the exact log-volume of these "
        "layers beside log|c₁₁| and log|det|, which look at a part of the weight only.",
    )


FAR_FROM_RANDOM = Rule(
    "far-from-random",
    "layers unlike independent random weights, at 1 % for the whole network",
    tuple(_SCORES),
    far_from_random,
)
