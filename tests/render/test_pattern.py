"""Where non-zeros are: cells against slow counts, and the picture's labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from infoflow.render import pattern as patterns
from infoflow.render.pattern import Side, pattern
from infoflow.render.to_plots import picture


def slow(matrix, most):
    """Shares of non-zeros, cell by cell."""
    steps = [-(-n // most) for n in matrix.shape]
    return np.array(
        [
            [
                np.mean(matrix[i : i + steps[0], j : j + steps[1]] != 0)
                for j in range(0, matrix.shape[1], steps[1])
            ]
            for i in range(0, matrix.shape[0], steps[0])
        ]
    )


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**31))
def test_cells_are_shares(rows, columns, most, seed):
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((rows, columns))
    matrix[generator.uniform(size=matrix.shape) < 0.6] = 0
    sides = Side("output", rows), Side("input", columns)
    for form in (matrix, csr_array(matrix)):
        found = pattern(form, *sides, most)
        np.testing.assert_allclose(found.cells, slow(matrix, most), atol=1e-15)
        assert max(found.cells.shape) <= most
        assert found.nonzeros == np.count_nonzero(matrix)
        assert found.is_exact == (max(rows, columns) <= most)


def test_chunks_change_nothing(monkeypatch):
    matrix = np.random.default_rng(0).standard_normal((40, 30))
    matrix[5:20] = 0
    sides = Side("output", 40), Side("input", 30)
    whole = [pattern(form, *sides, 7).cells for form in (matrix, csr_array(matrix))]
    monkeypatch.setattr(patterns, "CHUNK", 10)
    parts = [pattern(form, *sides, 7).cells for form in (matrix, csr_array(matrix))]
    np.testing.assert_array_equal(whole, parts)


def test_an_empty_pattern():
    found = pattern(csr_array((5, 4)), Side("output", 5), Side("input", 4))
    assert not found.cells.any()
    assert found.nonzeros == 0


def test_words_and_labels():
    layer = Side("output", 64, (32, 16))
    assert layer.words == "output: 64 channels × 32 × 16 positions"
    assert layer.label == "output channel (32 × 16 positions each)"
    assert (layer.length, layer.block) == (64 * 512, 512)
    filter = Side("input", None, (28, 14))
    assert filter.words == "input: 28 × 14 positions"
    assert filter.label == "row of the input (28 × 14 positions)"
    assert (filter.length, filter.block) == (392, 14)
    dense = Side("input", 1000)
    assert (dense.words, dense.label, dense.block) == ("input: 1,000", "input", 1)
    assert Side("input", 1, (9,)).label == "input position"


@pytest.mark.parametrize("shape", [(4, 4), (700, 3), (3, 700), (650, 1300), (1, 1)])
@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_every_shape_is_drawn_with_its_labels_inside(shape, filled):
    from infoflow.render.plots.sparsity import draw

    found = pattern(np.full(shape, filled), Side("output", shape[0]), Side("input", shape[1]))
    drawn = []

    def keep():
        drawn.append(draw(found, "file.pt · layer · W"))
        return drawn[0]

    assert picture(keep, "png").startswith(b"\x89PNG")
    figure = drawn[0]
    axes = figure.axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("output", "input")
    for text in (axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels()):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
    caption = " ".join(figure.texts[0].get_text().split())
    count = shape[0] * shape[1] if filled else 0
    assert f"{count:,} non-zero{'' if count == 1 else 's'}" in caption
