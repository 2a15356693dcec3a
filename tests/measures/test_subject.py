from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infoflow.layers import Layer, Normalisation
from infoflow.measures import measures
from infoflow.measures.weights import subject as subject_module
from infoflow.measures.weights.subject import Subject
from infoflow.spectra import blocked
from tests.measures.weight_layers import convolution, dense


def test_each_fact_is_computed_once() -> None:
    subject = convolution(np.random.default_rng(0).standard_normal((3, 3, 3)))
    assert subject.rank is subject.rank
    assert subject.density is subject.density
    assert subject.spectrum is subject.spectrum
    assert subject.kernel is subject.kernel


def test_names_and_seeds_make_generators() -> None:
    subject = dense(np.eye(2))
    again, seeded = dense(np.eye(2)), replace(subject, seed=1)
    named = replace(subject, layer=replace(subject.layer, name="other"))

    def draw(of: Subject, purpose: str = "a") -> float:
        return float(of.generator(purpose).random())

    assert draw(subject) == draw(again) == draw(subject)
    assert len({draw(subject), draw(seeded), draw(named), draw(subject, "b")}) == 4


def test_a_convolution_without_geometry_has_stride_one() -> None:
    weight = np.random.default_rng(1).standard_normal((3, 2, 5, 3))
    layer = Layer("layer", "convolution", weight, "float64")
    kernel = Subject(layer).kernel
    assert (kernel.stride, kernel.groups, len(kernel.offsets)) == ((1, 1), 1, 15)


def test_large_dense_layers_are_decomposed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    from infoflow.spectra import spectrum

    original = spectrum.gram_singular_values
    monkeypatch.setattr(
        spectrum, "gram_singular_values", lambda s: (calls.append(s.shape), original(s))[1]
    )
    monkeypatch.setattr("infoflow.measures.weights.subject.SHARED_SPECTRUM", 100)
    monkeypatch.setattr(
        "infoflow.spectra.rank.singular_values",
        lambda _: pytest.fail("a second decomposition"),
    )
    monkeypatch.setattr(
        "infoflow.spectra.rank.gram_singular_values",
        lambda _: pytest.fail("a second decomposition"),
    )
    subject = dense(np.random.default_rng(2).standard_normal((110, 140)), "float32")
    assert subject.rank.is_full
    assert subject.spectrum.exact
    assert subject.density.value == pytest.approx(np.log(subject.spectrum.values).sum())
    assert len(calls) == 1


def test_a_large_dense_layer_has_one_triangle_and_no_float64_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    original = blocked.triangle
    monkeypatch.setattr(blocked, "triangle", lambda m: (calls.append(m.short), original(m))[1])
    weight = np.random.default_rng(2).standard_normal((130, 300)).astype(np.float32)
    subject = dense(weight, "float32")
    assert subject.matrix is not None
    assert subject.rank.is_full
    values = np.linalg.svd(weight.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(subject.spectrum.values, values, rtol=1e-9)
    assert subject.density.value == pytest.approx(np.log(values).sum(), rel=1e-9)
    assert calls == [130]
    assert not {"weight", "kernel"} & set(vars(subject))


@pytest.mark.parametrize("shape", [(130, 130), (130, 200), (200, 130)])
def test_a_large_dense_layer_reads_as_a_small_one(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    weight[:, 17] = 0
    scale = np.linspace(0.0, 2.0, shape[0])
    normalisation = Normalisation("norm", scale, np.ones(shape[0]), 1e-5)
    layer = replace(dense(weight, "float32").layer, normalisation=normalisation)
    table = measures().values()
    chosen = [m for m in table if "dense" in m.kinds]
    blocked = [row for m in chosen for row in m.compute(Subject(layer))]
    monkeypatch.setattr(subject_module, "BLOCKED_SIDE", 1000)
    assert Subject(layer).matrix is None
    plain = [row for m in chosen for row in m.compute(Subject(layer))]
    for mine, its in zip(blocked, plain, strict=True):
        assert (mine.measure, mine.statistic) == (its.measure, its.statistic)
        expected = its.value if its.value is None else pytest.approx(its.value, rel=1e-6)
        assert mine.value == expected, (mine, its)


def test_stored_types() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weight = np.random.default_rng(3).standard_normal((4, 4, 3, 3))
    for dtype, name in ((np.float16, "float16"), (ml_dtypes.bfloat16, "bfloat16")):
        subject = convolution(weight.astype(dtype), dtype=name)
        assert subject.weight.dtype == np.float64
        assert subject.density.value is not None
