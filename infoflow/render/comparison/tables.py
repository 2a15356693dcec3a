"""The table of layers of a comparison's page, and the page that each row unfolds to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infoflow.comparison.comparison import SUBSPACE_ANGLE, WEIGHT_CHANGE, Change, Outcome
from infoflow.render.comparison.view import (
    LayerView,
    after_text,
    before_text,
    rank_text,
    told_of_layer,
)
from infoflow.render.html.columns import EMPTY, Cell
from infoflow.render.html.words import THIN, figure, fixed, title
from infoflow.words import shape_text

NAME_WIDTH = 46
TOGETHER = (WEIGHT_CHANGE, SUBSPACE_ANGLE)
_MAIN = ("value", "mean", "count", "share")

WEIGHTS, FIGURES = "the two weights", "before and after"


@dataclass(frozen=True)
class Column:
    """A column of the table: heading, what stands under it, group, and what fills it."""

    heading: str
    unit: str
    group: str
    cell: Callable[[LayerView], Cell]


@dataclass(frozen=True)
class Entry:
    """A figure on a layer's page."""

    measure: str
    symbol: str
    statistic: str
    before: str
    after: str
    change: str
    interval: str
    unit: str
    note: str
    mark: str


@dataclass(frozen=True)
class Page:
    """A row of the table and what it unfolds to."""

    anchor: str
    index: int
    name: str
    short: str
    kind: str
    shape: str
    found: bool
    cells: tuple[Cell, ...]
    facts: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str, str], ...]
    together: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    same: tuple[str, ...]


def columns(views: Sequence[LayerView]) -> list[Column]:
    """The columns that have something to show."""
    return [one for one in COLUMNS if any(one.cell(view) is not EMPTY for view in views)]


def pages(
    views: Sequence[LayerView],
    shown: Sequence[Column],
    descriptions: Mapping[str, Mapping[str, str]],
) -> list[Page]:
    """The rows of the table, in the order of the views."""
    return [_page(view, shown, descriptions) for view in views]


def _page(
    view: LayerView, shown: Sequence[Column], descriptions: Mapping[str, Mapping[str, str]]
) -> Page:
    layer = view.layer
    rows = list(_chosen(view.rows.values()))
    same = [row for row in rows if row.measure not in TOGETHER and row.outcome is Outcome.SAME]
    entries = [_entry(row, descriptions) for row in rows if row not in same]
    told = tuple(told_of_layer(view))
    return Page(
        anchor=f"layer-{layer.place + 1}",
        index=layer.place,
        name=title(layer.name),
        short=title(layer.name, NAME_WIDTH),
        kind=layer.kind,
        shape=shape_text(layer.shape),
        found=bool(told),
        cells=tuple(column.cell(view) for column in shown),
        facts=tuple(_facts(view)),
        findings=told,
        together=tuple(one for one in entries if one.measure in TOGETHER),
        entries=tuple(one for one in entries if one.measure not in TOGETHER),
        same=tuple(map(_same, same)),
    )


def _chosen(rows: Iterable[Change]) -> Iterator[Change]:
    """What a layer's page shows: the figures themselves; the CSV has what describes them."""
    for row in rows:
        if row.measure in TOGETHER or row.statistic in _MAIN:
            yield row


def _facts(view: LayerView) -> Iterator[tuple[str, str]]:
    layer = view.layer
    yield "kind", layer.kind
    yield "shape", shape_text(layer.shape)
    yield "stored as", " → ".join(dict.fromkeys(layer.dtypes))
    yield "parameters", fixed(layer.parameters, 0)
    yield "order by", layer.reason or "nothing changed"


def _entry(row: Change, descriptions: Mapping[str, Mapping[str, str]]) -> Entry:
    interval = ""
    if row.low is not None and row.high is not None:
        ends = f"{figure(row.low)}{THIN}…{THIN}{figure(row.high)}"
        interval = f"{ends}, {'beyond' if row.beyond else 'within'} the intervals"
    return Entry(
        measure=row.measure,
        symbol=descriptions.get(row.measure, {}).get("symbol", ""),
        statistic="" if row.statistic == "value" else row.statistic,
        before=_end(row.before, infinite=row.was_infinite),
        after=_end(row.after, infinite=row.is_infinite),
        change=_signed(row),
        interval=interval,
        unit=row.unit,
        note=row.note,
        mark="lost" if row.outcome is Outcome.BECAME_INFINITE else "",
    )


def _same(row: Change) -> str:
    name = row.measure if row.statistic == "value" else f"{row.measure} {row.statistic}"
    return name if row.after is None else f"{name} {figure(row.after)}"


def _end(value: float | None, *, infinite: bool) -> str:
    return "−∞" if infinite else "—" if value is None else figure(value)


