"""Plots: drawn for every size of network, nothing overlapping, cut off or blank."""

from __future__ import annotations

import dataclasses
import io
import itertools
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from matplotlib.text import Text  # noqa: E402

from infoflow.errors import MissingDependencyError, OutputError  # noqa: E402
from infoflow.render import to_plots as module  # noqa: E402
from infoflow.render.plots import PLOTS  # noqa: E402
from infoflow.render.plots.sheet import (  # noqa: E402
    NARROW,
    WIDE,
    NothingToDraw,
    drawable,
    label,
    text_width,
    wrapped,
)
from infoflow.render.to_plots import Plots, rendered, to_plots  # noqa: E402
from infoflow.report import Measurement, Report, Series  # noqa: E402
from tests.render.reports import empty_report, example_report, hostile_report  # noqa: E402


def only(report: Report, *names: str) -> Report:
    """The report of some of its layers."""
    return dataclasses.replace(
        report,
        layers=tuple(layer for layer in report.layers if layer.name in names),
        measurements=tuple(row for row in report.measurements if row.layer in names),
        series=tuple(series for series in report.series if series.layer in names),
        findings=(),
    )


def dead(report: Report) -> Report:
    """The report as if every weight were zero: −∞ everywhere."""
    gone = "−∞: every weight is exactly zero"
    return dataclasses.replace(
        report,
        measurements=tuple(
            row
            if row.unit in ("count", "share")
            else dataclasses.replace(row, value=None, low=None, high=None, note=gone)
            for row in report.measurements
            if not row.measure.startswith("random-twin")
        ),
        series=tuple(
            dataclasses.replace(series, values=(None,) * len(series.values))
            for series in report.series
            if series.name != "c11.outliers"
        ),
    )


def over_rank(report: Report) -> Report:
    """The report, one layer of it with a log-volume over its rank only."""
    infinite = [r.layer for r in report.rows(measure="log-volume.density") if r.is_minus_infinity]
    name = infinite[1]  # the first is all zero
    rows = (
        Measurement(name, "log-volume.density.over-rank", "value", -7.0, "nats per position"),
        Measurement(name, "rank", "value", 5.0, "count"),
    )
    kept = [
        row
        for row in report.measurements
        if (row.layer, row.measure, row.statistic) != (name, "rank", "value")
    ]
    return dataclasses.replace(report, measurements=(*kept, *rows))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@cache
def network(size: str) -> Report:
    makers = {
        "one": lambda: only(example_report(4), "conv1"),
        "three": lambda: example_report(4, channels=4),
        "twenty": lambda: over_rank(example_report(20)),
        "sixty": lambda: example_report(60, channels=4),
        "200": lambda: example_report(200, channels=4),
        "long names": lambda: example_report(
            20, channels=4,
            names=tuple(
                f"encoder.layers.encoder_layer_{i}.self_attention.in_proj" for i in range(20)
            ),
        ),
        "hostile": hostile_report,
        "dead": lambda: dead(example_report(8, channels=4)),
        "dense": lambda: only(example_report(8), "fc"),
    }  # fmt: skip
    return makers[size]()


SIZES = ["one", "three", "twenty", "sixty", "200", "long names", "hostile", "dead", "dense"]
# Pages of maps are alike; the long ones would take the tests most of their time.
MAPS = ("c11-maps", "filter-similarity")
LONG = ("200", "sixty", "long names", "three")
CASES = [(size, name) for size in SIZES for name in PLOTS if name not in MAPS or size not in LONG]


def drawn(size, name):
    """The first and last page of a plot, under the package's style."""
    with module._style():
        try:
            figures = PLOTS[name](network(size))
        except NothingToDraw as reason:
            pytest.skip(str(reason))
        for figure in {id(figure): figure for figure in (figures[0], figures[-1])}.values():
            figure.draw_without_rendering()
            yield figure


