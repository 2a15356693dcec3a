"""JSON: what is read equals what was written, and what is wrong is refused in one sentence."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from infoflow.errors import ReportError
from infoflow.render.to_json import from_json, from_json_list, schema, to_json, to_json_list
from infoflow.report import (
    Coverage,
    Finding,
    LayerSummary,
    Measurement,
    Report,
    Series,
    Severity,
    Status,
    TensorRecord,
)
from tests.render.reports import empty_report, example_report, hostile_report

TEXTS = st.text(max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
MAYBE = st.none() | NUMBERS
SHAPES = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@st.composite
def measurements(draw):
    value = draw(MAYBE)
    note = draw(TEXTS) if value is not None else "−∞: " + draw(TEXTS)
    texts = [draw(TEXTS) for _ in range(5)]
    return Measurement(*texts[:3], value, texts[3], draw(MAYBE), draw(MAYBE), texts[4], note)


@st.composite
def pictures(draw):
    shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple))
    size = int(np.prod(shape))
    values = tuple(draw(st.lists(MAYBE, min_size=size, max_size=size)))
    return Series(draw(TEXTS), draw(TEXTS), draw(TEXTS), shape, values, draw(TEXTS))


FINDINGS = st.builds(
    Finding, TEXTS, st.sampled_from(Severity), st.lists(TEXTS, max_size=2).map(tuple), TEXTS,
    MAYBE, MAYBE, TEXTS, TEXTS,
)  # fmt: skip
LAYERS = st.builds(
    LayerSummary, TEXTS, TEXTS, SHAPES, TEXTS, st.integers(0, 10**12), SHAPES, SHAPES,
    st.integers(1, 9), st.none() | SHAPES, TEXTS, TEXTS,
)  # fmt: skip
TENSORS = st.builds(
    TensorRecord, TEXTS, SHAPES, TEXTS, st.integers(0, 10**12), st.sampled_from(Status), TEXTS,
    st.booleans(), TEXTS,
)  # fmt: skip
PAIRS = st.dictionaries(TEXTS, TEXTS, max_size=2)
REPORTS = st.builds(
    Report,
    source=TEXTS,
    format=TEXTS,
    digest=TEXTS,
    architecture=TEXTS,
    layers=st.lists(LAYERS, max_size=2).map(tuple),
    measurements=st.lists(
        measurements(), max_size=3, unique_by=lambda row: (row.layer, row.measure, row.statistic)
    ).map(tuple),
    series=st.lists(pictures(), max_size=2, unique_by=lambda s: (s.layer, s.name)).map(tuple),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    coverage=st.lists(TENSORS, max_size=2).map(tuple).map(Coverage),
    settings=PAIRS,
    versions=PAIRS,
    notes=st.lists(TEXTS, max_size=2).map(tuple),
    created=TEXTS,
)


def plain(report=None):
    return json.loads(to_json(report or example_report(6)))


@given(REPORTS)
@settings(max_examples=40, deadline=None)
def test_reads_back_into_the_same_report(report):
    text = to_json(report)
    text.encode("utf-8")
    again = from_json(text)
    assert again == report
    assert to_json(again) == text
    Draft202012Validator(schema()).validate(json.loads(text))


@pytest.mark.parametrize("report", [example_report(9), hostile_report(), empty_report()])
def test_real_reports_fit_the_schema_and_read_back(report):
    text = to_json(report)
    assert from_json(text) == report
    Draft202012Validator(schema()).validate(json.loads(text))


def test_types_are_those_of_the_report():
    again = from_json(to_json(example_report(6)))
    assert isinstance(again.findings[0].severity, Severity)
    assert isinstance(again.coverage.tensors[0].status, Status)
    assert isinstance(again.layers[0].shape, tuple)
    assert again.row("conv1", "entropy-change.c11", "mean") is not None


def test_one_row_a_line_in_report_order():
    report = example_report(6)
    lines = to_json(report).splitlines()
    start = lines.index('  "measurements": [') + 1
    rows = [
        json.loads(line.strip().rstrip(",")) for line in lines[start:][: len(report.measurements)]
    ]
    assert [(r["layer"], r["measure"], r["statistic"]) for r in rows] == [
        (r.layer, r.measure, r.statistic) for r in report.measurements
    ]
    assert list(rows[0]) == [
        "layer", "measure", "statistic", "value", "unit", "low", "high", "method", "note",
    ]  # fmt: skip


def test_text_is_readable_and_what_acts_on_a_terminal_is_not_in_it():
    text = to_json(hostile_report())
    assert "log|c₁₁|" in to_json(dataclasses.replace(empty_report(), notes=("log|c₁₁| is −∞",)))
    assert not set(text) & set("\x1b\x07\x85\x9b\u202e\u2066\u2028\x00")
    surrogate = dataclasses.replace(empty_report(), notes=("a\ud800b",))
    to_json(surrogate).encode("utf-8")
    assert from_json(to_json(surrogate)) == surrogate


def test_numpy_numbers_are_written_as_plain_ones():
    rows = (
        Measurement("a", "x", "value", np.float64(0.1), "nats"),
        Measurement("b", "x", "value", np.float32(0.1), "nats"),
        Measurement("c", "x", "value", np.int64(3), "count"),
    )
    again = from_json(to_json(dataclasses.replace(empty_report(), measurements=rows)))
    assert [row.value for row in again.measurements] == [0.1, float(np.float32(0.1)), 3]


def test_several_reports_are_a_list():
    reports = [example_report(4), empty_report()]
    text = to_json_list(reports)
    assert from_json_list(text) == reports
    Draft202012Validator(schema()).validate(json.loads(text))
    assert from_json_list(to_json_list([])) == []
    assert from_json_list(to_json(reports[0])) == reports[:1]
    with pytest.raises(ReportError, match="holds a list of reports"):
        from_json(text)


def test_the_writer_refuses_nan_and_contradictions():
    nan = Series("a", "spectrum", "ratio", (1,), (float("nan"),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(empty_report(), series=(nan,)))
    row = Measurement("a", "rank", "value", 1.0, "count")
    with pytest.raises(ValueError, match="two rows for 'a' rank value"):
        to_json(dataclasses.replace(empty_report(), measurements=(row, row)))
    short = Series("a", "spectrum", "ratio", (3,), (1.0,))
    with pytest.raises(ValueError, match="has 1 value, but the shape"):
        to_json(dataclasses.replace(empty_report(), series=(short,)))


def changed(path, value):
    data = plain()
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def without(path):
    data = plain()
    place = data
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return data


WRONG = [
    (changed(["schema_version"], 99), "schema version 99; this infoflow reads version 2"),
    (changed(["schema_version"], True), "schema version true"),
    (without(["schema_version"]), "no field 'schema_version'"),
    (without(["coverage"]), "The report: the field 'coverage' is missing"),
    (without(["measurements", 1, "unit"]), r"measurements\[1\]: the field 'unit' is missing"),
    (changed(["measurements", 0, "value"], "1"), r"measurements\[0\]\.value: '1' is not a number"),
    (changed(["measurements", 0, "value"], True), "true is not a number"),
    (changed(["measurements", 0, "layer"], None), r"\.layer: null is not a text"),
    (changed(["measurements", 0, "extra"], 1), "the field 'extra' is not known"),
    (changed(["measurements", 0, "value"], None), "a missing value needs a note"),
    (changed(["measurements", 0], 3), r"measurements\[0\]: 3 is not an object"),
    (changed(["layers"], {}), r"layers: \{\} is not a list"),
    (changed(["layers", 0, "parameters"], 1.5), "1.5 is not a whole number"),
    (changed(["layers", 0, "shape"], [1, "2"]), r"shape\[1\]: '2' is not a whole number"),
    (changed(["findings", 0, "severity"], "dire"), "'dire' is none of 'serious', "),
    (changed(["findings", 0, "severity"], ["x"]), "is none of"),
    (changed(["coverage", "tensors", 0, "assumed"], 0), "0 is not true or false"),
    (changed(["settings"], []), r"settings: \[\] is not an object"),
    (changed(["settings", "seed"], 0), r"settings\.seed: 0 is not a text"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "sentence"), WRONG)
def test_wrong_reports_are_refused_by_reader_and_schema(data, sentence):
    with pytest.raises(ReportError, match=sentence) as refusal:
        from_json(json.dumps(data))
    message = str(refusal.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert not Draft202012Validator(schema()).is_valid(data)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON: expecting value at line 1, column 1"),
        ("{", "not JSON"),
        ("[" * 100_000, "too long or too deep"),
        ("7", "no field 'schema_version'"),
        ('"text"', "no field 'schema_version'"),
        ("[]", "holds a list"),
        (to_json(empty_report()).replace('"layers": []', '"layers": NaN'), "holds NaN"),
        (to_json(empty_report()).replace('"layers": []', '"layers": -Infinity'), "holds -Infinity"),
    ],
)
def test_texts_that_are_no_report(text, sentence):
    with pytest.raises(ReportError, match=sentence):
        from_json(text)


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400, "-1e999"])
def test_numbers_that_overflow_are_refused(number):
    text = to_json(example_report(5)).replace('"value": 48.0', f'"value": {number}', 1)
    assert number in text
    with pytest.raises(ReportError, match=r"measurements\[0\]\.value: the number is too large"):
        from_json(text)
    series = Series("a", "spectrum", "ratio", (2,), (1.0, 0.5))
    text = to_json(dataclasses.replace(empty_report(), series=(series,)))
    with pytest.raises(ReportError, match=r"series\[0\]\.values\[1\]: the number is too large"):
        from_json(text.replace("0.5]", f"{number}]"))


def test_numbers_where_texts_belong_are_refused():
    with pytest.raises(ReportError, match=r"notes\[0\]: 1.0 is not a text"):
        from_json(json.dumps(changed(["notes"], [1.0, 2.0])))


def test_duplicate_rows_are_refused():
    data = plain()
    data["measurements"].append(data["measurements"][0])
    with pytest.raises(ReportError, match=r"two rows for 'conv1' entropy-change\.c11 count"):
        from_json(json.dumps(data))
    data = plain()
    data["series"].append(data["series"][0])
    with pytest.raises(ReportError, match="two series c11 of 'conv1'"):
        from_json(json.dumps(data))
    data = plain()
    data["series"][0]["values"].pop()
    with pytest.raises(ReportError, match="47 values, but the shape"):
        from_json(json.dumps(data))


def test_schema_is_valid_and_follows_the_dataclasses():
    published = schema()
    Draft202012Validator.check_schema(published)
    for kind in (Report, Measurement, Series, Finding, LayerSummary, TensorRecord, Coverage):
        definition = published["$defs"][kind.__name__]
        assert list(definition["properties"]) == [field.name for field in dataclasses.fields(kind)]
        assert definition["description"]
    value = published["$defs"]["Measurement"]["properties"]["value"]
    assert value["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert "does not exist" in value["description"]
    assert schema() == published
    published["$defs"].clear()
    assert schema()["$defs"]
