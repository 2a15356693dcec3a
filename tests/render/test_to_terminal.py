"""The terminal report at several widths: nothing cut off, nothing dangerous, nothing lost."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from infoflow.render.text import number, percent, printable, shortened
from infoflow.render.to_terminal import to_terminal
from tests.render.reports import example_report, hostile_report


def rendered(report, width=80, **options):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, color_system=None)
    to_terminal(report, console, summary="3 findings", **options)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 220])
def test_every_layer_and_finding_at_every_width(width):
    report = example_report(layers=12)
    text = rendered(report, width)
    assert all(cell_len(line.rstrip()) <= width for line in text.splitlines())
    flat = " ".join(text.split())
    for finding in report.findings:
        assert " ".join(finding.sentence.split()) in flat
        assert " ".join(finding.advice.split()) in flat
    for words in ("3 findings", "of parameters analysed", "(--arch gives it)", "(95 %)"):
        assert words in flat
    for layer in report.layers:
        if layer.kind != "normalisation":
            assert shortened(layer.name, 16) in text or layer.name in text


def test_no_heading_is_cut_off_above_short_names():
    report = example_report(layers=3, names=("a", "b", "c"))
    for width in range(36, 100, 3):
        assert "…" not in rendered(report, width, verbose=True)


def test_no_number_is_cut_off():
    assert not re.search(r"\d…", rendered(example_report(layers=20), 80))


def test_wider_windows_show_more():
    report = example_report(layers=12)
    assert "stable" not in rendered(report, 80)
    assert "stable" in rendered(report, 180)
    assert "█" in rendered(report, 100)


def test_long_networks_fold_and_say_so():
    report = example_report(layers=120)
    folded, unfolded = rendered(report), rendered(report, unfold=True)
    assert "medians shown" in folded
    assert len(folded.splitlines()) < len(unfolded.splitlines()) - 40
    assert "medians shown" not in unfolded


def test_verbose_lists_normalisations_and_what_was_left_out():
    report = example_report(layers=12)
    norm = next(layer.name for layer in report.layers if layer.kind == "normalisation")
    assert f"{norm} " in rendered(report, verbose=True)
    for record in report.coverage.tensors:
        if record.status != "analysed":
            assert record.reason[:20] in rendered(report, 300, verbose=True)


def test_names_cannot_move_the_cursor():
    text = rendered(hostile_report(), 100, verbose=True)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\u2066]", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0.0, "0.00"), (-1.005, "−1.00"), (1234567.8, "1.2e6"), (-1e-9, "−1.0e−9")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_a_share_is_100_per_cent_only_where_it_is():
    assert percent(1.0) == "100\xa0%"
    assert percent(1 - 1e-9) == "99.9\xa0%"
    assert percent(1e-9) == "0.1\xa0%"


def test_printable_keeps_letters_of_every_script():
    assert printable("Schicht 层 слой") == "Schicht 层 слой"
