"""The outcome of a check in a terminal: what failed first, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from infoflow.checking.outcome import CheckResult, Row, Verdict
from infoflow.render.checks.words import told
from infoflow.render.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {
    Verdict.FAILED: ("FAIL", "bold red"),
    Verdict.WARNING: ("warn", "yellow"),
    Verdict.SUPPRESSED: ("skip", "cyan"),
    Verdict.NOTE: ("note", "dim"),
    Verdict.PASSED: ("ok  ", "green"),
}


def to_terminal(outcome: CheckResult, console: Console, *, verbose: bool = False) -> None:
    """Print an outcome.

    Args:
        outcome: What was found.
        console: Where to; its width decides where lines are broken.
        verbose: What held as well, not only where the interval reaches over the limit.
    """
    for part in _parts(outcome, max(console.width, 20), verbose):
        console.print(part)


def _parts(outcome: CheckResult, width: int, verbose: bool) -> Iterator[Text]:
    several = len(set(outcome.sources)) > 1
    for verdict in _MARKS:
        for row in outcome.of(verdict):
            if verdict is not Verdict.PASSED or row.uncertain or verbose:
                yield _row(row, width, several)
    for note in dict.fromkeys(outcome.notes):
        yield Text("\n".join(wrap(printable(note), width)), style="dim")
    style = "bold green" if outcome.passed else "bold red"
    facts = [*dict.fromkeys(outcome.sources)] if not several else []
    facts += [f"settings {outcome.settings}"] if outcome.settings else []
    facts += [f"baseline {outcome.baseline}"] if outcome.baseline else []
    yield Text("\n".join(wrap(printable(outcome.summary), width)), style=style)
    if facts:
        yield Text("\n".join(wrap(printable(" · ".join(facts)), width)), style="dim")


def _row(row: Row, width: int, several: bool) -> Text:
    mark, style = _MARKS[row.verdict]
    lead = f"{row.source}: " if several and row.source else ""
    subject = f"{row.subject}: " if row.kind == "finding" else ""
    words = printable(lead + subject + told(row))
    lines = wrap(words, max(width - 5, 15))
    return Text(f"{mark} ", style=style).append("\n     ".join(lines), style="")
