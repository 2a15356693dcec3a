"""Several maps in one tensor, weights stored (in, out), experts, tables of tokens."""

from __future__ import annotations

import numpy as np
import pytest

import infoflow
from infoflow.architectures.architecture import Architecture
from infoflow.facts import ParameterFacts
from infoflow.layers import plan
from infoflow.measures.weights.tokens import repeated_tokens, zero_tokens
from infoflow.report import Status
from tests.cases import gaussian, in_memory
from tests.maps.reading import layers, planned, records


def conv1d(width=4, *, bias=True, square_only=False):
    shapes = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
    shapes |= {"mlp.c_fc": (width, 4 * width), "mlp.c_proj": (4 * width, width)}
    arrays = {}
    for index, (name, shape) in enumerate(shapes.items()):
        if square_only and shape[0] != shape[1]:
            continue
        arrays[f"h.0.{name}.weight"] = gaussian(*shape, seed=index)
        if bias:
            arrays[f"h.0.{name}.bias"] = np.zeros(shape[1], np.float32)
    return arrays


def linear(width=4, **more):
    """nanoGPT: the same names, stored (out, in)."""
    return {
        name: array.T.copy() if array.ndim == 2 else array
        for name, array in conv1d(width, **more).items()
    }


def test_gpt2s_conv1d_is_read_as_its_transpose_and_nanogpts_linear_as_it_is():
    turned, straight = layers(conv1d()), layers(linear())
    assert list(turned) == list(straight)
    assert [*turned][:3] == [f"h.0.attn.c_attn.{part}" for part in "qkv"]
    for name, layer in turned.items():
        np.testing.assert_array_equal(layer.weight, straight[name].weight)
        assert "its transpose" in layer.note
        assert not straight[name].note
    assert turned["h.0.mlp.c_fc"].weight.shape == (16, 4)


def test_a_square_weight_is_like_its_siblings_and_alone_as_it_is():
    weight = conv1d()["h.0.attn.c_proj.weight"]
    np.testing.assert_array_equal(layers(conv1d())["h.0.attn.c_proj"].weight, weight.T)
    alone = layers(conv1d(square_only=True))["h.0.attn.c_proj"]
    np.testing.assert_array_equal(alone.weight, weight)


def test_without_a_bias_the_shape_of_c_attn_tells():
    name = "h.0.attn.c_attn.k"
    for arrays in (conv1d(bias=False), linear(bias=False)):
        weight = arrays["h.0.attn.c_attn.weight"]
        stored = weight.T if weight.shape == (4, 12) else weight
        np.testing.assert_array_equal(layers(arrays)[name].weight, stored[4:8])


def test_a_bias_of_both_lengths_says_nothing():
    arrays = {"fc.weight": gaussian(4, 4), "fc.bias": np.zeros(4, np.float32)}
    assert not layers(arrays)["fc"].note


def test_what_a_format_or_an_architecture_says_of_parts_and_of_the_orientation():
    weight = gaussian(3, 8)
    parts = ("input", "forget", "cell", "output")
    facts = {"k": ParameterFacts("dense", parts=parts, transposed=True)}
    made = [*plan(in_memory({"k": weight}), Architecture("x", "X", None, facts))]
    assert [layer.name for layer in made] == [f"k.{part}" for part in parts]
    np.testing.assert_array_equal(made[1].weight, weight.T[2:4])
    uneven = {"k": ParameterFacts("dense", parts=("a", "b", "c"), transposed=True)}
    (record,) = plan(in_memory({"k": weight}), Architecture("x", "X", None, uneven)).records
    assert (record.status, "8 rows" in record.reason) == (Status.NOT_SUPPORTED, True)


def test_fewer_heads_of_keys_than_of_queries():
    weight = gaussian((4 + 2 * 2) * 3, 12)
    found = layers({"l.qkv_proj.weight": weight}, config__num_attention_heads="4")
    rows = {name: len(layer.weight) for name, layer in found.items()}
    assert rows == {"l.qkv_proj.q": 12, "l.qkv_proj.k": 6, "l.qkv_proj.v": 6}
    np.testing.assert_array_equal(np.concatenate([x.weight for x in found.values()]), weight)
    (together,) = layers({"l.qkv_proj.weight": weight}).values()
    assert (together.name, "heads is not known" in together.note) == ("l.qkv_proj", True)


@pytest.mark.parametrize(("network", "keys"), [("gpt_neox", 4), ("bloom", 4), ("falcon", 2)])
def test_heads_that_take_turns(network, keys):
    queries, size, columns = 4, 3, 12
    each = queries // keys
    turns = gaussian(keys, each + 2, size, columns)
    arrays = {"h.0.query_key_value.weight": turns.reshape(-1, columns)}
    found = layers(arrays, model_type=network, config__num_attention_heads="4")
    expected = {"q": turns[:, :each], "k": turns[:, each], "v": turns[:, each + 1]}
    for part, weight in expected.items():
        layer = found[f"h.0.query_key_value.{part}"]
        np.testing.assert_array_equal(layer.weight, weight.reshape(-1, columns))
    (together,) = layers(arrays).values()
    assert "without its config.json" in together.note


@pytest.mark.parametrize(
    ("name", "parts"),
    [("gate_up_proj", ["gate", "up"]), ("w12", ["gate", "up"]), ("to_kv", ["k", "v"])],
)
def test_halves(name, parts):
    found = layers({f"m.{name}.weight": gaussian(6, 5)})
    assert list(found) == [f"m.{name}.{part}" for part in parts]
    assert list(layers({f"m.{name}.weight": gaussian(7, 5)})) == [f"m.{name}"]


