"""Plots of activations: no text overlaps, pages of a journal's width, what is missing is said."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from infoflow.render import to_plots as module
from infoflow.render.plots.activations import PLOTS
from infoflow.render.plots.activations.data_processing import LOOKS
from infoflow.render.plots.sheet import WIDE, NothingToDraw
from infoflow.render.to_plots import to_plots
from infoflow.report import Report, Site
from tests.render.activation_reports import (
    collapsed_report,
    hostile_activations,
    lenet_report,
    resnet_report,
)
from tests.render.reports import empty_report, example_report
from tests.render.test_plots import check_axes, overlap, texts

REPORTS = {
    "lenet": lenet_report,
    "resnet": resnet_report,
    "collapsed": collapsed_report,
    "hostile": hostile_activations,
    "one": lambda: one_site(),  # noqa: PLW0108 (defined below)
}


def one_site() -> Report:
    whole = lenet_report()
    name = "conv1"
    return replace(
        whole,
        sites=tuple(site for site in whole.sites if site.name == name),
        measurements=tuple(row for row in whole.measurements if row.layer in {"", name}),
        series=tuple(series for series in whole.series if series.layer in {"", name}),
    )


@cache
def drawn(report: str, name: str) -> tuple[Figure, ...]:
    with module._style():
        try:
            figures = PLOTS[name](REPORTS[report]())
        except NothingToDraw as reason:
            pytest.skip(str(reason))
        for figure in figures:
            figure.draw_without_rendering()
        return tuple(figures)


def ends(report: str, name: str) -> Iterator[Figure]:
    figures = drawn(report, name)
    yield from {id(figure): figure for figure in (figures[0], figures[-1])}.values()


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize("report", REPORTS)
def test_no_text_overlaps_another_or_leaves_the_canvas(report: str, name: str) -> None:
    for figure in ends(report, name):
        seen = texts(figure)
        for text, box in seen:
            outside = max(-box.x0, -box.y0, box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1)
            assert outside <= 0.5, text.get_text()
        for (one, first), (two, second) in itertools.combinations(seen, 2):
            assert overlap(first, second) < 1.5, (one.get_text(), two.get_text())
        check_axes(figure)


@pytest.mark.parametrize("name", PLOTS)
def test_captions_say_file_data_and_samples(name: str) -> None:
    for figure in drawn("lenet", name):
        assert figure.get_size_inches()[0] * 25.4 == pytest.approx(WIDE)
        assert figure.get_size_inches()[1] * 25.4 < 247
        for text, _ in texts(figure):
            assert text.get_fontsize() == pytest.approx(8)
        caption = next(text for text in figure.texts if text.get_gid() == "caption").get_text()
        assert caption.startswith("lenet5.pt (LeNet-5 (zoo)): ")
        assert "n = 1,000 samples of mnist (test)" in " ".join(caption.split())
        assert caption.endswith(".")


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("information-profile", ("I(X;T) (bits)", "I(T;Y) (bits)", "batch-entropy (nats)")),
        ("data-processing", ("I(X;T), share of its ceiling",)),
        ("redundancy", ("copy-invariant\n(bits)",)),
        ("calibration", ("confidence", "accuracy", "samples (%)")),
    ],
)
def test_axes_have_units(name: str, units: tuple[str, ...]) -> None:
    figure = drawn("lenet", name)[0]
    labels = {axes.get_ylabel() for axes in figure.axes} | {
        axes.get_xlabel() for axes in figure.axes
    }
    assert set(units) <= labels


def test_a_chain_has_a_page_and_the_error_chain_runs_from_the_output() -> None:
    figures = drawn("lenet", "data-processing")
    assert len(figures) == 3
    label = figures[2].axes[0].get_xticklabels()[0].get_text()
    assert label == "fc3"
    assert figures[2].axes[0].get_xlabel() == "site, from output to input"
    captions = [" ".join(figure.texts[0].get_text().split()) for figure in figures]
    assert "no proof of an error" in captions[2]
    assert "the sign of learning" in captions[1]


def test_steps_have_the_colour_of_their_word() -> None:
    axes = drawn("lenet", "data-processing")[0].axes[0]
    segments = [line for line in axes.lines if len(line.get_xdata()) == 2]
    colours = [line.get_color() for line in segments]
    assert colours.count(LOOKS["falls"][0]) == 6
    assert colours.count(LOOKS["cannot be told"][0]) == 4
    assert sum(text.get_text() == "?" for text in axes.texts) == 4
    assert len({look[0] for look in LOOKS.values()}) == 3


def test_files_are_named_and_pages_numbered(tmp_path: Path) -> None:
    plots = to_plots(replace(one_site(), layers=()), tmp_path)
    names = {path.name for path in plots.written}
    assert {"information-profile.png", "redundancy.png", "calibration.png"} <= names
    assert {"neuron-histograms-01.png", "neuron-histograms-02.png"} <= names
    assert any(reason.startswith("data-processing: ") for reason in plots.skipped)


def test_a_report_without_data_does_not_speak_of_these_plots() -> None:
    _, skipped = module.drawn(replace(example_report(4), layers=()), "svg")
    assert not any(reason.partition(":")[0] in PLOTS for reason in skipped)


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_measured_is_nothing_to_draw(name: str) -> None:
    report = replace(empty_report(), sites=(Site("a", "linear map", (2,), True),))
    with pytest.raises(NothingToDraw):
        PLOTS[name](report)
