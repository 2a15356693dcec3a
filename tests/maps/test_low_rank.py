"""Updates of low rank: the product's singular values from its factors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import infoflow
from infoflow.measures import choose
from infoflow.measures.weights.subject import Subject
from infoflow.report import Status
from tests.cases import gaussian
from tests.maps.reading import layers, planned, records

PEFT = "base_model.model.layers.0.q_proj.lora_{}.weight"


def peft(out=6, into=5, rank=2, seed=0):
    return {
        PEFT.format("A"): gaussian(rank, into, seed=seed),
        PEFT.format("B"): gaussian(out, rank, seed=seed + 1),
    }


def kohya(**parts):
    arrays = {"lora_down__weight": gaussian(2, 5), "lora_up__weight": gaussian(6, 2)} | parts
    return {f"q.{key.replace('__', '.')}": array for key, array in arrays.items()}


def pattern(text):
    return {"adapter__lora_alpha": "16", "adapter__alpha_pattern": text}


def rows(layer):
    return {
        (row.measure, row.statistic): row
        for measure in choose("all")
        if layer.kind in measure.kinds
        for row in measure.compute(Subject(layer))
    }


@pytest.mark.parametrize(
    ("down", "up", "name"),
    [
        (PEFT.format("A"), PEFT.format("B"), "layers.0.q_proj"),
        ("q.lora_A.default.weight", "q.lora_B.default.weight", "q"),
        ("q.lora_A.other.weight", "q.lora_B.other.weight", "q.lora.other"),
        ("wte.lora_embedding_A", "wte.lora_embedding_B", "wte"),
        ("q.lora_A", "q.lora_B", "q"),
        ("lora_unet_down_to_q.lora_down.weight", "lora_unet_down_to_q.lora_up.weight", "down_to_q"),
        ("unet.to_q_lora.down.weight", "unet.to_q_lora.up.weight", "unet.to_q"),
    ],
)
def test_every_way_of_naming_the_factors(down, up, name):
    found = layers({down: gaussian(2, 5), up: gaussian(6, 2)})
    (layer,) = found.values()
    assert (layer.name, layer.kind, layer.whole) == (name, "low-rank update", (6, 5))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(0, 99))
def test_singular_values_and_norm_are_the_products(out, into, rank, seed):
    arrays = peft(out, into, rank, seed)
    down, up = (array.astype(float) for array in arrays.values())
    (layer,) = layers(arrays).values()
    exact = np.linalg.svd(up @ down, compute_uv=False)
    found = np.linalg.svd(layer.weight, compute_uv=False)
    shared = min(len(exact), len(found))
    np.testing.assert_allclose(found[:shared], exact[:shared], atol=1e-12 * exact[0])
    assert rows(layer)["weight-scale", "value"].value == pytest.approx(
        np.sqrt(np.mean((up @ down) ** 2))
    )


def test_the_update_of_a_convolution_at_any_frequency():
    arrays = {"c.lora_A.weight": gaussian(2, 3, 3, 3), "c.lora_B.weight": gaussian(5, 2, 1, 1)}
    (layer,) = layers(arrays).values()
    product = np.einsum(
        "or,rihw->oihw", arrays["c.lora_B.weight"][:, :, 0, 0], arrays["c.lora_A.weight"]
    )
    wave = np.exp(1j * (0.7 * np.arange(3)[:, None] - 1.9 * np.arange(3)))
    exact, found = (
        np.linalg.svd((kernel * wave).sum(axis=(2, 3)), compute_uv=False)
        for kernel in (product, layer.weight)
    )
    np.testing.assert_allclose(found, exact[:2], rtol=1e-6)
    assert layer.geometry_source == "assumed stride 1, groups 1"


def test_the_log_volume_is_lost_by_design_and_the_rank_is_the_width():
    (layer,) = layers(peft(40, 30, 3)).values()
    found = rows(layer)
    lost = found["log-volume", "value"]
    assert lost.value is None
    assert "by its making" in lost.note
    assert not lost.is_minus_infinity
    values = np.linalg.svd(layer.weight, compute_uv=False)
    assert found["log-volume.over-rank", "value"].value == pytest.approx(np.log(values).sum())
    assert (found["rank", "value"].value, found["rank", "full"].value) == (3, 3)
    assert not any(name.startswith(("entropy-change", "random", "filters")) for name, _ in found)


def test_factors_wider_than_the_layer_are_a_whole_map():
    (layer,) = layers(peft(3, 8, 5)).values()
    assert rows(layer)["log-volume", "value"].value is not None


@pytest.mark.parametrize(
    ("metadata", "scale", "words"),
    [
        ({}, 1, "is not in the file, and its scale alpha/r was taken as 1"),
        ({"adapter__lora_alpha": "16"}, 8, "16/2"),
        ({"adapter__lora_alpha": "16", "adapter__use_rslora": "True"}, 16 / np.sqrt(2), "√2"),
        ({"adapter__lora_alpha": "16", "adapter__alpha_pattern": '{"q_proj": 4}'}, 2, "4/2"),
        ({"adapter__lora_alpha": "16", "adapter__alpha_pattern": '{"o_proj": 4}'}, 8, "16/2"),
        ({"adapter__lora_alpha": "16", "adapter__alpha_pattern": '{"(": 4}'}, 8, "16/2"),
        ({"adapter__lora_alpha": "nan"}, 1, "alpha cannot be read ('nan')"),
        ({"adapter__lora_alpha": "x"}, 1, "alpha cannot be read ('x')"),
        ({"adapter__lora_alpha": "9" * 500}, 1, "alpha cannot be read ('999"),
        ({"adapter__alpha_pattern": '{"q_proj": 4}'}, 2, "4/2"),
        (pattern('{"^layers.0.q_proj|o_proj": 4}'), 2, "4/2"),
        (pattern(r'{"layers\\.0\\.q_proj": 4}'), 2, "4/2"),
        (pattern('{"proj": 4, "ayers.0.q_proj": 4, "|": 4, "": 4}'), 8, "16/2"),
        (pattern('{"(.+)+b": 4, "q_proj": 2}'), 1, "alpha_pattern '(.+)+b' was not applied"),
        (pattern('{"q_proj": 1%s}' % ("0" * 400)), 8, "'q_proj' gives no number"),
        (pattern('{"q_proj": true}'), 8, "'q_proj' gives no number"),
        (pattern("[" * 100_000), 8, "cannot be read and was not applied"),
        (pattern("\ud800"), 8, "cannot be read and was not applied"),
    ],
)
def test_the_scale_of_the_configuration(metadata, scale, words):
    arrays = peft()
    (plain,), (layer,) = layers(arrays).values(), layers(arrays, **metadata).values()
    np.testing.assert_allclose(layer.weight, scale * plain.weight, rtol=1e-12)
    assert words in layer.note


def test_the_alpha_beside_the_factors_comes_first():
    arrays = {"q.lora_down.weight": gaussian(2, 5), "q.lora_up.weight": gaussian(6, 2)}
    (plain,) = layers(arrays).values()
    arrays["q.alpha"] = np.float32(6).reshape(())
    (layer,) = layers(arrays, adapter__lora_alpha="1").values()
    np.testing.assert_allclose(layer.weight, 3 * plain.weight, rtol=1e-12)
    assert not records(arrays)["q.alpha"].counts


def test_both_factors_have_their_record_and_the_base_its_own():
    arrays = peft() | {
        "base_model.model.layers.0.q_proj.base_layer.weight": gaussian(6, 5),
        "base_model.model.layers.0.q_proj.lora_magnitude_vector.weight": gaussian(6),
    }
    found = layers(arrays)
    base = "base_model.model.layers.0.q_proj"
    assert set(found) == {f"{base}.base_layer", f"{base}.lora"}
    assert "DoRA" in found[f"{base}.lora"].note
    said = records(arrays)
    assert said[PEFT.format("A")].reason == f"factor of the update of {base}.lora"
    assert said[PEFT.format("A")].parameters == 10
    assert said[f"{base}.lora_magnitude_vector.weight"].status is Status.NOT_LINEAR


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({PEFT.format("A"): gaussian(2, 5)}, "without base_model"),
        ({PEFT.format("B"): gaussian(5, 2)}, "without its counterpart"),
        ({"q.lora_A.weight": gaussian(2, 5), "q.lora_B.weight": gaussian(6, 3)}, "do not fit (2×5"),
        ({"q.hada_w1_a": gaussian(6, 2)}, "LoHa"),
        (kohya(alpha=gaussian(0)), "alpha is no number"),
        (kohya(alpha=np.ones((), np.complex64)), "alpha is no number"),
        (kohya(lora_down__weight=np.ones((2, 5), np.complex64)), "types complex64 and float32"),
        (kohya(lora_up__weight=np.ones((6, 2), np.int8)), "types float32 and int8"),
        (
            {
                "c.lora_down.weight": gaussian(2, 5),
                "c.lora_mid.weight": gaussian(2, 2, 3, 3),
                "c.lora_up.weight": gaussian(6, 2),
            },
            "lora_mid",
        ),
    ],
)
def test_what_is_no_product_of_two_says_why(arrays, reason):
    found = records(arrays)
    assert not planned(arrays).layers
    assert all(record.status is Status.NOT_SUPPORTED for record in found.values())
    assert any(reason in record.reason for record in found.values())


def test_a_small_adapter_network_is_dense_layers():
    assert list(layers({"block.adapter.down.weight": gaussian(2, 8)})) == ["block.adapter.down"]


def test_a_nan_in_a_factor_is_counted_and_nothing_else_is_computed():
    arrays = peft()
    arrays[PEFT.format("B")][0, 0] = np.nan
    (layer,) = layers(arrays).values()
    assert Subject(layer).non_finite > 0


def test_adapters_are_reported_without_alarms(tmp_path):
    arrays = {}
    for index in range(4):
        name = f"base_model.model.h.{index}.proj.lora_{{}}.weight"
        arrays[name.format("A")] = gaussian(4, 32, seed=index)
        arrays[name.format("B")] = gaussian(24, 4, seed=9 + index) * (index > 0)
    save_file(arrays, tmp_path / "adapter_model.safetensors")
    config = {"lora_alpha": 8, "r": 4, "peft_type": "LORA"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    report = infoflow.analyze(tmp_path)
    (finding,) = report.findings
    assert (finding.rule, finding.layers) == ("idle-updates", ("h.0.proj",))
    assert report.coverage.analysed == 1.0
    assert "alpha/r = 8/4" in report.layers[1].note
    spectral = report.row("h.1.proj", "spectral-norm").value
    name = "base_model.model.h.1.proj.lora_{}.weight"
    product = 2 * arrays[name.format("B")] @ arrays[name.format("A")]
    assert spectral == pytest.approx(np.linalg.norm(product, 2), rel=1e-5)
