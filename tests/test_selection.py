"""Globs, exclusions, types, and the nearest names of what does not exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infoflow.errors import SelectionError
from infoflow.layers import plan
from infoflow.patterns import matches
from infoflow.selection import select
from tests.cases import gaussian, in_memory

LAYERS = plan(
    in_memory(
        {
            "features.0.weight": gaussian(2, 2, 3, 3),
            "features.1.weight": gaussian(2, 2, 3, 3),
            "norm.weight": gaussian(2),
            "head[x].weight": gaussian(2, 2),
        }
    )
).layers


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["features.0", "features.1", "norm", "head[x]"]),
        (["features.*"], ["features.0", "features.1"]),
        (["!features.*"], ["norm", "head[x]"]),
        (["type:dense"], ["head[x]"]),
        (["type:conv*"], ["features.0", "features.1"]),
        (["!type:normalisation"], ["features.0", "features.1", "head[x]"]),
        (["features.*,!features.1"], ["features.0"]),
        (["features.1", "features.0"], ["features.0", "features.1"]),
        (["head[x]"], ["head[x]"]),
    ],
)
def test_patterns_choose_layers_in_file_order(patterns, names):
    assert [layer.summary.name for layer in select(LAYERS, patterns)] == names


@pytest.mark.parametrize("pattern", ["feature.0", "!feature.0", "type:convolutoin", "type:conv"])
def test_an_unknown_pattern_names_the_nearest(pattern):
    with pytest.raises(
        SelectionError, match=r"No layer matches.*nearest: .*(features\.0|convolution)"
    ):
        select(LAYERS, [pattern])


@pytest.mark.parametrize(
    ("kind", "word", "fits"),
    [
        ("dense", "dense", True),
        ("dense", "dens", False),
        ("dense", "ense", False),
        ("transposed convolution", "convolution", True),
        ("transposed convolution", "transposed convolution", True),
        ("transposed convolution", "transposed", False),
        ("transposed convolution", "trans*", True),
        ("low-rank update", "update", True),
    ],
)
def test_a_kind_is_named_whole_or_by_its_last_words(kind, word, fits):
    assert matches(replace(LAYERS[0].summary, kind=kind), f"type:{word}") == fits


def test_patterns_that_leave_nothing_are_refused():
    with pytest.raises(SelectionError, match="leave none of the layers"):
        select(LAYERS, ["!*"])