def test_experts_are_one_map_each_in_the_orientation_that_the_pair_tells():
    up, down = gaussian(3, 4, 10), gaussian(3, 5, 4)
    arrays = {"e.experts.gate_up_proj": up, "e.experts.down_proj": down}
    found = layers(arrays)
    assert len(found) == 9
    half = up.shape[2] // 2
    gate = found["e.experts.gate_up_proj.2.gate"]
    np.testing.assert_array_equal(gate.weight, up[2, :, :half].T)
    np.testing.assert_array_equal(found["e.experts.gate_up_proj.2.up"].weight, up[2, :, half:].T)
    biased = layers(arrays | {"e.experts.gate_up_proj_bias": gaussian(up.shape[0], up.shape[2])})
    gate = biased["e.experts.gate_up_proj.2.gate"]
    np.testing.assert_array_equal(gate.weight, up[2, :, ::2].T)
    np.testing.assert_array_equal(biased["e.experts.gate_up_proj.2.up"].weight, up[2, :, 1::2].T)
    assert "gpt-oss" in gate.note
    (alone, *_) = layers({"e.experts.gate_up_proj": up}).values()
    np.testing.assert_array_equal(alone.weight, up[0])
    np.testing.assert_array_equal(found["e.experts.down_proj.1"].weight, down[1].T)
    straight = {name: array.transpose(0, 2, 1) for name, array in arrays.items()}
    np.testing.assert_array_equal(layers(straight)["e.experts.down_proj.1"].weight, down[1].T)
    (first, *_) = layers({"e.experts.w1": up}).values()
    assert "not known" in first.note
    assert {r.status for r in records(arrays).values()} == {Status.ANALYSED}


def test_a_depthwise_convolution_is_assumed_only_after_as_many_channels():
    def groups(*shapes):
        arrays = {f"{i}.weight": gaussian(*shape) for i, shape in enumerate(shapes)}
        return [layer.summary.geometry for layer in planned(arrays).layers]

    assert groups((8, 3, 1, 1), (8, 1, 3, 3))[1] == "assumed stride 1, groups 8"
    assert groups((6, 3, 1, 1), (8, 1, 3, 3))[1] == "assumed stride 1, groups 1"
    assert groups((8, 1, 3, 3))[0] == "assumed stride 1, groups 1"
    layer = layers({"0.weight": gaussian(8, 3, 1, 1), "1.weight": gaussian(8, 1, 3, 3)})["1"]
    assert layer.geometry.groups == 8


@pytest.mark.parametrize("name", ["wte", "embed_tokens", "word_embeddings", "tok_emb", "shared"])
def test_an_embedding_is_the_transpose_of_its_table(name):
    table = gaussian(30, 4)
    (layer,) = layers({f"t.{name}.weight": table}).values()
    assert (layer.name, layer.kind) == (f"t.{name}", "embedding")
    np.testing.assert_array_equal(layer.weight, table.T)


@pytest.mark.parametrize(
    ("arrays", "kind"),
    [
        ({"x_embedder.weight": gaussian(6, 4), "x_embedder.bias": gaussian(6)}, "dense"),
        ({"patch_embedding.weight": gaussian(6, 3, 4, 4)}, "convolution"),
    ],
)
def test_a_name_with_embed_may_be_another_layer(arrays, kind):
    (layer,) = layers(arrays).values()
    assert layer.kind == kind


@pytest.mark.parametrize(
    "name", ["wpe", "embed_positions", "position_embeddings", "positional_embedding", "pos_embed"]
)
def test_tables_of_positions_are_added(name):
    found = records({f"t.{name}.weight": gaussian(30, 4)})[f"t.{name}.weight"]
    assert (found.status, found.reason[:8]) == (Status.NOT_LINEAR, "position")


def test_a_table_and_its_head_in_one_memory_are_analysed_once():
    table = gaussian(30, 4)
    arrays = {"wte.weight": table, "fc.weight": gaussian(4, 4), "lm_head.weight": table}
    made = plan(in_memory(arrays, {"lm_head.weight": "wte.weight"}))
    assert [layer.name for layer in made] == ["wte", "fc"]
    assert made.records[-1].reason == "dense, analysed as wte.weight"
    assert made.records[-1].shared_with == "wte.weight"


def test_tokens_that_say_nothing_of_their_own():
    table = gaussian(40, 5)
    table[[3, 7]] = 0
    table[9] = table[2]
    table[11] = -table[2]
    assert zero_tokens(table) == (3, 7)
    assert repeated_tokens(table) == (9,)


def test_padding_is_a_note_and_a_random_table_nothing(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    torch.save(torch.nn.Embedding(60, 8).state_dict(), tmp_path / "plain.pt")
    torch.save({"embed.weight": torch.nn.Embedding(60, 8).weight.data}, tmp_path / "a.pt")
    assert not infoflow.analyze(tmp_path / "a.pt").findings
    padded = torch.nn.Embedding(60, 8, padding_idx=0).weight.data
    torch.save({"embed.weight": padded}, tmp_path / "b.pt")
    report = infoflow.analyze(tmp_path / "b.pt", measures="all")
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("idle-tokens", "note")
    assert "1 of 60 tokens has a vector of zeros (0)" in finding.sentence
    assert not report.rows(measure="entropy-change.logdet")
    assert report.row("embed", "rank").value == 8
    values = np.linalg.svd(padded.numpy().astype(float), compute_uv=False)
    assert report.row("embed", "log-volume").value == pytest.approx(np.log(values).sum())
