"""The plan: every tensor of a file is accounted for, with a reason that says which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.architectures.architecture import Architecture
from infoflow.facts import Geometry, ParameterFacts
from infoflow.layers import plan
from infoflow.report import Status
from tests.cases import gaussian, in_memory


def record(arrays, name):
    return {r.name: r for r in plan(in_memory(arrays)).records}[name]


@pytest.mark.parametrize(
    ("name", "shape", "status", "reason"),
    [
        ("fc.weight", (4, 3), Status.ANALYSED, "dense"),
        ("conv.weight", (4, 3, 3, 3), Status.ANALYSED, "convolution"),
        ("conv.weight", (4, 3, 3), Status.ANALYSED, "convolution"),
        ("conv.weight", (4, 3, 3, 3, 3), Status.ANALYSED, "convolution"),
        ("fc.bias", (4,), Status.NOT_LINEAR, "bias"),
        ("attn.in_proj_weight", (12, 4), Status.ANALYSED, "dense"),
        ("norm1.weight", (4,), Status.ANALYSED, "normalisation"),
        ("act.weight", (4,), Status.NOT_LINEAR, "vector"),
        ("embeddings.word_embeddings.weight", (30, 4), Status.ANALYSED, "embedding"),
        ("encoder.pos_embedding", (1, 5, 4), Status.NOT_LINEAR, "position"),
        ("class_token", (1, 1, 4), Status.NOT_LINEAR, "token"),
        ("block.layer_scale", (4, 1, 1), Status.NOT_LINEAR, "scale"),
        ("relative_position_bias_table", (169, 3), Status.NOT_LINEAR, "position"),
        ("lstm.weight_ih_l0", (16, 3), Status.NOT_SUPPORTED, "recurrent"),
        ("q.lora_A.weight", (4, 3), Status.NOT_SUPPORTED, "factor without"),
        ("conv.weight_v", (4, 3, 3, 3), Status.NOT_SUPPORTED, "parametrisation"),
        ("mystery", (4, 3), Status.NOT_SUPPORTED, "2 dimensions"),
        ("empty.weight", (0, 3), Status.NOT_LINEAR, "empty"),
        ("scalar.weight", (), Status.NOT_LINEAR, "single number"),
        ("six.weight", (1, 2, 3, 2, 2, 2), Status.NOT_SUPPORTED, "6 dimensions"),
    ],
)
def test_every_kind_of_tensor_has_its_own_reason(name, shape, status, reason):
    found = record({name: gaussian(*shape), "anchor.weight": gaussian(2, 2)}, name)
    assert found.status is status
    assert reason in found.reason


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "uint8"])
def test_integer_weights_are_not_supported_and_say_why(dtype):
    found = record({"fc.weight": np.ones((3, 3), dtype)}, "fc.weight")
    assert found.status is Status.NOT_SUPPORTED
    assert dtype in found.reason


def test_complex_weights_are_not_supported():
    found = record({"fc.weight": np.ones((3, 3), "complex64")}, "fc.weight")
    assert (found.status, found.reason) == (Status.NOT_SUPPORTED, "complex weight")


def test_packed_attention_becomes_q_k_and_v():
    weight = gaussian(12, 4)
    layers = list(plan(in_memory({"a.attn.in_proj_weight": weight})))
    assert [layer.name for layer in layers] == [f"a.attn.in_proj.{part}" for part in "qkv"]
    np.testing.assert_array_equal(np.concatenate([layer.weight for layer in layers]), weight)
    assert sum(layer.parameters for layer in layers) == weight.size


def test_running_statistics_belong_to_their_normalisation():
    arrays = {
        "bn.weight": gaussian(4),
        "bn.bias": gaussian(4),
        "bn.running_mean": gaussian(4),
        "bn.running_var": np.full(4, 2.0, np.float32),
    }
    (layer,) = plan(in_memory(arrays))
    assert layer.kind == "normalisation"
    np.testing.assert_array_equal(layer.normalisation.variance, np.full(4, 2.0))
    assert record(arrays, "bn.running_var").status is Status.ANALYSED


def test_an_unknown_convolution_says_what_it_assumes():
    planned = plan(in_memory({"c.weight": gaussian(4, 3, 3, 3)}))
    assert planned.layers[0].summary.geometry == "assumed stride 1, groups 1"
    assert planned.records[0].assumed
    sized = plan(in_memory({"c.weight": gaussian(4, 3, 3, 3)}), input_size=(8, 8))
    assert sized.layers[0].summary.input_size == (8, 8)
    assert "input size" in sized.layers[0].summary.geometry


def test_an_architecture_gives_geometry_and_the_normalisation_that_follows():
    geometry = Geometry((2, 2), (1, 1), (1, 1), groups=2, input_size=(8, 8))
    facts = {
        "c.weight": ParameterFacts("convolution", geometry, normalisation="n.weight"),
        "n.weight": ParameterFacts("normalisation", epsilon=1e-3),
        "t": ParameterFacts("other", reason="class token"),
    }
    arrays = {"c.weight": gaussian(4, 2, 3, 3), "n.weight": gaussian(4), "t": gaussian(1, 1, 4)}
    arrays["n.running_var"] = np.ones(4, np.float32)
    planned = plan(in_memory(arrays), Architecture("x", "X", (8, 8), facts))
    convolution, norm = planned
    assert convolution.geometry == geometry
    assert convolution.normalisation.epsilon == norm.normalisation.epsilon
    assert {r.name: r.reason for r in planned.records}["t"] == "class token"
    assert not any(r.assumed for r in planned.records)


def test_tied_tensors_are_counted_once():
    weight = gaussian(4, 3)
    arrays = {"a.weight": weight, "b.weight": weight}
    planned = plan(in_memory(arrays, {"b.weight": "a.weight"}))
    assert [r.shared_with for r in planned.records] == ["", "a.weight"]


def test_nothing_is_read_before_it_is_asked_for():
    checkpoint = in_memory({"fc.weight": gaussian(2, 2)})

    def refuse():
        raise AssertionError("read too early")

    object.__setattr__(checkpoint.tensors["fc.weight"], "load", refuse)
    planned = plan(checkpoint)
    with pytest.raises(AssertionError, match="too early"):
        next(iter(planned))


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=30),
        st.lists(st.integers(0, 3), max_size=6).map(tuple),
        max_size=6,
    )
)
def test_any_names_and_shapes_are_accounted_for_once(shapes):
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    planned = plan(in_memory(arrays))
    assert sorted(r.name for r in planned.records) == sorted(arrays)
    assert all(r.reason for r in planned.records)
    assert len(list(planned)) == len(planned.layers)


def test_layers_come_in_the_order_of_depth():
    names = ["b.10.weight", "b.2.weight", "b.9.weight"]
    arrays = {name: gaussian(2, 2) for name in names}
    by_number = [record.name for record in plan(in_memory(arrays)).records]
    assert by_number == ["b.2.weight", "b.9.weight", "b.10.weight"]
    as_in_file = {name: arrays[name] for name in ["b.9.weight", "b.2.weight", "b.10.weight"]}
    assert [record.name for record in plan(in_memory(as_in_file)).records] == list(as_in_file)
    shapes = dict.fromkeys(["b.9.weight", "b.10.weight", "b.2.weight"], (2, 2))
    facts = {name: ParameterFacts("dense") for name in shapes}
    known = plan(in_memory(arrays), Architecture("x", "X", None, facts, shapes))
    assert [record.name for record in known.records] == list(shapes)


def test_a_pruned_weight_is_its_product_with_the_mask():
    mask = (gaussian(4, 3, seed=2) > 0).astype(np.float32)
    arrays = {"fc.weight_orig": gaussian(4, 3), "fc.weight_mask": mask}
    planned = plan(in_memory(arrays))
    (layer,) = planned
    assert layer.name == "fc"
    np.testing.assert_array_equal(layer.weight, arrays["fc.weight_orig"] * mask)
    assert {r.name: r.status for r in planned.records} == {
        "fc.weight_orig": Status.ANALYSED,
        "fc.weight_mask": Status.ANALYSED,
    }


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("attn.qkv.weight", ["attn.qkv.q", "attn.qkv.k", "attn.qkv.v"]),
        ("attention.query_key_value.weight", ["attention.query_key_value"]),
    ],
)
def test_only_what_is_packed_one_below_the_other_is_split(name, layers):
    planned = plan(in_memory({name: gaussian(12, 4)}))
    assert [layer.name for layer in planned] == layers


def test_an_unknown_parameter_of_a_live_module_counts_against_coverage():
    facts = {"w": ParameterFacts("other", reason="parameter 'w' of Odd")}
    arrays = {"w": gaussian(4, 4), "fc.weight": gaussian(2, 2)}
    records = plan(in_memory(arrays), Architecture("x", "X", None, facts)).records
    assert {r.name: r.status for r in records}["w"] is Status.NOT_SUPPORTED
