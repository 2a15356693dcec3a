"""Words that the outputs of a check share."""

from __future__ import annotations

from infoflow.checking.outcome import Row, Verdict
from infoflow.words import cut


def title(row: Row) -> str:
    """What was checked, and where: ``stable-rank of fc1``."""
    return f"{row.subject} of {layers(row)}" if row.layers else row.subject


def layers(row: Row) -> str:
    """The layers of a row, the first few where there are many."""
    return cut(row.layers)


def told(row: Row) -> str:
    """The row's sentence, and why it is suppressed where it is."""
    if row.verdict is Verdict.SUPPRESSED:
        return f"{row.sentence} Suppressed: {row.reason}"
    if row.reason:
        return f"{row.sentence} Reason given: {row.reason}"
    return row.sentence
