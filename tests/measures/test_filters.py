"""Dead, negligible, duplicate and outlying filters: against plain loops, and planted."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from infoflow.facts import Geometry
from infoflow.layers import Layer
from infoflow.measures.weights import filter_facts as facts_module
from infoflow.measures.weights import filters
from infoflow.measures.weights.filter_copies import copies, copy_tolerance, similarity
from infoflow.measures.weights.filter_facts import filter_facts
from infoflow.measures.weights.filter_outliers import log_norm_quantile, outlier_limits, outliers
from infoflow.measures.weights.filter_pictures import filter_norms, filter_similarity
from infoflow.measures.weights.subject import Subject
from infoflow.report import Measurement

Weight = np.ndarray[Any, Any]


def draw(*shape: int, seed: int = 0) -> Weight:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layer_of(weight: Weight, groups: int = 1, transposed: bool = False) -> Layer:
    axes = weight.ndim - 2
    if not axes:
        return Layer("fc", "dense", weight, str(weight.dtype))
    ones = (1,) * axes
    kind = "transposed convolution" if transposed else "convolution"
    geometry = Geometry(ones, (0,) * axes, ones, groups, transposed)
    return Layer("conv", kind, weight, str(weight.dtype), geometry)


def row_of(layer: Layer, name: str, statistic: str = "value") -> Measurement:
    (measure,) = [measure for measure in filters.MEASURES if measure.name == name]
    (row,) = [r for r in measure.compute(Subject(layer)) if r.statistic == statistic]
    return row


def naive_filters(layer: Layer) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """Each filter's group and its weights (channels, taps), as the definitions read."""
    weight = np.asarray(layer.weight, dtype=np.float64)
    groups = layer.geometry.groups if layer.geometry else 1
    weight = weight.reshape(*weight.shape[:2], -1)
    if layer.kind == "transposed convolution":
        per_group = weight.shape[0] // groups
        return [
            (g, weight[g * per_group : (g + 1) * per_group, o])
            for g in range(groups)
            for o in range(weight.shape[1])
        ]
    per_group = weight.shape[0] // groups
    return [(o // per_group, weight[o]) for o in range(weight.shape[0])]


def naive_copies(layer: Layer, tolerance: float) -> set[frozenset[int]]:
    """Sets of proportional filters by comparing every pair."""
    rows = naive_filters(layer)
    sets: list[set[int]] = [{i} for i in range(len(rows))]
    for i, (group, one) in enumerate(rows):
        for j, (other_group, other) in enumerate(rows[:i]):
            if group != other_group or not one.any() or not other.any():
                continue
            u, v = one / np.linalg.norm(one), other / np.linalg.norm(other)
            if min(np.linalg.norm(u - v), np.linalg.norm(u + v)) <= tolerance:
                joined = sets[i] | sets[j]
                for member in joined:
                    sets[member] = joined
    return {frozenset(members) for members in sets if len(members) > 1}


SHAPES = [
    ((6, 5), 1, False),
    ((8, 3, 3, 3), 1, False),
    ((8, 2, 3, 3), 2, False),
    ((6, 1, 3, 3), 6, False),
    ((4, 5, 3), 1, False),
    ((6, 4, 2, 2), 1, True),
    ((6, 4, 2, 2), 3, True),
    ((4, 2, 2, 2, 2), 2, False),
]


@pytest.mark.parametrize(("shape", "groups", "transposed"), SHAPES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_facts_are_those_of_a_loop(
    shape: tuple[int, ...], groups: int, transposed: bool, data: st.DataObject
) -> None:
    weight = draw(*shape, seed=data.draw(st.integers(0, 99)))
    zeros = data.draw(st.sets(st.integers(0, weight.size - 1), max_size=weight.size // 3))
    weight.reshape(-1)[list(zeros)] = 0
    for axis in (0, 1):
        if data.draw(st.booleans()):
            weight[(slice(None),) * axis + (data.draw(st.integers(0, shape[axis] - 1)),)] = 0
    layer = layer_of(weight, groups, transposed)
    facts, rows = filter_facts(layer), naive_filters(layer)
    assert facts.dead == tuple(i for i, (_, row) in enumerate(rows) if not row.any())
    expected = [np.linalg.norm(row) for _, row in rows]
    np.testing.assert_allclose(facts.norms.ravel(), expected, rtol=1e-12)
    per_group = len(rows) // groups
    channels = len(rows[0][1])
    unread = [
        g * channels + c
        for g in range(groups)
        for c in range(channels)
        if not any(row[c].any() for _, row in rows[g * per_group : (g + 1) * per_group])
    ]
    assert facts.dead_inputs == tuple(unread)


@pytest.mark.parametrize(("shape", "groups", "transposed"), SHAPES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_planted_copies_are_those_of_comparing_every_pair(
    shape: tuple[int, ...], groups: int, transposed: bool, data: st.DataObject
) -> None:
    weight = draw(*shape, seed=data.draw(st.integers(0, 99)))
    axis = 1 if transposed else 0
    view = np.moveaxis(weight, axis, 0)
    for _ in range(data.draw(st.integers(0, 3))):
        source, target = (data.draw(st.integers(0, len(view) - 1)) for _ in range(2))
        view[target] = data.draw(st.sampled_from([1.0, -1.0, 0.37, -12.5])) * view[source]
    layer = layer_of(weight, groups, transposed)
    found = copies(layer, filter_facts(layer))
    assert {frozenset(members) for members in found} == naive_copies(layer, 1.4e-3)
    total = row_of(layer, "filters.duplicate").value
    assert total == sum(len(members) - 1 for members in found)


@pytest.mark.parametrize("blocks", [1, 7, 64])
def test_blocks_do_not_change_the_facts(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [layer_of(draw(12, 2, 3, 3), groups=g) for g in (1, 2, 4)] + [layer_of(draw(9, 7))]
    whole = [filter_facts(layer) for layer in layers]
    monkeypatch.setattr(facts_module, "_BLOCK", blocks)
    for layer, expected in zip(layers, whole, strict=True):
        facts = filter_facts(layer)
        np.testing.assert_allclose(facts.norms, expected.norms, rtol=1e-14)
        np.testing.assert_allclose(facts.sketch, expected.sketch, atol=1e-14)
        assert facts.dead_inputs == expected.dead_inputs


def test_copies_in_other_groups_read_other_inputs() -> None:
    weight = draw(8, 2, 3, 3)
    weight[5] = weight[1]
    assert row_of(layer_of(weight, groups=2), "filters.duplicate").value == 0
    row = row_of(layer_of(weight), "filters.duplicate")
    assert (row.value, row.note) == (1, "1 = 5")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16])
def test_a_scaled_copy_is_found_in_every_type(dtype: Any) -> None:
    weight = draw(20, 64, seed=4)
    weight[13] = -0.7371 * weight[2].astype(dtype).astype(np.float32)
    row = row_of(layer_of(weight.astype(dtype)), "filters.duplicate")
    assert (row.value, row.note) == (1, "2 = 13")


def test_nearly_alike_is_not_alike() -> None:
    weight = draw(20, 64)
    weight[13] = weight[2] + 0.01 * weight[3]
    assert row_of(layer_of(weight), "filters.duplicate").value == 0
    weight[13] = weight[2] + 1e-4 * weight[3]
    assert row_of(layer_of(weight), "filters.duplicate").value == 1


def test_filters_of_one_number_are_no_copies() -> None:
    row = row_of(layer_of(draw(5, 1)), "filters.duplicate")
    assert row.value is None
    assert "single number" in row.note
    layer = layer_of(draw(5, 1, 1, 1))
    with pytest.raises(ValueError, match="one number"):
        copies(layer, filter_facts(layer))


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_random_filters_in_few_dimensions_are_no_copies(columns: int) -> None:
    """At 1 in 10,000 layers, 200 layers hold a pair at a rate of 2 %; without a cap all do."""
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        weight = generator.standard_normal((64, columns))
        found += row_of(layer_of(weight), "filters.duplicate").value != 0
    assert found <= 2


@pytest.mark.parametrize(("filters_", "columns"), [(64, 2), (200, 3), (512, 9)])
def test_the_tolerance_is_met_by_chance_as_rarely_as_it_says(filters_: int, columns: int) -> None:
    """The angle of random pairs, scaled up to a rate that can be counted."""
    tolerance = copy_tolerance(filters_, columns, 2.0**-52)
    pairs = filters_ * (filters_ - 1) / 2
    assert tolerance <= math.sqrt(2e-6)
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 200_000, columns))
    cosine = np.abs(np.sum(first * second, 1)) / np.linalg.norm(first, axis=1)
    angle = np.sort(np.arccos(np.minimum(cosine / np.linalg.norm(second, axis=1), 1)))
    # P(angle < t) grows like t^(d−1): extrapolate from an angle with 500 pairs below it.
    rate = 500 / 200_000 * (tolerance / angle[500]) ** (columns - 1)
    assert rate * pairs <= 1.3e-4


def test_a_collapsed_layer_of_thousands_of_equal_rows_takes_no_pair_by_pair_search() -> None:
    weight = np.tile(draw(1, 32), (3000, 1))
    row = row_of(layer_of(weight), "filters.duplicate")
    assert row.value == 2999
    assert row.note.startswith("0 = 1 = 2")
    assert row.note.endswith("…")


def test_dead_filters_are_named_and_long_lists_shortened() -> None:
    weight = draw(30, 8)
    weight[[2, 5]] = 0
    weight[:, 3] = 0
    row = row_of(layer_of(weight), "filters.dead")
    assert (row.value, row.note) == (2, "2, 5")
    row = row_of(layer_of(weight), "filters.dead", "dead-inputs")
    assert (row.value, row.note) == (1, "3")
    weight[:20] = 0
    note = row_of(layer_of(weight), "filters.dead").note
    assert note == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more"


def test_one_weight_keeps_a_filter_alive() -> None:
    weight = np.zeros((4, 3, 3, 3))
    weight[1, 2, 0, 1] = 5e-324
    row = row_of(layer_of(weight), "filters.dead")
    assert (row.value, row.note) == (3, "0, 2, 3")


@pytest.mark.parametrize(
    ("dtype", "factor", "count"),
    [
        ("float32", 1e-8, 1),
        ("float32", 1e-6, 0),
        ("float64", 1e-8, 0),
        ("float64", 1e-17, 1),
        (ml_dtypes.bfloat16, 1e-4, 0),
        (ml_dtypes.bfloat16, 1e-9, 1),
    ],
)
def test_negligible_is_below_the_stored_precision(dtype: Any, factor: float, count: int) -> None:
    weight = draw(16, 9).astype(np.float64)
    weight[7] *= factor / np.linalg.norm(weight[7])
    weight /= np.linalg.norm(weight, axis=1).max()
    row = row_of(layer_of(weight.astype(dtype)), "filters.negligible")
    assert row.value == count
    assert row.note == ("7" if count else "")


@pytest.mark.parametrize(
    ("shape", "groups", "transposed", "place", "channel"),
    [
        ((16, 9), 1, False, np.s_[:, 4], "4"),
        ((6, 4, 3, 3), 1, False, np.s_[:, 2], "2"),
        ((6, 2, 3, 3), 2, False, np.s_[3:, 1], "3"),  # the second group's second channel
        ((6, 4, 3, 3), 1, True, np.s_[5], "5"),
    ],
)
def test_an_input_channel_that_is_rounding_is_named(
    shape: tuple[int, ...], groups: int, transposed: bool, place: Any, channel: str
) -> None:
    def rows(factor: float) -> dict[str, Measurement]:
        weight = draw(*shape)
        weight[place] *= factor
        subject = Subject(layer_of(weight, groups, transposed))
        return {row.statistic: row for row in filters.negligible_filters(subject)}

    found = rows(1e-18)
    assert found["value"].value == 0
    assert (found["negligible-inputs"].value, found["negligible-inputs"].note) == (1, channel)
    assert rows(1e-4)["negligible-inputs"].value == 0
    assert rows(0)["negligible-inputs"].value == 0  # dead, which has a count of its own


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), exponent=st.integers(-300, 300))
def test_counts_depend_neither_on_order_nor_on_scale(seed: int, exponent: int) -> None:
    generator = np.random.default_rng(seed)
    weight = generator.standard_normal((24, 6))
    weight[generator.integers(24, size=2)] = 0
    weight[generator.integers(24)] = 3 * weight[generator.integers(24)]
    weight[generator.integers(24)] *= 1e-3
    other = (weight * 10.0**exponent)[generator.permutation(24)]
    for name in ("filters.dead", "filters.duplicate", "filters.negligible", "filters.outlier"):
        assert row_of(layer_of(weight), name).value == row_of(layer_of(other), name).value


def test_dependent_filters_are_those_of_the_rank() -> None:
    rank = SimpleNamespace(dependent_rows=(1, 4), dependent_columns=(7,))
    subject = SimpleNamespace(layer=layer_of(draw(6, 6)), rank=rank)
    (row,) = filters.dependent(subject)  # type: ignore[arg-type]
    assert (row.value, row.note) == (2, "1, 4")
    subject.layer = layer_of(draw(6, 6, 2, 2), transposed=True)
    (row,) = filters.dependent(subject)  # type: ignore[arg-type]
    assert (row.value, row.note) == (1, "7")


def test_a_planted_combination_is_dependent() -> None:
    weight = draw(8, 20).astype(np.float64)
    weight[6] = weight[1] - 2 * weight[3]
    row = row_of(layer_of(weight), "filters.dependent")
    assert (row.value, row.note) == (3, "1, 3, 6")


@pytest.mark.parametrize("factor", [0.01, 30.0])
def test_a_planted_outlier_is_named_with_its_factor(factor: float) -> None:
    weight = draw(64, 3, 3, 3)
    weight[40] *= factor * np.median(np.linalg.norm(weight.reshape(64, -1), axis=1))
    weight[40] /= np.linalg.norm(weight[40]) / (factor * 5)
    row = row_of(layer_of(weight), "filters.outlier")
    assert row.value == 1
    assert row.note.startswith("40 (")
    assert float(row.note.split("(")[1].split()[0]) == pytest.approx(factor, rel=0.1)
    assert row_of(layer_of(weight), "filters.outlier", "below").value == (factor < 1)
    assert row_of(layer_of(weight), "filters.outlier", "above").value == (factor > 1)


def test_outliers_are_not_judged_among_few_or_equal_filters() -> None:
    for weight in (draw(15, 9), np.eye(40) * np.r_[5.0, np.ones(39)]):
        row = row_of(layer_of(weight), "filters.outlier")
        assert row.value is None
        assert row.note.startswith("not judged")


def test_dead_and_negligible_filters_are_no_outliers() -> None:
    weight = draw(40, 9).astype(np.float64)
    weight[3] = 0
    weight[4] *= 1e-30
    assert row_of(layer_of(weight), "filters.outlier").value == 0


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 9, 16, 27, 64, 576, 25088])
def test_quantiles_err_on_the_side_of_silence(columns: int) -> None:
    for tail in (1e-3, 1e-5, 1e-7, 1e-9):
        low = math.exp(2 * log_norm_quantile(tail, columns)) / chi2.ppf(tail, columns)
        high = math.exp(2 * log_norm_quantile(tail, columns, upper=True)) / chi2.isf(tail, columns)
        assert 0.9 < low < 1.0001
        assert 0.9999 < high < 1.26


