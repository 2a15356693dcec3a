"""Plots of a comparison: nothing overlapping, cut off or blank, for every size of network."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

matplotlib = pytest.importorskip("matplotlib")

from infoflow.comparison.comparison import Comparison, Outcome  # noqa: E402
from infoflow.render import to_plots as module  # noqa: E402
from infoflow.render.comparison.flow import FlowMap, lines, maps  # noqa: E402
from infoflow.render.comparison.plots import PLOTS  # noqa: E402
from infoflow.render.comparison.view import gather, linear  # noqa: E402
from infoflow.render.plots.sheet import WIDE, NothingToDraw  # noqa: E402
from infoflow.render.to_plots import drawn_of  # noqa: E402
from tests.render.comparisons import (  # noqa: E402
    example_comparison,
    hostile_comparison,
    same_comparison,
)
from tests.render.test_plots import overlap, texts  # noqa: E402

MODULE = "infoflow.render.comparison.plots"
CASES = {
    "two": example_comparison,
    "two of 60": lambda: example_comparison(2, 60, channels=3),
    "two reports": lambda: example_comparison(2, 8, weights=False),
    "two hostile": hostile_comparison,
    "same": same_comparison,
    "five": lambda: example_comparison(5, 20),
    "thirty of 5": lambda: example_comparison(30, 5, channels=3),
    "three of 120": lambda: example_comparison(3, 120, channels=3),
    "three hostile": lambda: hostile_comparison(3),
    "three reports": lambda: example_comparison(3, 8, weights=False),
}


def figures(case, name):
    with module._style():
        try:
            found = PLOTS[name](CASES[case]())
        except NothingToDraw as reason:
            pytest.skip(str(reason))
        for figure in found:
            figure.draw_without_rendering()
            yield figure


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (case, name)
        for case in CASES
        for name in PLOTS
        if (name == "before-after") == (case.startswith(("two", "same")))
    ],
)
def test_no_text_overlaps_another_or_leaves_the_canvas(case, name):
    for figure in figures(case, name):
        assert figure.get_size_inches()[0] * 25.4 == pytest.approx(WIDE)
        assert figure.get_size_inches()[1] * 25.4 < 297
        canvas, seen = figure.bbox, texts(figure)
        assert seen
        for text, box in seen:
            outside = max(-box.x0, -box.y0, box.x1 - canvas.x1, box.y1 - canvas.y1)
            assert outside <= 0.5, text.get_text()
        for (one, first), (two, second) in itertools.combinations(seen, 2):
            assert overlap(first, second) < 1.5, (one.get_text(), two.get_text())


def test_what_is_drawn_and_what_is_left_out():
    plots, skipped = drawn_of(MODULE, example_comparison(2, 8), "svg")
    assert list(plots) == ["before-after.svg"]
    assert [one.partition(":")[0] for one in skipped] == ["flow", "totals"]
    plots, skipped = drawn_of(MODULE, example_comparison(3, 8), "png")
    assert list(plots) == ["flow.png", "totals.png"]
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    assert [one.partition(":")[0] for one in skipped] == ["before-after"]


def test_the_same_comparison_gives_the_same_file():
    comparison = example_comparison(3, 8)
    assert drawn_of(MODULE, comparison, "svg") == drawn_of(MODULE, comparison, "svg")


def test_maps_hold_the_rows():
    comparison = example_comparison(4, 12)
    views = linear(gather(comparison))
    first, previous, volume, *_ = maps(comparison, views)
    for line, view in enumerate(views):
        name = view.layer.name
        for place in (1, 2, 3):
            row = comparison.row(name, "weight-change", "relative", second=place)
            assert first.cells[line][place] == row.change
            row = comparison.row(name, "weight-change", "relative", first=place - 1, second=place)
            assert previous.cells[line][place] == row.change
        assert first.cells[line][0] == 0.0
    lost = {
        (row.layer, row.second)
        for row in comparison.changes
        if row.measure == "log-volume.density" and row.is_infinite
    }
    assert lost
    assert lost == {
        (view.layer.name, place)
        for view, gone in zip(views, volume.lost, strict=True)
        for place in (1, 2, 3)
        if gone[place]
    }
    for row, gone in zip(volume.cells, volume.lost, strict=True):
        assert all(value is None for value, lost in zip(row, gone, strict=True) if lost)


def test_lines_are_means_of_layers_with_every_number():
    comparison = example_comparison(4, 12)
    views = linear(gather(comparison))
    line = next(one for one in lines(comparison, views) if one.title.startswith("log|c₁₁|"))
    paths = []
    for view in views:
        rows = [
            comparison.row(view.layer.name, "entropy-change.c11", "mean", second=place)
            for place in (1, 2, 3)
        ]
        if all(row and row.after is not None and row.before is not None for row in rows):
            paths.append([rows[0].before, *(row.after for row in rows)])
    means = [sum(column) / len(paths) for column in zip(*paths, strict=True)]
    assert line.values == pytest.approx(means)
    assert line.left_out == 1


def test_colours_reach_the_bulk_and_say_what_lies_beyond():
    row = (0.0, *([1.0] * 20))
    assert FlowMap("", (row,), ((False,) * 21,), signed=False).reach == (1.0, False)
    row = (0.0, *([1.0] * 20), 50.0)
    assert FlowMap("", (row,), ((False,) * 22,), signed=False).reach == (3.0, True)
    assert FlowMap("", ((0.0, None),), ((False, True),), signed=True).reach == (1.0, False)


def test_nothing_in_common_draws_nothing():
    comparison = example_comparison(2, 8)
    empty = dataclasses.replace(comparison, layers=(), changes=())
    assert isinstance(empty, Comparison)
    plots, skipped = drawn_of(MODULE, empty, "png")
    assert plots == {}
    assert len(skipped) == 3
    assert Outcome.SAME == "same"
