"""The flat rows of a report as CSV (RFC 4180): one row a number."""

from __future__ import annotations

import csv
import io

from infoflow.render.text import printable
from infoflow.report import Report

HEADER = ("layer", "measure", "statistic", "value", "unit", "low", "high", "method", "note")

# Spreadsheets run a cell that begins so as a formula (full-width forms included).
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def to_csv(report: Report) -> str:
    """The measurements as CSV, in report order, lines ended by CR LF as the standard has it.

    A number that does not exist is an empty cell beside its note. A text that a spreadsheet would
    take for a formula gets a leading apostrophe, and control characters are spelt out; numbers
    are written in full precision and never changed.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in report.measurements:
        cells = (getattr(row, name) for name in HEADER)
        writer.writerow(
            [text_cell(cell) if isinstance(cell, str) else number_cell(cell) for cell in cells]
        )
    return text.getvalue()


def text_cell(cell: str) -> str:
    """A text that no spreadsheet takes for a formula, control characters spelt out."""
    shown = printable(cell)
    # Blanks before it do not keep a spreadsheet from seeing the formula.
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def number_cell(cell: float | None) -> str:
    """A number in full precision, empty where there is none."""
    return "" if cell is None else repr(cell if isinstance(cell, int) else float(cell))
