"""A comparison in the terminal, as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema
import pytest
from rich.cells import cell_len
from rich.console import Console

from infoflow.comparison.verdict import verdict
from infoflow.errors import ReportError
from infoflow.render import COMPARISON_RENDERERS, RENDERERS
from infoflow.render.comparison.to_csv import HEADER, to_csv
from infoflow.render.comparison.to_json import from_json, schema, to_json
from infoflow.render.comparison.to_markdown import to_markdown
from infoflow.render.comparison.to_terminal import to_terminal
from infoflow.render.text import shortened
from tests.render.comparisons import example_comparison, hostile_comparison, same_comparison

CASES = {
    "two": example_comparison,
    "five": lambda: example_comparison(5, 8),
    "reports": lambda: example_comparison(2, 8, weights=False),
    "same": same_comparison,
    "hostile": hostile_comparison,
    "long": lambda: example_comparison(2, 60, channels=3),
}
every = pytest.mark.parametrize("case", CASES)


def terminal(comparison, width=80, **options):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, color_system=None)
    to_terminal(comparison, console, **options)
    return stream.getvalue()


def test_the_same_forms_as_of_reports():
    assert set(COMPARISON_RENDERERS) == set(RENDERERS)
    for name, renderer in COMPARISON_RENDERERS.items():
        assert renderer.ending == RENDERERS[name].ending


@every
def test_json_is_read_back_as_it_was(case):
    comparison = CASES[case]()
    text = to_json(comparison)
    assert from_json(text) == comparison
    jsonschema.validate(json.loads(text), schema(), jsonschema.Draft202012Validator)
    assert not set(text) & set("\x1b\x07\x85\u202e\x00\t")


def test_the_schema_refuses_what_is_no_comparison():
    data = json.loads(to_json(example_comparison(2, 8)))
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for spoil in (
        lambda d: d["changes"][0].update(change=None, note=""),
        lambda d: d["changes"][0].update(outcome="better"),
        lambda d: d["snapshots"][0].pop("step"),
        lambda d: d.update(extra=1),
        lambda d: d.update(schema_version=99),
    ):
        spoilt = json.loads(json.dumps(data))
        spoil(spoilt)
        assert list(validator.iter_errors(spoilt))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a comparison"),
        ('{"schema_version": 1}', "not a comparison"),
        ('{"schema_version": 7, "snapshots": []}', "schema version 7"),
        ('{"schema_version": 1, "snapshots": []}', "'layers' is missing"),
    ],
)
def test_what_is_no_comparison_is_told(text, message):
    with pytest.raises(ReportError, match=message):
        from_json(text)


def test_a_change_that_cannot_be_is_told():
    data = json.loads(to_json(example_comparison(2, 8)))
    data["changes"][0] |= {"change": None, "note": ""}
    with pytest.raises(ReportError, match="needs a note"):
        from_json(json.dumps(data))


def test_csv_has_a_row_a_change():
    comparison = example_comparison(3, 8)
    header, *rows = csv.reader(io.StringIO(to_csv(comparison), newline=""), strict=True)
    assert header == [
        "layer", "measure", "statistic", "from", "to", "before", "after", "change", "unit",
        "outcome", "low", "high", "beyond", "note",
    ]  # fmt: skip
    assert header == list(HEADER)
    assert len(rows) == len(comparison.changes)
    for cells, row in zip(rows, comparison.changes, strict=True):
        named = dict(zip(header, cells, strict=True))
        assert named["layer"] == row.layer
        assert (int(named["from"]), int(named["to"])) == (10 * row.first, 10 * row.second)
        for field in ("before", "after", "change", "low", "high"):
            number = getattr(row, field)
            assert named[field] == ("" if number is None else repr(number))
        assert named["beyond"] == {None: "", True: "yes", False: "no"}[row.beyond]
    assert {"yes", "no"} & {row[12] for row in rows}


def test_csv_defuses_formulas_and_control_characters():
    text = to_csv(hostile_comparison())
    assert not set(text) & set("\x1b\x07\x85\u202e\x00\t")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert "'=HYPERLINK(1)" in cells


@every
def test_markdown_says_the_verdict_first(case):
    comparison = CASES[case]()
    text = to_markdown(comparison)
    head, _, rest = text.partition("\n\n")
    assert head.startswith("## infoflow diff: ")
    assert rest.startswith("**")
    if case != "hostile":
        assert re.sub(r"&#\d+;", "", rest[2:]).startswith(verdict(comparison)[:12])
    assert ("| layer |" in text) == (case != "same")
    for line in text.splitlines():
        if line.startswith("|") and case != "hostile":
            assert line.count("|") == 10


def test_markdown_escapes_what_names_hold():
    text = to_markdown(hostile_comparison())
    assert "<script" not in text
    assert "<img" not in text
    assert "](javascript" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.count("|") == 10 for line in rows)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 220])
@pytest.mark.parametrize("case", ["two", "five", "reports", "same", "long"])
def test_no_line_is_wider_than_the_window(case, width):
    comparison = CASES[case]()
    text = terminal(comparison, width, hint="what to do next")
    assert all(cell_len(line.rstrip()) <= width for line in text.splitlines())
    flat = " ".join(text.split())
    assert "what to do next" in flat
    assert not re.search(r"\d…", text.replace("… (", ""))


def test_the_table_holds_the_layers_that_changed_most():
    comparison = example_comparison(2, 60, channels=3)
    names = [one.name for one in comparison.layers if one.linear]
    text = terminal(comparison, 100)
    lines = text.partition("the 15 layers")[0].splitlines()
    table = [line.split()[0] for line in lines if line.strip()]
    shown = [name for name in names if shortened(name, 20) in table]
    assert shown == names[:15]
    assert "of 59" in text
    assert "(--top 0 shows all" in text
    assert "--top 0" not in terminal(comparison, 100, top=0)
    assert terminal(comparison, 100, top=0).count("\n") > 60


def test_normalisations_only_where_they_are_asked_for():
    comparison = example_comparison(2, 8)
    assert "1 normalisation layer (--verbose" in " ".join(terminal(comparison).split())
    assert re.search(r"^bn1 ", terminal(comparison, verbose=True), re.M)


def test_what_became_infinite_is_told_and_shown():
    text = terminal(example_comparison(2, 20), 120)
    assert re.search(r"→ −∞", text)
    assert "became −∞: log-volume.density of " in text
    assert "old.fc: not in step-10.pt" in text


def test_a_sequence_has_its_path():
    assert "█" in terminal(example_comparison(5, 8), 100)
    assert "█" not in terminal(example_comparison(2, 8), 100)


def test_names_cannot_move_the_cursor():
    text = terminal(hostile_comparison(), 120, verbose=True, top=0)
    assert not set(text) & {chr(c) for c in range(32) if chr(c) != "\n"}
    assert "\u202e" not in text


def test_reports_alone_say_so():
    flat = " ".join(terminal(example_comparison(2, 8, weights=False), 100).split())
    assert "There are no weights in reports: only their measures are compared." in flat
    assert "change in s.d." in flat.replace("change in s.d.:", "change in s.d.")
