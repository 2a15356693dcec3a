"""The outputs of a check: whole, valid, and safe with any name."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infoflow.checking import CheckResult, Row, Verdict
from infoflow.render.checks import RENDERERS
from infoflow.render.checks.to_annotations import data, property_value, to_annotations
from infoflow.render.checks.to_json import to_json
from infoflow.render.checks.to_junit import to_junit, xml_text
from infoflow.render.checks.to_markdown import LISTED, to_markdown
from infoflow.render.checks.to_terminal import to_terminal
from infoflow.render.files import encoded
from tests.render.reports import HOSTILE_NAMES

FAILED = Row(
    Verdict.FAILED,
    "model.pt",
    "threshold",
    "stable-rank",
    ("fc1",),
    "1.5",
    "at least 2",
    "stable-rank of fc1 is 1.5; allowed: at least 2.",
    1.5,
    unit="count",
)
PASSED = replace(
    FAILED,
    verdict=Verdict.PASSED,
    layers=("fc2",),
    found="2.1",
    sentence="stable-rank of fc2 is 2.1; allowed: at least 2.",
    value=2.1,
    uncertain=True,
)
SUPPRESSED = Row(
    Verdict.SUPPRESSED,
    "model.pt",
    "finding",
    "dead-filters",
    ("conv1", "conv2"),
    "warning",
    "",
    "3 filters are dead.",
    reason="pruned on purpose, ticket 123",
)
WARNING = replace(SUPPRESSED, verdict=Verdict.WARNING, reason="", layers=("conv3",))
NOTE = replace(WARNING, verdict=Verdict.NOTE, subject="coverage", layers=())
OWN = Row(Verdict.WARNING, "", "suppression", "non-finite", (), "not needed", "", "Not needed.")
OUTCOME = CheckResult(
    ("model.pt",),
    (FAILED, PASSED, SUPPRESSED, WARNING, NOTE, OWN),
    "infoflow.toml",
    "baseline.json",
    ("serious findings fail",),
)
TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("\x00\x1b\r\n\ufffe\uffff\ud800%:,<>&|`\u202e")),
    max_size=12,
)


def named(text):
    """The outcome with a text wherever texts of a file or of the settings can be."""
    rows = [
        replace(row, source=text, layers=(text,), sentence=f"{text} is so.", reason=text)
        for row in (FAILED, PASSED, SUPPRESSED, WARNING, NOTE)
    ]
    return CheckResult((text,), tuple(rows), text, text, (text,))


def terminal(outcome, width=80, verbose=False):
    text = io.StringIO()
    to_terminal(outcome, Console(file=text, width=width, color_system=None, markup=False,
                                 highlight=False, emoji=False), verbose=verbose)  # fmt: skip
    return text.getvalue()


@pytest.mark.parametrize("name", RENDERERS)
def test_the_reason_of_what_is_suppressed_is_in_every_output(name):
    assert "pruned on purpose, ticket 123" in RENDERERS[name](OUTCOME)


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_the_terminal_says_what_failed_first_and_fits(width):
    shown = terminal(OUTCOME, width)
    assert shown.startswith("FAIL stable-rank of fc1 is 1.5;")
    assert max(map(len, shown.splitlines())) <= width
    plain = " ".join(shown.split())
    for words in ("ticket 123", "failed: 1 of 2 checks", "settings infoflow.toml", "fc2 is 2.1"):
        assert words in plain


def test_what_held_is_told_where_it_is_asked_for_or_uncertain():
    sure = replace(OUTCOME, rows=(replace(PASSED, uncertain=False),))
    assert "fc2" not in terminal(sure)
    assert "ok   stable-rank of fc2" in terminal(sure, verbose=True)


def test_json_holds_every_field():
    found = json.loads(to_json(OUTCOME))
    assert found["passed"] is False
    assert found["counts"] == {"failed": 1, "warning": 2, "note": 1, "suppressed": 1, "passed": 1}
    assert found["rows"][0]["value"] == 1.5
    assert found["rows"][2]["layers"] == ["conv1", "conv2"]
    assert json.loads(to_json(CheckResult((), ())))["rows"] == []


def test_junit_has_the_usual_shape():
    root = Tree.fromstring(to_junit(OUTCOME))
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["model.pt", "infoflow.toml"]
    for suite in suites:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
        assert suite.get("errors") == "0"
        for case in cases:
            assert case.get("name")
            assert case.get("classname", "").startswith("infoflow.")
            assert {child.tag for child in case} <= {"failure", "skipped"}
        assert {child.tag for child in suite} <= {"testcase", "system-out"}
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == FAILED.sentence
    assert "warning: 3 filters are dead." in root.findtext("testsuite/system-out", "")


def test_annotations_are_one_command_a_line():
    lines = to_annotations(OUTCOME).splitlines()
    assert lines[0] == (
        "::error file=model.pt,title=stable-rank of fc1::"
        "stable-rank of fc1 is 1.5; allowed: at least 2."
    )
    assert [line.partition(" ")[0] for line in lines] == [
        "::error",
        "::notice",
        "::warning",
        "::warning",
    ]
    assert lines[-1].startswith("::warning file=infoflow.toml,title=")
    assert to_annotations(CheckResult((), (PASSED,))) == ""


def unescaped(text, more=False):
    """What GitHub's runner does with a message, or with a property."""
    pairs = [("%3A", ":"), ("%2C", ",")] if more else []
    for code, char in [("%0D", "\r"), ("%0A", "\n"), *pairs, ("%25", "%")]:
        text = text.replace(code, char)
    return text


