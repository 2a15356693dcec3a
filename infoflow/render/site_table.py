"""The table of sites, as cells: which columns there are, and which sites a long table keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from infoflow.findings.chains import FALLS, RISES, UNTOLD, Step
from infoflow.render.activations import Activations, SiteFacts, half_width
from infoflow.render.text import number
from infoflow.report import Measurement, Severity
from infoflow.words import counted, joined

SIGNS = {FALLS: "↓", RISES: "↑", UNTOLD: "?"}
"""A sign beside each word of a step, so that colour is not needed to tell them."""

OFF_CHAIN = "off the chain"
FLAG = "*"
"""Beside a figure whose note says that it must not be read as it stands."""

SHOWN_UP_TO = 40
"""Sites up to which all are shown; beyond, those of the chain and those that findings name."""


@dataclass(frozen=True)
class Column:
    """A column: its heading (two lines), and what fills it.

    Of columns that do not all fit, those of the highest ``rank`` are left out first.
    """

    heading: str
    cell: Callable[[SiteFacts], str]
    rank: int
    left: bool = False


def information_text(one: SiteFacts, chain: str) -> str:
    """Bits above the null, half of the interval's width, and a mark where flags apply."""
    found = one.information(chain)
    if found is None:
        return ""
    half = half_width(found.shown)
    if half is None or found.value is None:
        return f"{number(found.value, 2)}{FLAG if found.flags else ''}"
    # Digits below the interval's say nothing.
    value = found.value if abs(found.value) >= 0.005 else 0.0
    return f"{number(value, 2)} ±{number(half, 2)}{FLAG if found.flags else ''}"


def step_text(one: SiteFacts, chain: str) -> str:
    """The word of the step to this site with its sign; of a site off the chain, that it is off."""
    found = one.step(chain)
    if found is None:
        return "" if one.site.on_chain else OFF_CHAIN
    return f"{SIGNS[found.word]} {found.word}{FLAG if unsteady(found) else ''}"


def unsteady(step: Step) -> bool:
    """Whether a step that falls or rises has a reservation, such as a sign that changes with σ."""
    return step.word != UNTOLD and bool(step.reason)


def share_text(row: Measurement | None) -> str:
    """A share in per cent, without the sign."""
    if row is None or row.value is None:
        return "" if row is None else "—"
    return number(100 * row.value, 0 if row.value in {0.0, 1.0} else 1)


def _value(measure: str, decimals: int) -> Callable[[SiteFacts], str]:
    def cell(one: SiteFacts) -> str:
        row = one.row(measure)
        return "" if row is None else number(row.value, decimals)

    return cell


def _ratio(chain: str) -> Callable[[SiteFacts], str]:
    def cell(one: SiteFacts) -> str:
        found = one.information(chain)
        if found is None or found.ratio is None:
            return ""
        half = half_width(found.ratio)
        if found.share is None or half is None:
            return f"{number(found.share, 3)}{FLAG if found.flags else ''}"
        return f"{found.share:.3f} ±{half:.3f}{FLAG if found.flags else ''}".replace("-", "−")

    return cell


COLUMNS = (
    Column("role", lambda one: one.site.role, 7, left=True),
    Column("batch-\nentropy", _value("batch-entropy", 2), 3),
    Column("dead\n%", lambda one: share_text(one.row("dead-neurons")), 4),
    Column("I(X;T)\nof ceiling", _ratio("input"), 0),
    Column("step of\nI(X;T)", lambda one: step_text(one, "input"), 2, left=True),
    Column("I(X;T)\nbits", lambda one: information_text(one, "input"), 5),
    Column("I(T;Y)\nof ceiling", _ratio("label"), 1),
    Column("step of\nI(T;Y)", lambda one: step_text(one, "label"), 9, left=True),
    Column("I(T;Y)\nbits", lambda one: information_text(one, "label"), 11),
    Column("probe\n%", lambda one: share_text(one.row("probe-accuracy")), 6),
    Column("CKA\nwith X", _value("alignment.input", 2), 8),
    Column("CKA\nwith Y", _value("alignment.label", 2), 10),
)


def used(sites: Sequence[SiteFacts]) -> list[Column]:
    """The columns that have something to show."""
    return [column for column in COLUMNS if any(_says(column.cell(one)) for one in sites)]


def _says(cell: str) -> bool:
    return cell not in {"", OFF_CHAIN}


def shown(activations: Activations, *, unfold: bool) -> list[SiteFacts]:
    """The sites of the table: all, or of many those of the chain and those to act on."""
    every = list(activations.sites)
    chain = [one for one in every if one.site.on_chain]
    if len(every) <= SHOWN_UP_TO or unfold or not chain:
        return every
    return [one for one in every if one.site.on_chain or _to_act_on(one)]


def _to_act_on(one: SiteFacts) -> bool:
    return any(finding.severity is not Severity.NOTE for finding in one.findings)


def legend(sites: Sequence[SiteFacts], headings: Collection[str]) -> list[str]:
    """What the headings that are shown, and the marks, mean."""
    lines = []
    if "batch-\nentropy" in headings:
        lines.append("batch-entropy in nats, the mean of a site's units")
    if "I(X;T)\nof ceiling" in headings:
        lines.append(
            "of ceiling: share of ½(I(X;X) + I(T;T)), which compares sites and judges steps"
        )
    if "probe\n%" in headings:
        lines.append("probe: accuracy of a linear classifier on the site")
    flagged = Counter(
        flag
        for one in sites
        for chain in ("input", "label")
        if (found := one.information(chain)) is not None
        for flag in found.flags.split("; ")
        if flag
    )
    flagged.update(
        step.reason
        for one in sites
        for chain in ("input", "label")
        if (step := one.step(chain)) is not None and unsteady(step)
    )
    if flagged:
        told = [f"{flag} ({many})" for flag, many in flagged.most_common(4)]
        more = len(flagged) - len(told)
        rest = f" and {counted(more, 'reason')} more" if more else ""
        lines.append(f"{FLAG} with a reservation: {joined(told)}{rest}")
    return lines