def overlap(first, second):
    """Area in square pixels that two boxes share."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return max(width, 0) * max(height, 0)


def texts(figure):
    """All texts that are seen, with their boxes."""
    found = [
        (text, text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text.figure is not None
    ]
    ticks = {
        id(one): axis
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for one in (tick.label1, tick.label2)
    }
    # Ticks beyond the limits have labels that are never drawn.
    shown = {id(one) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
             for tick in axis._update_ticks() for one in (tick.label1, tick.label2)}  # fmt: skip
    return [(text, box) for text, box in found if id(text) not in ticks or id(text) in shown]


@pytest.mark.parametrize(("size", "name"), CASES)
def test_no_text_overlaps_another_or_leaves_the_canvas(size, name):
    for figure in drawn(size, name):
        canvas = figure.bbox
        seen = texts(figure)
        assert seen
        for text, box in seen:
            outside = max(-box.x0, -box.y0, box.x1 - canvas.x1, box.y1 - canvas.y1)
            assert outside <= 0.5, text.get_text()
        for (one, first), (two, second) in itertools.combinations(seen, 2):
            assert overlap(first, second) < 1.5, (one.get_text(), two.get_text())
        check_axes(figure)


def check_axes(figure):
    """Axes stand apart and have room."""
    boxes = [axes.get_window_extent() for axes in figure.axes]
    for one, two in itertools.combinations(boxes, 2):
        assert overlap(one, two) == 0
    for axes, box in zip(figure.axes, boxes, strict=True):
        if axes.get_label() != "<colorbar>":
            millimetres = np.array([box.width, box.height]) / figure.dpi * 25.4
            assert (millimetres > 15).all(), millimetres


def test_the_check_for_overlap_can_fail():
    with module._style():
        figure = PLOTS["figure1"](network("twenty"))[0]
        figure.axes[0].set_xticks(range(18), ["a long name"] * 18, rotation=0)
        figure.draw_without_rendering()
    boxes = [box for _, box in texts(figure)]
    assert any(overlap(a, b) >= 1.5 for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("size", "name"), [("twenty", name) for name in PLOTS] + [("dead", "figure1")]
)
def test_pages_are_of_a_journals_width_and_not_blank(size, name):
    from PIL import Image

    for figure in drawn(size, name):
        width = figure.get_size_inches()[0] * 25.4
        assert width == pytest.approx(NARROW) or width == pytest.approx(WIDE)
        assert figure.get_size_inches()[1] * 25.4 < 247
        image = Image.open(io.BytesIO(rendered(figure, "png")))
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width == pytest.approx(width / 25.4 * 300, abs=1)
        pixels = np.asarray(image.convert("L"))
        assert 0.01 < (pixels < 200).mean() < 0.8
        # Ink in each third of the page, and a white rim: nothing is cut off.
        for part in np.array_split(pixels, 3, axis=0):
            assert (part < 200).any()
        rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert (rim == 255).all()


@pytest.mark.parametrize("name", PLOTS)
def test_text_is_of_eight_points_and_axes_have_units(name):
    unit = "(ratio)" if name in ("spectra", "filter-similarity") else "(nats)"
    figure = next(drawn("twenty", name))
    for text, _ in texts(figure):
        assert text.get_fontsize() == pytest.approx(8)
    caption = next(text for text in figure.texts if text.get_gid() == "caption").get_text()
    assert caption.startswith("resnet20-12fca82f.th (ResNet-20 (CIFAR)): ")
    assert caption.endswith(".")
    labels = " ".join(axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes)
    assert unit in labels


def test_figure1_shows_the_rows():
    report = network("twenty")
    figure = next(drawn("twenty", "figure1"))
    left, right = figure.axes[:2]
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylabel() == right.get_ylabel() == "log|c₁₁| of a slice (nats)"
    named = [text.get_text() for text in left.get_xticklabels()]
    assert len(named) == 18

    def value(layer, statistic, measure="entropy-change.c11"):
        return report.row(layer, measure, statistic).value

    for axes, measure, prefix in (
        (left, "entropy-change.c11", ""),
        (right, "random-twin.c11", "expected-"),
    ):
        boxes = [patch for patch in axes.patches if not patch.get_hatch()]
        assert len(boxes) == 17
        assert boxes[0].get_y() == pytest.approx(value("conv1", f"{prefix}q1", measure))
        top = boxes[0].get_y() + boxes[0].get_height()
        assert top == pytest.approx(value("conv1", f"{prefix}q3", measure))
        means = next(line for line in axes.lines if line.get_marker() == "D")
        assert means.get_ydata()[0] == value("conv1", f"{prefix}mean", measure)
        medians = axes.collections[-1].get_segments()
        assert medians[0][0][1] == value("conv1", f"{prefix}median", measure)
    low = left.collections[0].get_segments()[0]
    assert low[0][1] == value("conv1", "whisker-low")
    far = [s for s in report.series if s.name == "c11.outliers"]
    circles = next(line for line in left.lines if line.get_marker() == "o")
    assert list(circles.get_ydata()) == [number for series in far for number in series.values]
    dead_layers = [patch for patch in left.patches if patch.get_hatch()]
    assert len(dead_layers) == 1
    text = figure.texts[0].get_text().replace("\n", " ")
    assert "1 dense layer without slices left out" in text
    assert "Exact zeros, " in text
    assert "n = 48 to 4,096 slices a layer" in text


def test_log_volume_shows_a_channel_and_marks_lost_ranks():
    report = network("twenty")
    axes = next(drawn("twenty", "log-volume")).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    density = report.row("conv1", "log-volume.density").value
    full = report.row("conv1", "rank", "full").value
    assert lines["exact log-volume"].get_ydata()[0] == pytest.approx(density / full)
    block = report.row("conv1", "entropy-change.block-c11").value
    assert lines["block c₁₁ or log|det W_sq| (lower bound)"].get_ydata()[0] == pytest.approx(
        block / full
    )
    assert list(lines["over its rank (exact: −∞)"].get_ydata()) == [-7.0 / 5.0]
    infinite = [r for r in report.rows(measure="log-volume.density") if r.is_minus_infinity]
    assert len([patch for patch in axes.patches if patch.get_hatch()]) == len(infinite) > 2
    assert np.isnan(lines["exact log-volume"].get_ydata()).sum() == len(infinite)


def test_long_networks_name_some_layers_only():
    axes = next(drawn("200", "figure1")).axes[0]
    assert 3 < len(axes.get_xticks()) < 40
    assert "named)" in axes.get_xlabel()
    axes = next(drawn("three", "figure1")).axes[0]
    assert [text.get_rotation() for text in axes.get_xticklabels()] == [0, 0]


def test_spectra_leave_zeros_off_a_logarithmic_axis():
    series = Series("conv1", "spectrum", "singular value", (4,), (2.0, 1.0, 1e-12, 0.0))
    report = dataclasses.replace(network("one"), series=(series,))
    with module._style():
        figure = PLOTS["spectra"](report)[0]
    (line,) = figure.axes[0].lines
    assert list(line.get_ydata()) == [1.0, 0.5]
    assert list(line.get_xdata()) == [0.125, 0.375]
    assert "exactly zero are left out, in 1 layer" in figure.texts[0].get_text().replace("\n", " ")


def test_similarity_hides_the_diagonal_and_ignores_the_sign():
    cells = (1.0, -1.0, 0.5, -1.0, 1.0, None, 0.5, None, 1.0)
    series = Series("conv1", "filter-similarity", "cosine", (3, 3), cells)
    report = dataclasses.replace(empty_report(), series=(series,))
    with module._style():
        figure = PLOTS["filter-similarity"](report)[0]
    (image,) = figure.axes[0].images
    shown = image.get_array()
    assert np.ma.getmaskarray(shown).sum() == 5
    assert shown[0, 1] == 1.0
    assert "3 filters, largest 1.00" in figure.axes[0].get_title()


def test_maps_are_paged_and_share_a_scale():
    with module._style():
        figures = PLOTS["c11-maps"](network("sixty"))
    assert len(figures) == 4
    limits = {figure.axes[0].images[0].get_clim() for figure in figures}
    assert len(limits) == 1
    assert ", page 1 of 4." in figures[0].texts[0].get_text().replace("\n", " ")


def test_files_are_named_after_plots_and_pages(tmp_path):
    report = network("twenty")
    plots = to_plots(report, tmp_path / "new" / "plots")
    assert isinstance(plots, Plots)
    assert plots.skipped == ()
    assert sorted(path.name for path in plots.written) == names(tmp_path / "new" / "plots")
    assert [path.name for path in plots.written] == [
        "figure1.png", "log-volume.png", "spectra.png", "c11-maps-01.png", "c11-maps-02.png",
        "filter-similarity-01.png", "filter-similarity-02.png",
    ]  # fmt: skip


def test_what_is_missing_is_skipped_and_said(tmp_path):
    plots = to_plots(empty_report(), tmp_path)
    assert plots.written == ()
    assert len(plots.skipped) == len(PLOTS)
    assert all(": no layer has " in reason for reason in plots.skipped)
    paper = example_report(5, measures="paper", with_series=False)
    plots = to_plots(paper, tmp_path)
    assert [path.name for path in plots.written] == ["figure1.png"]
    assert "log-volume: no layer has a log-volume" in plots.skipped


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_vector_files_are_the_same_every_time(suffix, magic):
    for name in ("figure1", "filter-similarity"):
        content, again = (
            rendered(figure, suffix) for _ in range(2) for figure in drawn("three", name)
        )
        assert content == again
        assert content.startswith(magic)
        assert b"<dc:date>" not in content
        assert b"CreationDate" not in content


def test_hostile_names_reach_neither_file_names_nor_markup(tmp_path):
    from xml.etree import ElementTree

    plots = to_plots(hostile_report(), tmp_path, "svg")
    assert {path.stem for path in plots.written} == set(PLOTS)
    for path in plots.written:
        root = ElementTree.fromstring(path.read_text())
        assert not [one for one in root.iter() if one.tag.endswith(("script", "}image src"))]


@pytest.mark.parametrize("plot", PLOTS)
def test_any_name_can_be_drawn(plot):
    names = ("$x$", "last", "$\\frac{$", "a_b^c", "层", "🧠", "\x1b[31m", "\ud800", "", "fc")
    report = example_report(len(names), channels=4, names=names)
    with module._style():
        PLOTS[plot](report)[0].draw_without_rendering()


def test_names_without_a_picture_are_spelt_out():
    assert drawable("层1") == "\\u5c421"
    assert drawable("log|c₁₁| −∞ ünï") == "log|c₁₁| −∞ ünï"
    assert label("encoder.layers.11.self_attention.in_proj[q]") == "encoder.lay…in_proj[q]"
    assert label(" ") == "(no name)"


def test_captions_are_broken_by_their_true_width():
    text = "W" * 200 + " iiiii " + "log|c₁₁| " * 40
    lines = wrapped(text, 200)
    assert all(text_width(line) <= 200 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped("", 100) == []


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="Plots cannot be 'gif'; there are png, svg, pdf"):
        to_plots(network("one"), tmp_path, "gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="it is a file and not a folder"):
        to_plots(network("one"), tmp_path / "file")
    (tmp_path / "spectra.png").mkdir()
    with pytest.raises(OutputError, match="because it is a folder"):
        to_plots(network("one"), tmp_path)
    assert names(tmp_path) == ["file", "spectra.png"]


def test_settings_of_the_user_change_nothing_and_are_kept(tmp_path):
    import matplotlib as mpl

    first = to_plots(network("three"), tmp_path / "a", "svg").written[0].read_bytes()
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "text.usetex": True}):
        second = to_plots(network("three"), tmp_path / "b", "svg").written[0].read_bytes()
        assert mpl.rcParams["font.size"] == 20
        assert mpl.rcParams["text.usetex"] is True
    assert first == second


def test_without_matplotlib_the_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="Plots need matplotlib"):
        to_plots(network("one"), tmp_path / "plots")


def test_importing_is_cheap_and_pyplot_is_never_loaded(tmp_path):
    code = f"""
import sys
import infoflow.render.to_plots as module
assert "matplotlib" not in sys.modules
from tests.render.reports import example_report
module.to_plots(example_report(4, channels=4), {str(tmp_path)!r})
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
assert "torch" not in sys.modules
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
