"""CSV: the rows, whole, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.render.to_csv import HEADER, to_csv
from infoflow.report import Measurement
from tests.render.reports import empty_report, example_report, hostile_report


def read(text):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def report_of(*rows):
    return dataclasses.replace(empty_report(), measurements=rows)


def test_every_row_in_order_with_numbers_in_full_precision():
    report = example_report(6)
    header, *rows = read(to_csv(report))
    assert header == list(HEADER)
    assert header == [
        "layer", "measure", "statistic", "value", "unit", "low", "high", "method", "note",
    ]  # fmt: skip
    assert len(rows) == len(report.measurements)
    for cells, row in zip(rows, report.measurements, strict=True):
        named = dict(zip(header, cells, strict=True))
        assert (named["layer"], named["measure"], named["note"]) == (
            row.layer,
            row.measure,
            row.note,
        )
        for field in ("value", "low", "high"):
            number = getattr(row, field)
            assert named[field] == ("" if number is None else repr(number))


def test_lines_end_as_the_standard_has_it():
    text = to_csv(report_of(Measurement('a, "b"', "m", "value", 1.0, "nats")))
    assert text.count("\r\n") == text.count("\n") == 2
    assert '"a, ""b"""' in text
    assert to_csv(empty_report()) == ",".join(HEADER) + "\r\n"


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r=1", "＝1", "\u200b=1"]
)
def test_formulas_are_defused(name):
    row = Measurement(name, name, name, -1.0, name, low=-2.0, method=name, note=name)
    cells = dict(zip(HEADER, read(to_csv(report_of(row)))[1], strict=True))
    for field in ("layer", "measure", "statistic", "unit", "method", "note"):
        assert cells[field][0] in "'\\"
        assert not cells[field].lstrip().startswith(("=", "+", "-", "@"))
    assert cells["value"] == "-1.0"
    assert cells["low"] == "-2.0"


def test_a_true_minus_sign_in_a_note_is_left_alone():
    row = Measurement("a", "m", "value", None, "nats", note="−∞: all zero")
    assert read(to_csv(report_of(row)))[1][-1] == "−∞: all zero"


@given(st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_name_stays_one_cell_on_one_line(name):
    text = to_csv(report_of(Measurement(name, "m", "value", 1.0, "nats")))
    assert len(read(text)) == 2
    assert text.count("\n") == 2
    assert not set(text.replace("\r\n", "")) & {chr(c) for c in range(32)}


def test_hostile_names_hold_no_control_characters():
    assert not set(to_csv(hostile_report())) & set("\x1b\x07\x85\u202e\x00\t")
