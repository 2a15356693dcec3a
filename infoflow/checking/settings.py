"""What is checked: thresholds, suppressions, the baseline, and how the analysis is made."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from infoflow.checking.bounds import BOUNDS
from infoflow.checking.entry import Entry
from infoflow.errors import CheckError
from infoflow.nearest import nearest
from infoflow.report import Severity

NEVER = "never"
FAIL_ON = (*(severity.value for severity in Severity), NEVER)
WEIGHTS = ("auto", "ema", "raw")


@dataclass(frozen=True)
class Vocabulary:
    """The words that settings may use: measures, groups of measures, rules of findings."""

    measures: Collection[str]
    groups: Collection[str]
    rules: Collection[str]


@dataclass(frozen=True)
class Threshold:
    """Limits of one figure in the layers that the patterns choose.

    Args:
        measure: Its stable name.
        bounds: Limits by the keys of ``BOUNDS``; those against a baseline are not negative.
        statistic: Which of its rows.
        layers: Patterns; none for every layer that has the row.
        place: Where it stands, for sentences.

    Raises:
        CheckError: No bound, an unknown one, a number that is not finite, a negative change, or
            a minimum above the maximum.
    """

    measure: str
    bounds: dict[str, float]
    statistic: str = "value"
    layers: tuple[str, ...] = ()
    place: str = field(default="threshold", compare=False)

    def __post_init__(self) -> None:
        if not self.bounds:
            self._refuse(f"nothing is limited; name one of {', '.join(BOUNDS)}")
        for key, limit in self.bounds.items():
            if key not in BOUNDS:
                self._refuse(f"{key!r} is not a bound; {nearest(key, BOUNDS)}")
            if not math.isfinite(limit):
                self._refuse(f"{key} = {limit} is not a finite number")
            if BOUNDS[key].against_baseline and limit < 0:
                self._refuse(f"{key} = {limit:g} is negative; a change has a size from 0 on")
        low, high = self.bounds.get("min", -math.inf), self.bounds.get("max", math.inf)
        if low > high:
            self._refuse(f"min = {low:g} is above max = {high:g}, so that no figure would pass")

    def _refuse(self, complaint: str) -> None:
        raise CheckError(f"{self.place}: {complaint}.")

    @property
    def against_baseline(self) -> bool:
        """Whether a baseline is needed."""
        return any(BOUNDS[key].against_baseline for key in self.bounds)

    @property
    def subject(self) -> str:
        """The measure, with the statistic where that is not the value."""
        return self.measure if self.statistic == "value" else f"{self.measure} {self.statistic}"


@dataclass(frozen=True)
class Suppression:
    """A finding that is known and accepted, and why.

    Args:
        rule: Name of the finding's rule.
        reason: Repeated in every output; not empty.
        layers: Patterns; none for every layer, and for findings about no layer.
        until: The last day on which it holds.
        place: Where it stands, for sentences.
    """

    rule: str
    reason: str
    layers: tuple[str, ...] = ()
    until: date | None = None
    place: str = field(default="suppression", compare=False)

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise CheckError(f"{self.place}: a suppression needs a reason.")


@dataclass(frozen=True)
class Settings:
    """Everything that a settings file may say; what is not said has the default.

    Args:
        checkpoints: Globs of files, relative to the settings file, for a run without paths.
        measures: Of the analysis, as are the next six.
        layers: Patterns of the layers that are analysed at all.
        arch: Architecture of a file that is not recognised.
        input_size: Spatial size of the network's input.
        weights: Which weights of a file that also holds averaged ones.
        fast: Coarser tolerances.
        seed: Of random frequencies.
        fail_on: Findings of this severity or a worse one fail; ``never`` for none.
        baseline: File of the baseline, relative to the settings file.
        thresholds: In order.
        suppressions: In order.
    """

    checkpoints: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("default",)
    layers: tuple[str, ...] = ()
    arch: str | None = None
    input_size: tuple[int, ...] | None = None
    weights: str = "auto"
    fast: bool = False
    seed: int = 0
    fail_on: str = Severity.SERIOUS.value
    baseline: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    suppressions: tuple[Suppression, ...] = ()

    def __post_init__(self) -> None:
        if self.fail_on not in FAIL_ON:
            raise CheckError(
                f"fail-on {self.fail_on!r} is not known; {nearest(self.fail_on, FAIL_ON)}."
            )

    @property
    def failing(self) -> tuple[Severity, ...]:
        """The severities that fail."""
        return () if self.fail_on == NEVER else tuple(Severity)[: FAIL_ON.index(self.fail_on) + 1]


KEYS = ("checkpoints", "measures", "layers", "arch", "input-size", "weights", "fast", "seed",
        "fail-on", "baseline", "threshold", "suppress")  # fmt: skip
THRESHOLD_KEYS = ("measure", "statistic", "layers", *BOUNDS)
SUPPRESSION_KEYS = ("rule", "layers", "reason", "until")


def settings_from(table: object, where: str, prefix: str, known: Vocabulary) -> Settings:
    """Settings of what TOML read.

    Args:
        table: The table of infoflow's settings.
        where: The file's name, for sentences.
        prefix: Before the names of inner tables: ``tool.infoflow.`` or nothing.
        known: The words that it may use.

    Raises:
        CheckError: Something in it is not known or not of its kind; file and entry are named.
    """
    entry = Entry(table, where, KEYS)
    thresholds = entry.entries("threshold", f"[[{prefix}threshold]]", THRESHOLD_KEYS)
    suppressions = entry.entries("suppress", f"[[{prefix}suppress]]", SUPPRESSION_KEYS)
    return Settings(
        checkpoints=entry.texts("checkpoints"),
        measures=_measures(entry, known),
        layers=entry.patterns("layers"),
        arch=entry.text("arch"),
        input_size=entry.size("input-size"),
        weights=entry.choice("weights", WEIGHTS, "weights") or "auto",
        fast=entry.flag("fast"),
        seed=entry.whole("seed") or 0,
        fail_on=entry.choice("fail-on", FAIL_ON, "the severity") or Severity.SERIOUS.value,
        baseline=entry.text("baseline"),
        thresholds=tuple(_threshold(item, known) for item in thresholds),
        suppressions=tuple(_suppression(item, known) for item in suppressions),
    )


def _measures(entry: Entry, known: Vocabulary) -> tuple[str, ...]:
    chosen = [word for item in entry.texts("measures") for word in item.split(",")]
    chosen = [word.strip() for word in chosen if word.strip()]
    for word in chosen:
        names = [name for name in known.measures if name == word or name.startswith(f"{word}.")]
        if word not in known.groups and not names:
            near = nearest(word, [*known.groups, *known.measures])
            entry.refuse(f"the measure {word!r} is not known; {near}")
    return tuple(chosen) or ("default",)


def _threshold(entry: Entry, known: Vocabulary) -> Threshold:
    measure = entry.choice("measure", known.measures, "the measure")
    if measure is None:
        entry.refuse("it names no measure (`infoflow measures` lists them)")
    limits = {key: entry.number(key) for key in BOUNDS}
    return Threshold(
        measure=measure,
        bounds={key: limit for key, limit in limits.items() if limit is not None},
        statistic=entry.text("statistic") or "value",
        layers=entry.patterns(),
        place=f"{entry.where} ({measure})",
    )


def _suppression(entry: Entry, known: Vocabulary) -> Suppression:
    rule = entry.choice("rule", known.rules, "the rule")
    if rule is None:
        entry.refuse(f"it names no rule; there are: {', '.join(known.rules)}")
    reason = entry.text("reason")
    if reason is None:
        entry.refuse("a suppression needs a reason")
    return Suppression(
        rule=rule,
        reason=reason,
        layers=entry.patterns(),
        until=entry.day("until"),
        place=f"{entry.where} ({rule})",
    )