def test_limits_are_at_least_five_and_grow_with_the_number_of_filters() -> None:
    for columns in (1, 9, 576):
        low, high = zip(*(outlier_limits(n, columns) for n in (500, 5_000, 50_000)), strict=True)
        assert list(low) == sorted(low, reverse=True)
        assert list(high) == sorted(high)
        assert max(low) <= -5 <= 5 <= min(high)


@pytest.mark.parametrize(("count", "columns"), [(16, 9), (32, 27), (64, 9), (64, 1), (256, 9)])
@pytest.mark.parametrize("family", ["normal", "uniform"])
def test_random_layers_have_no_outliers(family: str, count: int, columns: int) -> None:
    """The stated rate is 1 layer in 10,000: among 3,000 no more than 3 (once in 4,000 runs)."""
    generator = np.random.default_rng(count + columns)
    size = (3000, 1, count, columns)
    drawn = (
        generator.standard_normal(size) if family == "normal" else generator.uniform(-1, 1, size)
    )
    fired = 0
    for norms in np.linalg.norm(drawn, axis=-1):
        found = outliers(SimpleNamespace(norms=norms), columns, 2.0**-23)  # type: ignore[arg-type]
        assert found is not None
        fired += bool(found.indices)
    assert fired <= 3


@pytest.mark.parametrize(("shape", "groups", "transposed"), SHAPES)
def test_similarity_is_the_cosine_of_every_pair(
    shape: tuple[int, ...], groups: int, transposed: bool
) -> None:
    layer = layer_of(draw(*shape), groups, transposed)
    rows, cosines = naive_filters(layer), similarity(layer)
    for i, (group, one) in enumerate(rows):
        for j, (other_group, other) in enumerate(rows):
            if i == j or group != other_group:
                assert math.isnan(cosines[i, j])
            else:
                norm = np.linalg.norm(one) * np.linalg.norm(other)
                assert cosines[i, j] == pytest.approx(float(np.sum(one * other) / norm))


