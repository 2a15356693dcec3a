"""The table of outputs, and what all of them share: hidden characters, words, views of a layer."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module

import pytest

from infoflow.render import RENDERERS
from infoflow.render.text import base_name, printable
from infoflow.render.to_csv import to_csv
from infoflow.render.to_html import to_html
from infoflow.render.to_json import from_json, to_json
from infoflow.render.to_markdown import to_markdown
from infoflow.render.view import by_severity, gather
from infoflow.report import LayerSummary, Measurement, Severity
from tests.render.reports import MEASURES, empty_report, example_report

KNOWN = {"summary": "3 findings in 20 layers", "measures": MEASURES}
HIDDEN = [
    "\x00", "\x1b", "\x7f", "\x85", "\u00ad", "\u061c", "\u180e", "\u200b", "\u200e", "\u2028",
    "\u2029", "\u202e", "\u2060", "\u2066", "\u206a", "\ufeff", "\ue000", "\ud800", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("name", RENDERERS)
def test_each_row_names_functions_that_render(name):
    renderer = RENDERERS[name]
    module = import_module(renderer.module)
    function = getattr(module, renderer.function)
    assert set(renderer.takes) <= set(inspect.signature(function).parameters)
    text = renderer([example_report()], **KNOWN)
    assert "layer1.0.conv1" in text
    assert text == renderer([example_report()], **KNOWN)
    assert ("3 findings in 20 layers" in text) == ("summary" in renderer.takes)
    if renderer.several:
        assert text.splitlines()[1] in renderer([example_report(), empty_report()])
    else:
        with pytest.raises(ValueError, match="takes one report, not 2"):
            renderer([example_report(), empty_report()])


@pytest.mark.parametrize("char", HIDDEN, ids=lambda char: f"U+{ord(char):04X}")
def test_no_output_holds_a_hidden_character(char):
    name = f"a{char}b"
    report = dataclasses.replace(
        empty_report(),
        source=name,
        notes=(name,),
        layers=(LayerSummary(name, "dense", (2, 2), "float32", 4),),
        measurements=(Measurement(name, "rank", "value", 2.0, "count"),),
    )
    shown = printable(name)
    assert shown.isprintable()
    assert shown != name
    for text in (to_csv(report), to_markdown(report), to_html(report)):
        assert char == "\x00" or char not in text
        assert "\x00" not in text
    assert to_markdown(report).count(shown.replace("\\", "&#92;")) >= 2
    assert char not in to_json(report)
    assert from_json(to_json(report)) == report


@pytest.mark.parametrize("text", ["log|c₁₁| −∞ ünï 层 🧠", "64\u202fslices\xa0%", "", "\u0378"])
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("source", "name"), [("a/b/c.pt", "c.pt"), ("folder/", "folder"), ("c.pt", "c.pt"), ("", "")]
)
def test_the_name_of_a_file_is_its_last_part(source, name):
    assert base_name(dataclasses.replace(empty_report(), source=source)) == name


def test_findings_come_most_serious_first():
    mixed = tuple(reversed(example_report().findings))
    order = [finding.severity for finding in by_severity(mixed)]
    assert order == [Severity.SERIOUS, Severity.WARNING, Severity.NOTE, Severity.NOTE]


@pytest.mark.parametrize(
    ("layer", "full"),
    [
        (LayerSummary("a", "dense", (10, 4), "float32", 40), 4),
        (LayerSummary("a", "convolution", (8, 2, 3, 3), "float32", 144, (2, 2), (1, 1)), 8),
        (LayerSummary("a", "convolution", (8, 2, 1, 1), "float32", 16, (2, 2), (1, 1)), 2),
        (LayerSummary("a", "convolution", (8, 2, 3, 3), "float32", 144, (2, 2), (2, 2)), 2),
        (LayerSummary("a", "convolution", (8, 1, 3, 3), "float32", 72, (1, 1), (1, 1), 8), 8),
    ],
)
def test_the_full_rank_of_a_shape(layer, full):
    """As the rank measure has it: groups times the smaller side, phases of a stride as columns."""
    report = dataclasses.replace(empty_report(), layers=(layer,))
    (facts,), elsewhere = gather(report)
    assert facts.full_rank == full
    assert elsewhere == {}
    rows = (Measurement("a", "rank", "full", 3.0, "count"),)
    ((measured,), _) = gather(dataclasses.replace(report, measurements=rows))
    assert measured.full_rank == 3


def test_the_strip_counts_the_layers_of_the_finding_and_says_its_limit():
    report = example_report()
    finding = next(one for one in report.findings if one.rule == "far-from-random")
    text = to_html(report)
    assert f"<b>{len(finding.layers)}<small>of 17</small></b><span>layers are far" in text
    assert "beyond ±4.0 standard errors" in text
    without = dataclasses.replace(report, findings=())
    assert "layers are far from their random twin" not in to_html(without)
    assert "chance is no explanation" not in to_html(without)
