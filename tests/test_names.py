"""What names say where nothing else does."""

from __future__ import annotations

import pytest

from infoflow.names import facts_by_name, is_buffer, is_position, passive_reason, unsupported_reason


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("wte.weight", (9, 4), "embedding"),
        ("encoder.embed_tokens.weight", (9, 4), "embedding"),
        ("embed_out.weight", (9, 4), "dense"),
        ("unembed.weight", (9, 4), "dense"),
        ("patch_embed.proj.weight", (9, 4, 2, 2), "convolution"),
        ("time_embedding.linear_1.weight", (9, 4), "dense"),
    ],
)
def test_kinds(name, shape, kind):
    facts = facts_by_name(name, shape, {name})
    assert facts is not None
    assert facts.kind == kind


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("experts.down_proj_bias", (4, 8), "bias"),
        ("lstm.bias_hh_l0_reverse", (8,), "bias"),
        ("block.relative_attention_bias.weight", (32, 4), "relative position"),
        ("mixer.A_log", (96, 16), "state space"),
    ],
)
def test_what_is_no_map(name, shape, words):
    assert words in passive_reason(name, shape, "float32")


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "mask"),
    [
        ("h.0.attn.bias", (1, 1, 64, 64), "float32", True),
        ("transformer.h.11.attn.bias", (1, 1, 64, 64), "uint8", True),
        ("gpt_neox.layers.0.attention.bias", (1, 1, 8, 8), "bool", True),
        ("h.0.attn.masked_bias", (), "float32", True),
        ("h.0.attn.bias", (64,), "float32", False),
        ("h.0.attn.bias", (1, 12, 64, 64), "float32", False),
        ("h.0.attn.c_attn.bias", (1, 1, 64, 64), "float32", False),
    ],
)
def test_the_causal_mask_of_gpt2_is_a_buffer_and_no_bias(name, shape, dtype, mask):
    assert is_buffer(name, shape, dtype) is mask
    assert passive_reason(name, shape, dtype).startswith("mask buffer") is mask


def test_a_bias_of_four_dimensions_elsewhere_is_a_bias():
    assert passive_reason("x.bias", (1, 1, 8, 8), "float32").startswith("bias")


def test_positions_are_told_from_tokens():
    assert is_position("model.embed_positions.weight")
    assert is_position("pos_embed")
    assert not is_position("model.embed_tokens.weight")
    assert not is_position("composition.weight")


def test_packed_floating_point_blocks_are_named():
    reason = unsupported_reason("experts.down_proj_blocks", (4, 2, 9, 16), "uint8")
    assert "MXFP4" in reason
