"""The outcome of a check as Markdown: the summary of a job, or a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infoflow.checking.outcome import NO_FIGURE, CheckResult, Row, Verdict
from infoflow.render.checks.words import layers, told
from infoflow.render.text import printable, shortened
from infoflow.render.to_markdown import escaped, table_line
from infoflow.words import and_more, counted

LISTED = 200
"""Rows of a table are listed up to this many; a job summary is cut at 1 MiB."""
_NAMED_UNITS = ("nats", "bits", "standard errors")
_WIDE = 300
_LONG = 2000


def to_markdown(outcome: CheckResult) -> str:
    """GitHub-flavoured Markdown: what failed first, then the rest, what held folded away."""
    return "\n".join([*_head(outcome), *_body(outcome)]).rstrip("\n") + "\n"


def _head(outcome: CheckResult) -> Iterator[str]:
    yield f"## {'✅' if outcome.passed else '❌'} infoflow check: {_cell(outcome.summary)}"
    yield ""
    facts = [("checkpoint", source) for source in dict.fromkeys(outcome.sources)]
    facts += [("settings", outcome.settings), ("baseline", outcome.baseline)]
    yield " · ".join(f"{name} **{_cell(text)}**" for name, text in facts if text)
    yield ""
    yield from (f"- {_sentence(note)}" for note in dict.fromkeys(outcome.notes))
    yield ""


def _body(outcome: CheckResult) -> Iterator[str]:
    several = len(set(outcome.sources)) > 1
    failed, passed = outcome.of(Verdict.FAILED), outcome.of(Verdict.PASSED)
    measured = [row for row in failed if row.kind == "threshold"]
    if failed:
        yield "### Failed"
        yield ""
    yield from _table(measured, several)
    yield from _list([row for row in failed if row.kind != "threshold"], several)
    for heading, verdict in (
        ("Warnings", Verdict.WARNING),
        ("Suppressed", Verdict.SUPPRESSED),
        ("Notes", Verdict.NOTE),
    ):
        if rows := outcome.of(verdict):
            yield f"### {heading}"
            yield ""
            yield from _list(rows, several)
    if passed:
        yield f"<details><summary>Passed: {counted(len(passed), 'check')}</summary>"
        yield ""
        yield from _table(passed, several)
        yield "</details>"


def _table(rows: Sequence[Row], several: bool) -> Iterator[str]:
    if not rows:
        return
    checkpoint = ["checkpoint"] if several else []
    yield table_line([*checkpoint, "layer", "check", "found", "allowed"])
    yield table_line([":---"] * (len(checkpoint) + 4))
    for row in rows[:LISTED]:
        cells = [row.source] if several else []
        unit = f" ({row.unit})" if row.unit.startswith(_NAMED_UNITS) else ""
        cells += [layers(row) or "(any)", f"{row.subject}{unit}", _found(row), row.allowed]
        yield table_line([_cell(cell) for cell in cells])
    yield ""
    if len(rows) > LISTED:
        yield and_more(len(rows) - LISTED)
        yield ""


def _found(row: Row) -> str:
    """What was found; why there is nothing, where no figure was compared."""
    if row.found == NO_FIGURE:
        return row.sentence
    return f"{row.found} (the 95 % interval reaches over the limit)" if row.uncertain else row.found


def _list(rows: Sequence[Row], several: bool) -> Iterator[str]:
    for row in rows[:LISTED]:
        source = f" ({_cell(row.source)})" if several and row.source else ""
        yield f"- **{_cell(row.subject)}**{source}: {_sentence(told(row))}"
    if len(rows) > LISTED:
        yield f"- {and_more(len(rows) - LISTED)}"
    if rows:
        yield ""


def _sentence(text: str) -> str:
    return escaped(shortened(printable(text), _LONG))


def _cell(text: str) -> str:
    return escaped(shortened(printable(text), _WIDE))
