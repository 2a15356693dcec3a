"""Where layers lie among healthy trained ones, as every output for people shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from infoflow.render.view import Facts
from infoflow.report import HEALTHY_PERCENTILE, Measurement
from infoflow.words import counted

READING = (
    "percentiles: the share of healthy trained layers below, each network counted alike; 0 is "
    "below all, 100 above all; no verdict on quality"
)


@dataclass(frozen=True)
class Placed:
    """A figure that is placed: its heading (two lines), and the rows that may hold it."""

    heading: str
    measures: tuple[str, ...]
    suffix: str = ""

    def row(self, facts: Facts) -> Measurement | None:
        """The layer's placing, None where it has none."""
        rows = (facts.row(measure, HEALTHY_PERCENTILE + self.suffix) for measure in self.measures)
        return next((row for row in rows if row), None)

    def words(self, row: Measurement) -> str:
        """The heading on one line: of two figures in one column, the row's."""
        if self.measures == _SURROGATES:
            return self.heading.split("\n")[self.measures.index(row.measure)]
        return self.heading.replace("-\n", "-").replace("\n", " ")


_SURROGATES = ("entropy-change.c11", "entropy-change.logdet")

PLACED = (
    Placed("log-\nvolume", ("log-volume.density", "log-volume")),
    Placed("effective\nrank", ("effective-rank",)),
    Placed("stable\nrank", ("stable-rank",)),
    Placed("log|c₁₁|\nlog|det|", _SURROGATES),
    Placed("spread\nof c₁₁", ("entropy-change.c11",), ".standard-deviation"),
    Placed("S₁", ("spectral-entropy.von-neumann",)),
    Placed("S₂", ("spectral-entropy.renyi",)),
    Placed("linear\ngain", ("signal-gain",)),
)


def placings(facts: Facts) -> list[tuple[Placed, Measurement, float]]:
    """The layer's placings, with their percentiles."""
    found = ((one, one.row(facts)) for one in PLACED)
    return [(one, row, row.value) for one, row in found if row and row.value is not None]


def percentile_text(percentile: float) -> str:
    """A percentile as it is known: whole, and 0 and 100 only beyond every layer.

    >>> percentile_text(0.0), percentile_text(0.1), percentile_text(42.4), percentile_text(99.9)
    ('0', '<1', '42', '>99')
    """
    if 0 < percentile < 1:
        return "<1"
    return ">99" if 99 < percentile < 100 else f"{percentile:.0f}"


def span_text(facts: Facts) -> str:
    """From the lowest to the highest of the layer's percentiles, ``""`` where it has none."""
    found = [value for _, _, value in placings(facts)]
    if not found:
        return ""
    low, high = percentile_text(min(found)), percentile_text(max(found))
    return low if low == high else f"{low}–{high}"


def is_beyond(facts: Facts) -> bool:
    """Whether some figure of the layer lies beyond every healthy layer's."""
    return any(value in {0.0, 100.0} for _, _, value in placings(facts))


def group_text(group: Sequence[Facts], one: Placed) -> str:
    """The percentile of a layer, or the median of several."""
    rows = [row for facts in group if (row := one.row(facts)) and row.value is not None]
    return (
        percentile_text(median(row.value for row in rows if row.value is not None)) if rows else ""
    )


def sentence(layers: Sequence[Facts]) -> str:
    """How many layers are placed and how many of them lie beyond the table, ``""`` for none."""
    found = [facts for facts in layers if placings(facts)]
    if not found:
        return ""
    beyond = sum(map(is_beyond, found))
    said = f"{counted(len(found), 'layer')} placed among healthy trained ones"
    return f"{said}, {beyond} beyond all of them in some figure" if beyond else said
