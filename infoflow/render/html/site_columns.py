"""The table of sites on the page: its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infoflow.render.activations import Information, SiteFacts
from infoflow.render.html.columns import EMPTY, Cell, of_row
from infoflow.render.html.words import figure, fixed
from infoflow.render.site_table import FLAG, SIGNS, unsteady


@dataclass(frozen=True)
class SiteColumn:
    """A column of the table of sites: heading, unit, and what fills it."""

    heading: str
    unit: str
    anchor: str
    cell: Callable[[SiteFacts], Cell]


def _role(one: SiteFacts) -> Cell:
    if one.site.on_chain:
        return Cell(one.site.role)
    return Cell(f"{one.site.role} ○", f"off the chain: {one.site.note}", "", "quiet")


def _share(measure: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        row = one.row(measure)
        if row is None or row.value is None:
            return EMPTY if row is None else Cell("—", row.note)
        ends = "" if row.low is None or row.high is None else (
            f"{figure(100 * row.low, 3)} … {figure(100 * row.high, 3)} %"
        )  # fmt: skip
        text = fixed(100 * row.value, 0 if row.value in {0.0, 1.0} else 1)
        return Cell(text, ends or row.note)

    return cell


def _number(measure: str, decimals: int) -> Callable[[SiteFacts], Cell]:
    return lambda one: of_row(one.row(measure), decimals)


def _bits(chain: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        found = one.information(chain)
        if found is None:
            return EMPTY
        if found.value is None:
            return Cell("—", found.shown.note)
        ends = found.interval
        half = f" ±{fixed((ends[1] - ends[0]) / 2, 2)}" if ends else ""
        return Cell(f"{fixed(found.value, 2)}{half}{'*' if found.flags else ''}",
                    _hint(found), f"{found.value:.6g}")  # fmt: skip

    return cell


def _hint(found: Information) -> str:
    parts = [f"plain {figure(found.plain.value, 3)}" if found.plain.value is not None else ""]
    if found.null is not None and found.null.value is not None:
        parts.append(f"null {figure(found.null.value, 2)}")
    if found.ceiling is not None:
        parts.append(f"ceiling {figure(found.ceiling, 3)}")
    return "; ".join(filter(None, [*parts, found.flags]))


def _ratio(chain: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        found = one.information(chain)
        if found is None or found.ratio is None:
            return EMPTY
        ends = found.share_interval
        half = f" ±{fixed((ends[1] - ends[0]) / 2, 2)}" if ends and found.share is not None else ""
        plain = of_row(found.ratio, 2)
        return Cell(f"{plain.text}{half}{'*' if found.flags else ''}", found.flags or plain.title,
                    plain.order)  # fmt: skip

    return cell


def _alignment(one: SiteFacts) -> Cell:
    rows = [one.row("alignment.input"), one.row("alignment.label")]
    if not any(rows):
        return EMPTY
    texts = [of_row(row, 2).text or "–" for row in rows]
    return Cell(", ".join(texts), "with the input; with the label")


def _step(chain: str) -> Callable[[SiteFacts], Cell]:
    def cell(one: SiteFacts) -> Cell:
        found = one.step(chain)
        if found is None:
            return EMPTY
        row = found.row
        hint = "" if row.value is None else f"{figure(row.value, 3)} of the ceiling"
        if row.low is not None and row.high is not None:
            hint += f" ({figure(row.low, 3)} … {figure(row.high, 3)})"
        hint = "; ".join(filter(None, [hint, found.reason]))
        order = {"falls": "-1", "cannot be told": "0", "rises": "1"}[found.word]
        mark = f"word-{found.word.split()[0]}"
        text = f"{SIGNS[found.word]} {found.word}{FLAG if unsteady(found) else ''}"
        return Cell(text, hint, order, mark)

    return cell


COLUMNS = (
    SiteColumn("role", "○ off the chain", "read-chains", _role),
    SiteColumn("batch-entropy", "mean, nats", "read-batch-entropy", _number("batch-entropy", 2)),
    SiteColumn("dead", "% of units", "read-batch-entropy", _share("dead-neurons")),
    SiteColumn("I(X;T)", "of its ceiling", "read-information", _ratio("input")),
    SiteColumn("step", "of I(X;T)", "read-chains", _step("input")),
    SiteColumn("I(X;T)", "bits above null", "read-information", _bits("input")),
    SiteColumn("I(T;Y)", "of its ceiling", "read-information", _ratio("label")),
    SiteColumn("step", "of I(T;Y)", "read-chains", _step("label")),
    SiteColumn("I(T;Y)", "bits above null", "read-information", _bits("label")),
    SiteColumn("CKA", "with X, Y", "read-information", _alignment),
    SiteColumn("probe", "% right", "read-information", _share("probe-accuracy")),
    SiteColumn("‖δ‖", "a sample", "read-batch-entropy", _number("gradient-norm", 3)),
)
