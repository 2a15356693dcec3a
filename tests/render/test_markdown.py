"""Markdown: read back by a Markdown parser, every name is text in its own cell."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.render.text import printable
from infoflow.render.to_markdown import LISTED_TENSORS, escaped, to_markdown
from infoflow.report import Coverage, Status, TensorRecord
from tests.render.reports import HOSTILE_NAMES, empty_report, example_report, hostile_report

markdown_it = pytest.importorskip("markdown_it")


def tokens(text):
    return markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def plain(inline):
    """The text of a cell or paragraph; the test fails on any markup in it but bold."""
    words = []
    for token in inline.children:
        allowed = {"text", "softbreak", "strong_open", "strong_close", "text_special"}
        comment = token.type == "html_inline" and token.content == "<!-- -->"
        assert token.type in allowed or comment, (token.type, token.content)
        words.append("" if comment else token.content)
    return "".join(words)


def cells(text):
    """All rows of all tables, each a list of texts."""
    rows = []
    parsed = tokens(text)
    for token, following in itertools.pairwise(parsed):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append(plain(following))
    return rows


@given(st.text(max_size=30) | st.text("|`\\*_<>[]()!#~$-+=&@:/w. \n\t1a", max_size=12))
@settings(max_examples=50, deadline=None)
def test_any_text_stays_the_text_of_one_cell(text):
    rows = cells(f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n")
    assert len(rows) == 2
    assert rows[1][1] == "end"
    assert rows[1][0].replace("\xa0", " ") == printable(text).replace("\xa0", " ")
    bullets = [token for token in tokens(f"- x {escaped(text)}") if token.type == "inline"]
    assert [plain(bullet).strip() for bullet in bullets] == [f"x {printable(text)}".strip()]


@pytest.mark.parametrize("text", ["<b>", "a|b", "`x`", "**x**", "[a](b)", "![a](b)", "~~x~~"])
def test_the_parser_of_these_tests_sees_markup_that_is_not_escaped(text):
    with pytest.raises(AssertionError):
        assert cells(f"| a |\n| --- |\n| {text} |\n")[1] == [text]


def test_names_stay_readable_in_the_source():
    assert escaped("encoder.layer_1.q-proj (3×3): 3.7") == "encoder.layer_1.q-proj (3×3): 3.7"
    assert escaped("1. a") == "1&#46; a"
    assert "@<!-- -->octocat" in escaped("ask @octocat")
    assert "://" not in escaped("https://evil.example")
    assert "www." not in escaped("www.evil.example")


def test_head_findings_table_and_coverage():
    report = example_report(8)
    text = to_markdown(report, "4 findings in 8 layers: 1 serious")
    assert text.startswith("## infoflow: resnet20-12fca82f.th\n")
    assert "ResNet-20 (CIFAR) recognised" in text
    assert "\n**4 findings in 8 layers: 1 serious**\n" in text
    for finding in report.findings:
        assert escaped(finding.sentence) in text
        assert escaped(finding.advice) in text
    assert text.index("**serious**") < text.index("**warning**") < text.index("**note**")
    table = cells(text)
    assert table[0] == [
        "layer", "shape", "mean log|c₁₁| a slice", "random z", "block c₁₁ or log|det|",
        "log-volume", "rank",
    ]  # fmt: skip
    rows = {row[0]: row for row in table[1:]}
    linear = [layer for layer in report.layers if layer.kind != "normalisation"]
    assert set(rows) >= {layer.name for layer in linear}
    mean = report.row("conv1", "entropy-change.c11", "mean").value
    assert rows["conv1"][1] == "16×3×3×3"
    assert rows["conv1"][2] == f"{mean:.2f}".replace("-", "−")
    dead = report.findings[0].layers[0]
    assert rows[dead][2] == "−∞"
    assert rows["mystery.table"][2:] == ["not supported", "three dimensions, of no known layer"]
    assert all(len(row) in (7, 4) for row in table)


def test_hostile_names_are_text():
    text = to_markdown(hostile_report())
    names = {row[0] for row in cells(text)}
    layers = hostile_report().layers
    assert {layer.name for layer in layers} == set(HOSTILE_NAMES)
    linear = [printable(layer.name) for layer in layers if layer.kind != "normalisation"]
    shown = {name.strip() for name in linear if 0 < len(name) < 80}
    assert shown <= {name.strip() for name in names}
    assert "(no name)" in names
    assert not re.search(r"<(?!/?details>|/?summary>|!-- -->)", text)
    assert not set(text) & set("\x1b\x07\x85\u202e\x00\t")
    for token in tokens(text):
        if token.type == "inline":
            plain(token)


def test_nothing_found_and_nothing_there():
    text = to_markdown(empty_report(), "nothing to report")
    assert "\n**nothing to report**\n" in text
    assert "**" not in to_markdown(empty_report())
    assert "###" not in text
    assert "### Findings" not in to_markdown(example_report(6, broken=False))


def test_long_lists_of_tensors_are_cut_and_unsupported_ones_come_first():
    passive = [
        TensorRecord(f"bias{i}", (1,), "float32", 1, Status.NOT_LINEAR, "a bias")
        for i in range(500)
    ]
    odd = TensorRecord("odd", (2, 2, 2), "float32", 8, Status.NOT_SUPPORTED, "unknown")
    report = dataclasses.replace(empty_report(), coverage=Coverage((*passive, odd)))
    text = to_markdown(report)
    rows = cells(text)
    assert rows[1][0] == "odd"
    assert len(rows) == 1 + LISTED_TENSORS
    assert "Not analysed: 501 tensors" in text
    assert f"and {501 - LISTED_TENSORS} more" in text
