from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infoflow.layers import Layer
from infoflow.measures.weights.subject import Subject
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


def test_stored_types() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weight = np.random.default_rng(3).standard_normal((4, 4, 3, 3))
    for dtype, name in ((np.float16, "float16"), (ml_dtypes.bfloat16, "bfloat16")):
        subject = convolution(weight.astype(dtype), dtype=name)
        assert subject.weight.dtype == np.float64
        assert subject.density.value is not None