def _signed(row: Change) -> str:
    if row.change is None:
        return str(row.outcome)
    if row.measure in TOGETHER and row.before is None:
        return figure(row.change)
    return f"+{figure(row.change)}" if row.change > 0 else figure(row.change)


def _relative(view: LayerView) -> Cell:
    row = view.relative
    if row is None:
        score = view.layer.score
        return EMPTY if score is None else Cell(fixed(score, 2), view.layer.reason)
    if row.change is None:
        return Cell("—", row.note, "Infinity")
    return _number(row.change, 3)


def _number(value: float, decimals: int, note: str = "") -> Cell:
    small = value != 0 and abs(value) < 0.5 * 10**-decimals
    text = figure(value, 2) if small else fixed(value, decimals)
    return Cell(text, note, f"{value:.6g}")


def _cosine(view: LayerView) -> Cell:
    row = view.row(WEIGHT_CHANGE, "cosine")
    return EMPTY if row is None or row.change is None else _number(row.change, 3)


def _angle(side: str) -> Callable[[LayerView], Cell]:
    def cell(view: LayerView) -> Cell:
        mean, most = view.angle(side), view.row(SUBSPACE_ANGLE, side)
        if mean is None or mean.change is None or most is None or most.change is None:
            return EMPTY
        note = f"largest {figure(most.change, 3)}°{'; ' if most.note else ''}{most.note}"
        text = f"{'' if view.stable else '~'}{fixed(mean.change, 1)}°"
        return Cell(text, note, f"{mean.change:.6g}")

    return cell


def _zeros(view: LayerView) -> Cell:
    row = view.row(WEIGHT_CHANGE, "zeros") or view.row("zeros", "count")
    if row is None or row.change is None or row.before == row.after == 0:
        return EMPTY
    text = f"+{fixed(row.change, 0)}" if row.change > 0 else fixed(row.change, 0)
    ends = f"{before_text(row, 0)} → {after_text(row, 0)}"
    return Cell(text, ends, f"{row.change:.6g}", "" if row.change else "quiet")


def _before(row: Change | None, decimals: int) -> Cell:
    if row is None:
        return EMPTY
    order = "-Infinity" if row.was_infinite else "" if row.before is None else f"{row.before:.6g}"
    return Cell(before_text(row, decimals), row.note, order, "lost" if row.was_infinite else "")


def _after(row: Change | None, decimals: int) -> Cell:
    if row is None:
        return EMPTY
    order = "-Infinity" if row.is_infinite else "" if row.after is None else f"{row.after:.6g}"
    return Cell(after_text(row, decimals), row.note, order, "lost" if row.is_infinite else "")


def _change(row: Change | None, decimals: int) -> Cell:
    if row is None:
        return EMPTY
    if row.change is None:
        order = {Outcome.BECAME_INFINITE: "-Infinity", Outcome.LEFT_INFINITE: "Infinity"}
        text = str(row.outcome) if row.outcome in order else "—"
        return Cell(text, row.note, order.get(row.outcome, ""))
    text = f"+{fixed(row.change, decimals)}" if row.change > 0 else fixed(row.change, decimals)
    words = {None: row.note, True: "beyond the intervals", False: "within the intervals"}
    return Cell(text, words[row.beyond], f"{row.change:.6g}", "quiet" if not row.change else "")


def _rank(view: LayerView) -> Cell:
    row = view.row("rank")
    if row is None:
        return EMPTY
    lost = row.change is not None and row.change < 0
    order = "" if row.after is None else f"{row.after:.6g}"
    return Cell(rank_text(view), row.note, order, "lost" if lost else "")


def _findings(view: LayerView) -> Cell:
    if not view.gained and not view.lost:
        return EMPTY
    words = [f"+{view.gained}"] * bool(view.gained) + [f"−{view.lost}"] * bool(view.lost)
    return Cell(" ".join(words), "appeared, disappeared", f"{view.gained + view.lost}")


COLUMNS = (
    Column("change", "relative", WEIGHTS, _relative),
    Column("cosine", "of the weights", WEIGHTS, _cosine),
    Column("left angle", "mean", WEIGHTS, _angle("left")),
    Column("right angle", "mean", WEIGHTS, _angle("right")),
    Column("zeros", "change", WEIGHTS, _zeros),
    Column("log-volume", "before, nats*", FIGURES, lambda one: _before(one.volume, 1)),
    Column("log-volume", "after", FIGURES, lambda one: _after(one.volume, 1)),
    Column("log-volume", "change", FIGURES, lambda one: _change(one.volume, 1)),
    Column("stable rank", "before", FIGURES, lambda one: _before(one.row("stable-rank"), 1)),
    Column("stable rank", "after", FIGURES, lambda one: _after(one.row("stable-rank"), 1)),
    Column("rank", "of full", FIGURES, _rank),
    Column("findings", "changed", FIGURES, _findings),
)
