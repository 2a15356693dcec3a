"""Activations in the terminal, in Markdown and in JSON: nothing lost, nothing cut off."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from importlib import import_module

import pytest
from rich.cells import cell_len
from rich.console import Console

from infoflow.findings.chains import CHAINS, told
from infoflow.measures import MODULES
from infoflow.render.activations import estimator, gather_sites, of_activations, span_of
from infoflow.render.data_words import data_line, left_off_line
from infoflow.render.site_table import COLUMNS, information_text, shown, step_text, used
from infoflow.render.table import rows as layer_rows
from infoflow.render.to_csv import to_csv
from infoflow.render.to_json import from_json, to_json
from infoflow.render.to_markdown import to_markdown
from infoflow.render.to_terminal import to_terminal
from infoflow.render.view import gather
from infoflow.report import DataSummary, Measurement, Report, Site
from tests.render.activation_reports import (
    collapsed_report,
    hostile_activations,
    lenet_report,
    resnet_report,
)
from tests.render.reports import empty_report, example_report

REPORTS = {
    "lenet": lenet_report,
    "resnet": resnet_report,
    "collapsed": collapsed_report,
    "hostile": hostile_activations,
}


def printed(report: Report, width: int = 80, **options: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, color_system=None)
    to_terminal(report, console, summary="findings", **options)
    return stream.getvalue()


def bare(*, sites: bool = True) -> Report:
    """Sites of which nothing was measured, or data without any site."""
    data = DataSummary("npz:x.npz", "", 1, None, "none", (), "as stored", "images")
    places = (Site("a", "linear map", (3,), True), Site("b", "", (), False, "a loop"))
    return replace(empty_report(), sites=places if sites else (), data=data)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_the_terminal_keeps_its_width_and_every_site(name: str, width: int) -> None:
    report = REPORTS[name]()
    text = printed(report, width)
    assert all(cell_len(line.rstrip()) <= width for line in text.splitlines())
    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f\u202e]", text)
    if name != "hostile":
        for one in shown(gather_sites(report), unfold=False):
            assert re.search(rf"^{re.escape(one.site.name)} ", text, re.M)


def test_the_terminal_says_what_the_figures_are() -> None:
    flat = " ".join(printed(lenet_report()).split())
    for words in (
        "mnist (test) · 1,000 of 10,000 samples · 1×28×28, mean 0.1307",
        "accuracy 91.7 % (89.8 % to 93.3 %) · NLL 0.339 nats (0.291 to 0.387)",
        "calibration error 4.1 % · predictive entropy 0.142 nats",
        "entropy-difference form, without diagonal; α = 2; σ half the median distance; n = 1,000",
        "on the label chain that it moved the classes apart",
        "Two figures may be compared where X and the rule for σ are the same",
        "conv2 1.57 0 0.970 ±0.011 ↓ falls 0.845 ±0.010",
        "conv1.relu 1.24 3.0 0.990 ±0.011 ? cannot be told",
    ):
        assert words in flat


def test_narrow_windows_keep_information_and_its_step() -> None:
    text = printed(lenet_report(), 60)
    assert "0.970 ±0.011" in text
    assert "↓ falls" in text
    assert "probe" not in text
    assert "nonlinearity" in printed(lenet_report(), 140)
    assert "nonlinearity" not in printed(lenet_report(), 80)


def test_of_many_sites_the_chain_is_shown_and_all_of_them_when_unfolded() -> None:
    report = resnet_report()
    folded, unfolded = printed(report, 100), printed(report, 100, unfold=True)
    assert "layer1.0.bn1.relu" not in folded
    assert "45 sites off the chain not shown (--layers '*' lists them)" in folded
    assert "45 sites of 59 are off the chain: a path of layer1.0 runs around it" in folded
    assert "layer1.0.bn1.relu" in unfolded
    assert "off the chain" in unfolded


def test_without_data_nothing_is_added() -> None:
    report = example_report(layers=6)
    text = printed(report)
    assert "site" not in text
    assert "Activations" not in to_markdown(report)
    assert data_line(report) == ""


@pytest.mark.parametrize("sites", [True, False])
def test_reports_of_which_nothing_was_measured(sites: bool) -> None:
    report = bare(sites=sites)
    assert "npz:x.npz · 1 sample · as stored" in printed(report)
    assert "### Activations" in to_markdown(report)
    assert from_json(to_json(report)) == report


@pytest.mark.parametrize("name", REPORTS)
def test_json_and_csv_hold_everything(name: str) -> None:
    report = REPORTS[name]()
    assert from_json(to_json(report)) == report
    assert to_csv(report).count("\r\n") == len(report.measurements) + 1


def test_markdown_is_one_table_of_sites() -> None:
    text = to_markdown(lenet_report())
    part = text.partition("### Activations")[2].partition("###")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 11
    assert len({line.count("|") for line in lines}) == 1
    assert "| fc1.relu | nonlinearity | 1.09 | 14.0 | 0.820 ±0.011 | ↓ falls | 1.55 ±0.02 |" in part
    assert "<script>" not in to_markdown(hostile_activations())


def test_rows_of_activations_belong_to_sites_and_not_to_layers_of_the_same_name() -> None:
    report = lenet_report()
    layers, elsewhere = gather(report)
    assert not elsewhere
    for facts in layers:
        assert not any(of_activations(measure) for measure, _ in facts.rows)
        assert not any(of_activations(finding.measure) for finding in facts.findings)
    sites = gather_sites(report)
    assert sum(len(one.rows) for one in sites.sites) + len(sites.whole) == sum(
        of_activations(row.measure) for row in report.measurements
    )


def test_a_measure_asked_for_by_name_adds_no_columns_of_activations() -> None:
    report = lenet_report()
    named = replace(report, settings={**report.settings, "measures": "rank"})
    columns, _ = layer_rows(named, unfold=False, norms=False)
    assert not any("entropy" in column.heading and "batch" in column.heading for column in columns)
    assert len(columns) <= 20


def test_a_figure_shows_no_digits_below_its_interval_and_marks_its_reservations() -> None:
    sites = {one.site.name: one for one in gather_sites(collapsed_report()).sites}
    assert information_text(sites["fc12"], "input") == "0.00 ±0.02*"
    assert information_text(sites["fc1"], "input") == "1.70 ±0.02*"
    assert "* with a reservation: inside its null (60)" in " ".join(
        printed(collapsed_report()).split()
    )


def test_steps_off_the_chain_say_so() -> None:
    sites = {one.site.name: one for one in gather_sites(resnet_report()).sites}
    assert step_text(sites["layer1.0.conv1"], "input") == "off the chain"
    assert step_text(sites["conv1"], "input") == ""
    assert step_text(sites["layer1.0"], "input") == "↓ falls"


def test_a_step_whose_sign_is_not_steady_has_a_reservation() -> None:
    report = lenet_report()
    rows = tuple(
        replace(row, note="falls: the sign changes with σ")
        if (row.layer, row.measure) == ("fc1", "data-processing.input")
        else row
        for row in report.measurements
    )
    text = " ".join(printed(replace(report, measurements=rows)).split())
    assert "fc1 1.45 0 0.850 ±0.011 ↓ falls* 0.884" in text
    assert "fc1.relu 1.09 14.0 0.820 ±0.011 ↓ falls 0.887" in text
    assert "* with a reservation: the sign changes with σ (1)" in text


def test_the_error_chain_runs_from_the_output() -> None:
    names = [one.site.name for one in gather_sites(lenet_report()).chain("error")]
    assert names[0] == "fc3"
    assert names[-1] == "conv1"


@pytest.mark.parametrize(
    ("note", "word", "reason"),
    [
        ("falls", "falls", ""),
        ("rises: by 0.2 bits", "rises", "by 0.2 bits"),
        ("cannot be told: inside the null: both", "cannot be told", "inside the null: both"),
    ],
)
def test_the_word_of_a_step_comes_first_in_its_note(note: str, word: str, reason: str) -> None:
    step = told(Measurement("a", CHAINS["input"].steps, "value", 0.1, "bits", note=note))
    assert step is not None
    assert (step.word, step.reason) == (word, reason)


@pytest.mark.parametrize("note", ["", "violated", "not computed"])
def test_another_note_is_no_step(note: str) -> None:
    assert told(Measurement("a", CHAINS["input"].steps, "value", 0.1, "bits", note=note)) is None
    assert told(None) is None


def test_the_estimator_is_what_most_sites_share_without_their_own_values() -> None:
    sites = gather_sites(lenet_report()).sites
    said = estimator(sites, "mutual-information.input")
    assert said.endswith("α = 2; σ half the median distance; n = 1,000")
    assert estimator(sites, "not-a-measure") == ""
    rows = {
        ("m", "value"): Measurement(
            "a", "m", "value", 1.0, "bits", method="form (α = 2); X: σ 48.9 (half-median); "
            "σ 5.6e-05 (half-median); n = 128",
        )
    }  # fmt: skip
    assert estimator([replace(sites[0], rows=rows)], "m") == (
        "form (α = 2); X: σ (half-median); σ (half-median); n = 128"
    )


def test_no_measure_of_weights_counts_as_one_of_activations() -> None:
    names = [
        measure.name
        for module in MODULES
        if ".weights." in module
        for measure in import_module(module).MEASURES
    ]
    assert len(names) > 20
    assert not any(map(of_activations, names))


def test_without_nulls_and_intervals_neither_is_spoken_of() -> None:
    row = Measurement("a", "mutual-information.input", "value", 1.0, "bits")
    report = replace(bare(), measurements=(row,))
    said = " ".join(printed(report).split())
    assert "I(X;T): bits." in said
    assert "1.00" in said


def test_spans_of_histograms() -> None:
    assert span_of("from −3.5 to 1e−2 (2 beyond)") == (-3.5, 0.01)
    assert span_of("from nothing to all") is None


def test_every_column_is_used_and_ranks_differ() -> None:
    assert len({column.rank for column in COLUMNS}) == len(COLUMNS)
    assert used(gather_sites(lenet_report()).sites) == list(COLUMNS)
    assert left_off_line(lenet_report()) == ""
