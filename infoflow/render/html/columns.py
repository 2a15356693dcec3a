"""The table of layers: its columns, in two groups that must not be compared across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infoflow.render.healthy import is_beyond, percentile_text, placings, span_text
from infoflow.render.html.words import figure, fixed
from infoflow.render.view import Facts
from infoflow.report import Measurement


@dataclass(frozen=True)
class Cell:
    """What a cell shows, its tooltip, and the number it sorts by where the text is none."""

    text: str
    title: str = ""
    order: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column: heading, unit, group, and what fills it."""

    heading: str
    unit: str
    group: str
    anchor: str
    cell: Callable[[Facts], Cell]


SLICE, LAYER = "a slice", "a layer"
EMPTY = Cell("")


def used_columns(layers: Sequence[Facts]) -> list[Column]:
    """The columns that have something to show."""
    return [
        column for column in COLUMNS if any(column.cell(facts) is not EMPTY for facts in layers)
    ]


def groups_of(groups: Iterable[str]) -> list[tuple[str, int]]:
    """The groups of columns from left to right, with how many columns each spans."""
    return list(Counter(groups).items())


def of_row(row: Measurement | None, decimals: int, *, signed: bool = False) -> Cell:
    """A cell of a measurement: its number, −∞, or a dash, with its note as tooltip."""
    if row is None:
        return EMPTY
    if row.is_minus_infinity:
        return Cell("−∞", row.note, "-Infinity", "lost")
    if row.value is None:
        return Cell("—", row.note)
    small = row.value != 0 and abs(row.value) < 0.5 * 10**-decimals
    text = figure(row.value, 2) if small else fixed(row.value, decimals, signed=signed)
    hint = row.note
    if row.low is not None and row.high is not None:
        hint = f"{figure(row.low)} … {figure(row.high)} {hint}".strip()
    return Cell(text, hint, f"{row.value:.6g}" if "×" in text else "")


def _corner(facts: Facts) -> Cell:
    return of_row(facts.row("entropy-change.c11", "mean"), 2)


def _zeros(facts: Facts) -> Cell:
    row = facts.row("entropy-change.c11", "zeros")
    if row is None or row.value is None:
        return EMPTY
    count = facts.value("entropy-change.c11", "count")
    if row.value == 0:
        return Cell("0", "", "", "quiet")
    if count is None:
        return Cell(fixed(row.value, 0), "", "", "lost")
    words = fixed(row.value, 0) if count else "all"
    slices = f"of {fixed(count + row.value, 0)} slices"
    return Cell(words, slices, "" if count else f"{row.value:g}", "lost")


def _twin(facts: Facts) -> Cell:
    return of_row(facts.row("random-twin.z-mean"), 1, signed=True)


def _slice_density(facts: Facts) -> Cell:
    return of_row(facts.row("log-volume.density.slice", "mean"), 2)


def _surrogate(facts: Facts) -> Cell:
    return of_row(facts.surrogate, 1)


def _volume(facts: Facts) -> Cell:
    return of_row(facts.volume, 1)


def _rank(facts: Facts) -> Cell:
    row, full = facts.row("rank"), facts.value("rank", "full")
    if row is None:
        return EMPTY
    if row.value is None:
        return Cell("—", row.note)
    text = fixed(row.value, 0) + (f"/{fixed(full, 0)}" if full is not None else "")
    lost = full is not None and row.value < full
    share = row.value / full if full else row.value
    return Cell(text, row.note, f"{share:.6g}", "lost" if lost else "")


def _stable(facts: Facts) -> Cell:
    return of_row(facts.row("stable-rank"), 1)


def _norm(facts: Facts) -> Cell:
    return of_row(facts.row("spectral-norm"), 2)


def _healthy(facts: Facts) -> Cell:
    found = placings(facts)
    if not found:
        return EMPTY
    hint = ", ".join(f"{one.words(row)} {percentile_text(value)}" for one, row, value in found)
    lowest = min(value for _, _, value in found)
    return Cell(span_text(facts), hint, f"{lowest:.6g}", "far" if is_beyond(facts) else "")


COLUMNS = (
    Column("log|c₁₁|", "mean, nats", SLICE, "read-c11", _corner),
    Column("exact", "mean, nats", SLICE, "read-volume", _slice_density),
    Column("zeros", "slices", SLICE, "read-infinity", _zeros),
    Column("twin z", "std. errors", SLICE, "read-twin", _twin),
    Column("entropy change", "nats*", LAYER, "read-block", _surrogate),
    Column("log-volume", "exact, nats*", LAYER, "read-volume", _volume),
    Column("rank", "of full", LAYER, "read-rank", _rank),
    Column("stable rank", "directions", LAYER, "read-rank", _stable),
    Column("σ₁", "largest gain", LAYER, "read-rank", _norm),
    Column("healthy", "percentiles", LAYER, "read-healthy", _healthy),
)
