"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with an empty line before it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float, digits: int = 2) -> str:
    """With the minus sign of text, no −0.00, and one digit of what would round to 0."""
    small = 1e-6 < abs(value) < 0.5 * 10**-digits
    told = f"{value:.0e}" if small else f"{round(value, digits) + 0.0:.{digits}f}"
    return told.replace("-", "−")