def test_a_large_map_keeps_the_strongest_cosine_of_each_cell() -> None:
    weight = draw(150, 40)
    weight[77] = -2 * weight[3]
    weight[9] = 0
    (series,) = filter_similarity(Subject(layer_of(weight)))
    assert series.shape == (64, 64)
    cells = np.array([np.nan if v is None else v for v in series.values]).reshape(64, 64)
    cosines = similarity(layer_of(weight))
    parts = np.array_split(np.arange(150), 64)
    for i, j in ((0, 0), (1, 30), (5, 60), (63, 63)):
        block = cosines[np.ix_(parts[i], parts[j])]
        strongest = block.ravel()[np.nanargmax(np.abs(block))]
        assert cells[i, j] == pytest.approx(strongest)
    assert np.nanmin(cells) == pytest.approx(-1, abs=1e-6)


def test_maps_and_norms_of_odd_layers() -> None:
    assert not list(filter_similarity(Subject(layer_of(draw(6, 1, 3, 3), groups=6))))
    assert not list(filter_similarity(Subject(layer_of(draw(2049, 2)))))
    (series,) = filter_norms(Subject(layer_of(draw(1000, 3))))
    assert series.shape == (512,)
    assert "1,000 filters" in series.note
    (series,) = filter_norms(Subject(layer_of(np.array([[3.0, 4.0], [0.0, 0.0]]))))
    assert series.values == (5.0, 0.0)


def test_torch_tensors_give_the_same() -> None:
    torch = pytest.importorskip("torch")
    weight = draw(20, 4, 3, 3).astype(np.float64)
    weight[5] = 2 * weight[4]
    weight[7] = 0
    on_torch = layer_of(weight)
    on_torch = Layer("conv", "convolution", torch.from_numpy(weight), "float64", on_torch.geometry)
    for name in ("filters.dead", "filters.duplicate", "filters.negligible", "filters.outlier"):
        assert row_of(layer_of(weight), name) == row_of(on_torch, name)
    assert next(iter(filter_similarity(Subject(on_torch)))).shape == (20, 20)
