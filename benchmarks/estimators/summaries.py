"""What the figures of a network's course say of the estimators: rank correlations and counts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median, stdev

import numpy as np

from estimators.estimates import NAMES, QUADRATIC
from estimators.measuring import Figure, Measured
from estimators.oracles import VERDICTS
from estimators.tables import number, table

TRAINED, NOISY = "trained", "with noise"
DIRECTIONS = ("input", "label")
BOOTSTRAPS = 2000
NOTHING = 1e-9
"""Bits that are rounding."""

Grid = np.ndarray
"""Checkpoints × sites."""


class Course:
    """The figures of one network by estimator and direction, as grids."""

    def __init__(self, found: Measured) -> None:
        self.found = found
        checks = [check for check in found.checks if check.run == TRAINED]
        self.steps = sorted({check.step for check in checks})
        self.sites = list(dict.fromkeys(check.site for check in checks))
        place = {(c.step, c.site): c for c in checks}
        self.probe = self._grid(lambda step, site: place[step, site].probe)
        self.alignment = self._grid(lambda step, site: place[step, site].alignment)
        self.accuracy = [place[step, self.sites[0]].accuracy for step in self.steps]
        self._figures = {
            (f.estimator, f.direction, f.step, f.site): f for f in found.figures if f.run == TRAINED
        }

    def _grid(self, read: Callable[[int, str], float]) -> Grid:
        return np.array([[read(step, site) for site in self.sites] for step in self.steps])

    def grid(self, estimator: str, direction: str, read: Callable[[Figure], float]) -> Grid:
        """One number of each figure."""
        return self._grid(lambda step, site: read(self._figures[estimator, direction, step, site]))

    def above(self, estimator: str, direction: str) -> Grid:
        """Figures less their nulls."""
        return self.grid(estimator, direction, lambda f: f.value - f.null).round(9)  # rounding is 0


def spearman(a: Grid, b: Grid) -> float:
    """Rank correlation; NaN where one is constant."""
    ranks = [_ranks(each.reshape(-1)) for each in (a, b)]
    if any(np.ptp(each) == 0 for each in ranks):
        return math.nan
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: Grid) -> Grid:
    _, inverse, counts = np.unique(values.round(9), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def agreement(a: Grid, b: Grid) -> tuple[float, float, float]:
    """Spearman's correlation over all cells with its 95 % interval.

    Rows and columns are drawn with replacement, each by itself: cells of one checkpoint, and of one
    site, are not independent (Owen, The pigeonhole bootstrap, 2007).
    """
    draw = np.random.default_rng(0)
    found = []
    for _ in range(BOOTSTRAPS):
        rows, columns = (draw.integers(0, size, size) for size in a.shape)
        found.append(spearman(a[np.ix_(rows, columns)], b[np.ix_(rows, columns)]))
    told = [value for value in found if not math.isnan(value)]
    low, high = np.quantile(told, [0.025, 0.975]) if told else (math.nan, math.nan)
    return spearman(a, b), float(low), float(high)


def summary(name: str, found: Measured) -> None:
    course = Course(found)
    said = ", ".join(
        f"{step:,}: {accuracy:.1%}"
        for step, accuracy in zip(course.steps, course.accuracy, strict=True)
    )
    print(f"\nTest accuracy after so many steps: {said}")
    print("\nAgainst what is known")
    heads = (
        "estimator", "with the probe, all cells", "along depth", "along training",
        "sites with more at the end", "I(X;T) with CKA, all cells",
    )  # fmt: skip
    print(table(heads, [_agreements(course, estimator) for estimator in NAMES]))
    print("\nAbove the null")
    heads = (
        "estimator", "I(X;T): above the null's 97.5 %", "the null's part of the figure",
        "null deviations above", "I(T;Y): above", "part", "deviations",
    )  # fmt: skip
    print(table(heads, [[e, *_nulls(course, e)] for e in NAMES]))
    print("\nStability")
    heads = (
        "estimator", "I(X;T): order on thirds", "spread on thirds", "order at σ/2", "at 2σ",
        "I(T;Y): order on thirds", "spread", "order at σ/2", "at 2σ",
    )  # fmt: skip
    print(table(heads, [[e, *_stability(course, e)] for e in NAMES]))
    _chains(course)
    _values(course)


def _agreements(course: Course, estimator: str) -> list[str]:
    label, into = course.above(estimator, "label"), course.above(estimator, "input")
    probe = course.probe
    depth = _mean(spearman(a, b) for a, b in zip(label, probe, strict=True))
    training = _mean(spearman(a, b) for a, b in zip(label.T, probe.T, strict=True))
    risen = label[-1] > label[0]
    return [
        estimator, _interval(agreement(label, probe)), depth, training,
        f"{int(risen.sum())} of {risen.size}", _interval(agreement(into, course.alignment)),
    ]  # fmt: skip


def _interval(found: tuple[float, float, float]) -> str:
    if math.isnan(found[0]):
        return "—"
    value, low, high = map(number, found)
    return f"{value} [{low}, {high}]"


def _mean(values: Iterable[float]) -> str:
    found = [value for value in values if not math.isnan(value)]
    return number(fmean(found)) if found else "—"


def _nulls(course: Course, estimator: str) -> list[str]:
    told: list[str] = []
    for direction in DIRECTIONS:
        outside = course.grid(estimator, direction, lambda f: f.value > f.null_high)
        part = course.grid(estimator, direction, lambda f: f.null / f.value)
        apart = course.grid(estimator, direction, _deviations)
        told += [
            f"{int(outside.sum())} of {outside.size}",
            f"{np.median(part):.0%}".replace("-0", "0"),
            _told(float(np.median(apart)), 0),
        ]
    return told


def _deviations(figure: Figure) -> float:
    spread = figure.null_deviation
    return (figure.value - figure.null) / spread if spread > NOTHING else math.nan


def _spread(figure: Figure) -> float:
    """Deviation between the thirds, over the figure less its null."""
    above = abs(figure.value - figure.null)
    return stdev(figure.thirds) / above if above > NOTHING else math.inf


def _told(value: float, digits: int, unit: str = "") -> str:
    return number(value, digits) + unit if math.isfinite(value) else "—"


def _stability(course: Course, estimator: str) -> list[str]:
    told: list[str] = []
    for direction in DIRECTIONS:
        whole = course.grid(estimator, direction, lambda f: f.value)
        thirds = [course.grid(estimator, direction, lambda f, i=i: f.thirds[i]) for i in range(3)]
        sigmas = [course.grid(estimator, direction, lambda f, i=i: f.sigmas[i]) for i in range(2)]
        pairs = list(itertools.combinations(thirds, 2))
        spread = course.grid(estimator, direction, _spread)
        told += [
            _mean(spearman(a, b) for one, two in pairs for a, b in zip(one, two, strict=True)),
            _told(100 * median(spread.reshape(-1)), 0, "%"),
            *(_mean(map(spearman, whole, other)) for other in sigmas),
        ]
    return told


def _chains(course: Course) -> None:
    runs: list[tuple[str, int, str]] = [(TRAINED, step, f"{step:,}") for step in course.steps]
    runs.append((NOISY, course.steps[-1], "noise"))
    for direction, word in (("input", "I(X;T)"), ("label", "I(T;Y)")):
        print(
            f"\nSteps of the chain, {word} less its null: falls / rises / cannot be told, by step "
            "of training. In the last column noise is added at every site of the trained network"
        )
        rows = [
            [estimator, *(_counted(course.found, run, step, direction, estimator)
                          for run, step, _ in runs)]
            for estimator in NAMES
        ]  # fmt: skip
        print(table(("estimator", *(head for *_, head in runs)), rows))


def _counted(found: Measured, run: str, step: int, direction: str, estimator: str) -> str:
    asked = (run, step, direction, estimator)
    words = Counter(
        v.verdict for v in found.verdicts if (v.run, v.step, v.direction, v.estimator) == asked
    )
    return " / ".join(str(words[verdict]) for verdict in VERDICTS)


def _values(course: Course) -> None:
    print("\nThe trained network: figures less their nulls, I(X;T) and I(T;Y) in turn")
    rows: list[Sequence[str]] = []
    for estimator in NAMES:
        for direction, word in (("input", "I(X;T)"), ("label", "I(T;Y)")):
            values = course.above(estimator, direction)[-1]
            rows.append((f"{estimator}, {word}", *(number(value) for value in values)))
    rows.append(("CKA with X", *(number(value) for value in course.alignment[-1])))
    rows.append(("probe's accuracy", *(number(value) for value in course.probe[-1])))
    first = course.above(QUADRATIC, "label")[0]
    rows.append(("untrained: I₂, I(T;Y)", *(number(value) for value in first)))
    rows.append(("untrained: probe", *(number(value) for value in course.probe[0])))
    print(table(("", *course.sites), rows))
