"""The outcome of a check as GitHub workflow commands: annotations of a run."""

from __future__ import annotations

from infoflow.checking.outcome import CheckResult, Row, Verdict
from infoflow.render.checks.words import title, told
from infoflow.render.text import printable, shortened

COMMANDS = {Verdict.FAILED: "error", Verdict.WARNING: "warning", Verdict.SUPPRESSED: "notice"}
_TITLE_WIDTH = 120


def to_annotations(outcome: CheckResult) -> str:
    """One command a line: an error for what failed, a warning, a notice for what is suppressed.

    GitHub shows the first ten of each kind a step; all of them stand in its log.
    """
    rows = outcome.of(*COMMANDS)
    return "".join(f"{_command(row, outcome.settings)}\n" for row in rows)


def data(text: str) -> str:
    r"""Text as the message of a command.

    >>> data("50 %\nof it")
    '50 %25%0Aof it'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_value(text: str) -> str:
    """Text as a property of a command, which colons and commas would end.

    >>> property_value("a:b,c")
    'a%3Ab%2Cc'
    """
    return data(text).replace(":", "%3A").replace(",", "%2C")


def _command(row: Row, settings: str) -> str:
    where = row.source or settings
    file = f"file={property_value(printable(where))}," if where else ""
    heading = property_value(shortened(printable(title(row)), _TITLE_WIDTH))
    return f"::{COMMANDS[row.verdict]} {file}title={heading}::{data(printable(told(row)))}"
