"""The rows of a comparison as CSV (RFC 4180): one row a change."""

from __future__ import annotations

import csv
import io

from infoflow.comparison.comparison import Change, Comparison
from infoflow.render.to_csv import number_cell, text_cell

HEADER = (
    "layer", "measure", "statistic", "from", "to", "before", "after", "change", "unit", "outcome",
    "low", "high", "beyond", "note",
)  # fmt: skip
"""``from`` and ``to`` are steps: the numbers in the files' names, or their places from 0."""


def to_csv(comparison: Comparison) -> str:
    """Every change as CSV, in the network's order, as for reports (`infoflow.render.to_csv`).

    ``beyond`` is ``yes`` or ``no`` where the figures are estimates: whether the change is beyond
    their 95 % interval.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    steps = [one.step for one in comparison.snapshots]
    for row in comparison.changes:
        writer.writerow(_cells(row, steps))
    return text.getvalue()


def _cells(row: Change, steps: list[int]) -> list[str]:
    beyond = {None: "", True: "yes", False: "no"}[row.beyond]
    return [
        *map(text_cell, (row.layer, row.measure, row.statistic)),
        str(steps[row.first]),
        str(steps[row.second]),
        *map(number_cell, (row.before, row.after, row.change)),
        text_cell(row.unit),
        str(row.outcome),
        *map(number_cell, (row.low, row.high)),
        beyond,
        text_cell(row.note),
    ]