@given(st.text(max_size=30) | st.text("%0ADC235:,\r\n", max_size=12))
def test_escapes_come_back(text):
    assert unescaped(data(text)) == text
    assert unescaped(property_value(text), more=True) == text
    assert not set("\r\n") & set(data(text))
    assert not set("\r\n:,") & set(property_value(text))


COMMAND = re.compile(r"::(error|warning|notice) (file=[^,:]*,)?title=[^,:]*::[^\r\n]*")


@given(TEXTS)
def test_no_name_breaks_an_output(text):
    outcome = named(text)
    Tree.fromstring(encoded(to_junit(outcome)))
    assert json.loads(encoded(to_json(outcome)))["passed"] is False
    lines = to_annotations(outcome).split("\n")[:-1]
    assert len(lines) == 3
    assert all(COMMAND.fullmatch(line) for line in lines)
    rows = [line for line in to_markdown(outcome).split("\n") if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert len(rows) == 6
    for shown in (
        to_junit(outcome),
        to_annotations(outcome),
        to_markdown(outcome),
        terminal(outcome),
    ):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", shown)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_no_markup(name):
    shown = to_markdown(named(name))
    assert "<script" not in shown
    assert "<img" not in shown
    assert "](javascript" not in shown


@given(st.text(st.characters(), max_size=20))
def test_xml_text_holds_what_xml_can(text):
    root = Tree.Element("a", {"b": xml_text(text)})
    assert Tree.fromstring(encoded(Tree.tostring(root, encoding="unicode"))).get("b") == xml_text(
        text
    )


def test_what_xml_can_hold_stays_as_it_is():
    assert xml_text("conv1 <&> ∞") == "conv1 <&> ∞"
    assert xml_text("\x00\uffff\ud800") == "\\x00\\uffff\\ud800"


def test_notes_stand_once_in_junit():
    assert to_junit(OUTCOME).count("serious findings fail") == 1


def test_markdown_has_its_parts():
    shown = to_markdown(OUTCOME)
    assert shown.startswith("## ❌ infoflow check: failed: 1 of 2 checks")
    for part in ("### Failed", "### Warnings", "### Suppressed", "### Notes", "<details>"):
        assert part in shown
    assert "| fc1 | stable-rank | 1.5 | at least 2 |" in shown
    assert to_markdown(CheckResult(("a",), (PASSED,))).startswith("## ✅ infoflow check: passed")


def test_markdown_says_why_there_is_no_figure():
    absent = replace(FAILED, found="no figure", value=None, sentence="fc1 has none: NaN.")
    fell = replace(FAILED, found="3 → −∞", value=None)
    shown = to_markdown(CheckResult(("model.pt",), (absent, fell)))
    assert "| fc1 | stable-rank | fc1 has none: NaN. | at least 2 |" in shown
    assert "| fc1 | stable-rank | 3 → −∞ | at least 2 |" in shown


def test_long_lists_are_cut_and_say_so():
    rows = tuple(replace(FAILED, layers=(f"layer{n}",)) for n in range(LISTED + 7))
    shown = to_markdown(CheckResult(("model.pt",), rows))
    assert f"layer{LISTED - 1}" in shown
    assert f"layer{LISTED} " not in shown
    assert "and 7 more" in shown


def test_several_checkpoints_are_told_apart():
    both = CheckResult(
        ("a.pt", "b.pt"), (replace(FAILED, source="a.pt"), replace(SUPPRESSED, source="b.pt"))
    )
    assert "| a.pt | fc1 |" in to_markdown(both)
    assert "(b.pt)" in to_markdown(both)
    assert "FAIL a.pt: stable-rank" in terminal(both)
    assert [s.get("name") for s in Tree.fromstring(to_junit(both))] == ["a.pt", "b.pt"]
