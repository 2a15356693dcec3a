"""A trained network that does no better than chance: its input is probably prepared wrongly."""

from __future__ import annotations

from collections.abc import Iterator

from infoflow.findings.far_from_random import far_from_random
from infoflow.findings.rule import Rule
from infoflow.findings.sites import share_text
from infoflow.report import Finding, Report, Severity

NEAR = 0.1
"""Part of the way from chance to perfect up to which an accuracy counts as near chance."""


def wrong_preprocessing(report: Report) -> Iterator[Finding]:
    """A classifier near chance although its weights are unlike random ones.

    Near chance: at most `NEAR` of the way up from it, with an interval that reaches it. Where
    nothing tells trained weights from random ones, the finding is a note.
    """
    row = report.row("", "accuracy")
    data = report.data
    if data is None or data.task != "classification" or len(data.classes) < 2:
        return
    if row is None or row.value is None:
        return
    chance = 1 / len(data.classes)
    lowest = row.value if row.low is None else row.low
    if lowest > chance or row.value > chance + NEAR * (1 - chance):
        return
    scored = bool(report.rows(measure="random-twin.z-mean"))
    trained = any(far_from_random(report))
    if scored and not trained:
        return
    ends = "" if row.low is None or row.high is None else (
        f", 95 % interval {share_text(row.low)} to {share_text(row.high)}"
    )  # fmt: skip
    although = "although its weights are far from random ones" if trained else (
        "which no trained network should be"
    )  # fmt: skip
    yield Finding(
        rule="wrong-preprocessing",
        severity=Severity.SERIOUS if trained else Severity.NOTE,
        layers=(),
        measure="accuracy",
        value=row.value,
        threshold=chance,
        sentence=f"The network is no better than chance on {data.name}: accuracy "
        f"{share_text(row.value)}{ends}, chance {share_text(chance)}, {although}.",
        advice="If these are the classes that it was trained on, see the preprocessing (mean and "
        "standard deviation, the order of the channels, the range of the pixels, the size), then "
        "the order of the classes. Every "
        f"figure below was measured on inputs prepared so: {data.preprocessing.rstrip('.')}.",
    )


WRONG_PREPROCESSING = Rule(
    "wrong-preprocessing",
    "a trained classifier that is no better than chance on the data",
    ("accuracy",),
    wrong_preprocessing,
)
