"""Quantised weights, packed by hand as each library's documented layout has it, and read back.

The packers are slow twins of AutoGPTQ's and AutoAWQ's loops, of compressed-tensors' pack and of
bitsandbytes' blocks: none of those libraries is needed.
"""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.errors import CheckpointError
from infoflow.maps.integers import unpacked
from infoflow.measures.weights.subject import Subject
from infoflow.report import Status
from tests.cases import gaussian
from tests.maps.reading import layers, planned, records, refusal

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def integers(*shape, bits=4, seed=0):
    return np.random.default_rng(seed).integers(0, 2**bits, shape)


def bit_stream(numbers, bits):
    """Along the first axis, from the lowest bit of the first word on, one bit at a time."""
    words = np.zeros((len(numbers) * bits // 32, *numbers.shape[1:]), np.uint32)
    for index, number in enumerate(numbers):
        for bit in range(bits):
            word, place = divmod(index * bits + bit, 32)
            words[word] |= ((number >> bit & 1) << place).astype(np.uint32)
    return words.view(np.int32)


def awq_words(numbers):
    """AutoAWQ: place p of a word holds column AWQ_ORDER[p] of eight."""
    words = np.zeros((numbers.shape[0], numbers.shape[1] // 8), np.uint32)
    for column in range(words.shape[1]):
        for place, order in enumerate(AWQ_ORDER):
            words[:, column] |= (numbers[:, 8 * column + order] << 4 * place).astype(np.uint32)
    return words.view(np.int32)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 4, 5, 8]), st.integers(1, 3), st.integers(1, 4), st.integers(0, 99)
)
def test_unpacking_undoes_packing(bits, periods, columns, seed):
    numbers = integers(32 * periods, columns, bits=bits, seed=seed)
    np.testing.assert_array_equal(unpacked(bit_stream(numbers, bits), bits), numbers)


def test_three_bits_run_on_as_in_autogptqs_loop():
    numbers = integers(32, 1, bits=3)[:, 0].astype(np.uint32)
    words = [np.uint32(0)] * 3
    for j in range(10):
        words[0] |= numbers[j] << np.uint32(3 * j)
    words[0] |= (numbers[10] << np.uint32(30)) & np.uint32(0xFFFFFFFF)
    words[1] |= (numbers[10] >> np.uint32(2)) & np.uint32(1)
    for j in range(11, 21):
        words[1] |= numbers[j] << np.uint32(3 * (j - 11) + 1)
    words[1] |= (numbers[21] << np.uint32(31)) & np.uint32(0xFFFFFFFF)
    words[2] |= (numbers[21] >> np.uint32(1)) & np.uint32(3)
    for j in range(22, 32):
        words[2] |= numbers[j] << np.uint32(3 * (j - 22) + 2)
    np.testing.assert_array_equal(unpacked(np.array(words), 3), numbers)


def gptq(bits, groups=2, inputs=64, outputs=32, *, index=None, offset=1):
    q = integers(inputs, outputs, bits=bits)
    zeros = integers(groups, outputs, bits=bits, seed=1) % (2**bits - 1) + 1
    scales = np.abs(gaussian(groups, outputs)).astype(np.float16)
    order = np.arange(inputs) // (inputs // groups) if index is None else index
    arrays = {
        "a.q_proj.qweight": bit_stream(q, bits),
        "a.q_proj.qzeros": np.ascontiguousarray(bit_stream((zeros - offset).T, bits).T),
        "a.q_proj.scales": scales,
        "a.q_proj.g_idx": order.astype(np.int32),
    }
    exact = (q - zeros[order]) * scales[order].astype(float)
    return arrays, exact.T


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("with_index", [True, False])
def test_gptq_of_every_width(bits, with_index):
    arrays, exact = gptq(bits)
    if not with_index:
        del arrays["a.q_proj.g_idx"]
    (layer,) = layers(arrays).values()
    assert (layer.name, layer.kind, layer.dtype) == ("a.q_proj", "dense", f"int{bits} (GPTQ)")
    np.testing.assert_allclose(layer.weight, exact, rtol=1e-6)
    assert "first format" in layer.note


def test_gptq_with_reordered_groups_and_of_the_second_format():
    index = np.random.default_rng(0).permutation(64) % 2
    arrays, exact = gptq(4, index=index)
    np.testing.assert_allclose(layers(arrays)["a.q_proj"].weight, exact, rtol=1e-6)
    arrays, exact = gptq(4, offset=0)
    (layer,) = layers(arrays, quantisation__checkpoint_format="gptq_v2").values()
    np.testing.assert_allclose(layer.weight, exact, rtol=1e-6)
    assert "first format" not in layer.note


def test_parameters_are_those_of_the_weight_and_scales_are_none():
    found = records(gptq(4)[0])
    assert found["a.q_proj.qweight"].parameters == 64 * 32
    assert [name for name, record in found.items() if record.counts] == ["a.q_proj.qweight"]
    assert {record.status for record in found.values()} == {Status.ANALYSED}


def test_packed_and_quantised_at_once():
    arrays = {n.replace("q_proj", "qkv_proj"): a for n, a in gptq(4, 2, 32, 96)[0].items()}
    exact = gptq(4, 2, 32, 96)[1]
    found = layers(arrays)
    assert list(found) == [f"a.qkv_proj.{part}" for part in "qkv"]
    np.testing.assert_allclose(found["a.qkv_proj.v"].weight, exact[64:], rtol=1e-6)


def test_awq():
    q, zeros = integers(48, 16), integers(3, 16, seed=1)
    scales = np.abs(gaussian(3, 16)).astype(np.float16)
    arrays = {"m.qweight": awq_words(q), "m.qzeros": awq_words(zeros), "m.scales": scales}
    group = np.arange(48) // 16
    exact = ((q - zeros[group]) * scales[group].astype(float)).T
    (layer,) = layers(arrays).values()
    assert (layer.name, layer.dtype) == ("m", "int4 (AWQ)")
    np.testing.assert_allclose(layer.weight, exact, rtol=1e-6)


def test_packs_of_compressed_tensors():
    q, scale = integers(6, 64), np.abs(gaussian(6, 2))
    arrays = {
        "m.weight_packed": np.ascontiguousarray(bit_stream(q.T, 4).T),
        "m.weight_scale": scale,
        "m.weight_shape": np.array([6, 64]),
    }
    exact = (q - 8.0) * np.repeat(scale, 32, axis=1)
    np.testing.assert_allclose(layers(arrays)["m"].weight, exact, rtol=1e-6)
    arrays["m.weight_shape"] = np.array([6, 60])
    with pytest.raises(CheckpointError, match="padding"):
        layers(arrays)


@pytest.mark.parametrize(
    ("scale", "spread"),
    [
        (np.float32(0.5).reshape(()), lambda s: s),
        (np.full((1,), 0.5, np.float32), lambda s: s),
        (np.abs(gaussian(6)), lambda s: s[:, None]),
        (np.abs(gaussian(6, 1)), lambda s: s),
        (np.abs(gaussian(6, 2)), lambda s: np.repeat(s, 4, axis=1)),
    ],
)
@pytest.mark.parametrize("name", ["weight_scale", "weight_scale_inv", "scales", "scale_weight"])
def test_int8_with_a_scale(scale, spread, name):
    q = integers(6, 8, bits=7).astype(np.int8) - np.int8(64)
    (layer,) = layers({"m.weight": q, f"m.{name}": scale}).values()
    np.testing.assert_allclose(layer.weight, q * spread(scale), rtol=1e-6)
    assert layer.dtype == "int8, scaled"
    zero = np.int8(3)
    arrays = {"m.weight": q, f"m.{name}": scale, "m.weight_zero_point": zero.reshape(1)}
    expected = (q - 3.0) * spread(scale)
    np.testing.assert_allclose(layers(arrays)["m"].weight, expected, rtol=1e-6)


def test_float8_in_blocks_of_128_the_last_one_shorter():
    weight = gaussian(200, 300).astype(ml_dtypes.float8_e4m3fn)
    scale = np.abs(gaussian(2, 3))
    exact = weight.astype(float) * np.repeat(np.repeat(scale, 128, 0)[:200], 128, 1)[:, :300]
    (layer,) = layers({"m.weight": weight, "m.weight_scale_inv": scale}).values()
    np.testing.assert_allclose(layer.weight, exact, rtol=1e-6)
    assert "128×128" in layer.note


def test_int8_of_bitsandbytes():
    q, scb = integers(6, 8, bits=7).astype(np.int8), np.abs(gaussian(6))
    arrays = {"m.weight": q, "m.SCB": scb, "m.weight_format": np.zeros((), np.uint8)}
    np.testing.assert_allclose(layers(arrays)["m"].weight, q * scb[:, None] / 127, rtol=1e-6)
    arrays["m.weight_format"] = np.full((), 2, np.uint8)
    with pytest.raises(CheckpointError, match=r"m\.weight is stored in the tiles"):
        layers(arrays)


def nf4(*, nested=False, shape=(6, 64), block=64, **other):
    table, numbers = np.sort(gaussian(16)), integers(6 * 64)
    absmax = np.abs(gaussian(6 * 64 // block))
    said = {"blocksize": block, "shape": list(shape), "quant_type": "nf4", "dtype": "float16"}
    arrays = {
        "m.weight": (numbers[::2] << 4 | numbers[1::2]).astype(np.uint8)[:, None],
        "m.weight.absmax": absmax,
        "m.weight.quant_map": table,
    }
    if nested:
        codes, outer = integers(absmax.size, bits=8).astype(np.uint8), np.abs(gaussian(1))
        values = gaussian(256)
        absmax = values[codes] * outer[0] + np.float32(0.25)
        arrays |= {"m.weight.absmax": codes, "m.weight.nested_absmax": outer}
        arrays["m.weight.nested_quant_map"] = values
        said |= {"nested_offset": 0.25, "nested_blocksize": 256}
    state = np.frombuffer(json.dumps(said | other).encode(), np.uint8)
    arrays["m.weight.quant_state.bitsandbytes__nf4"] = state
    return arrays, (table[numbers] * np.repeat(absmax, block)).reshape(6, 64)


@pytest.mark.parametrize("nested", [False, True])
def test_four_bits_of_bitsandbytes(nested):
    arrays, exact = nf4(nested=nested)
    (layer,) = layers(arrays).values()
    assert (layer.dtype, layer.parameters) == ("NF4 (bitsandbytes)", 6 * 64)
    np.testing.assert_allclose(layer.weight, exact, rtol=1e-6)
    assert sum(r.parameters for r in records(arrays).values() if r.counts) == 6 * 64


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


def changed(arrays, **new):
    return arrays | {f"m.weight.{key}": value for key, value in new.items()}


STATE = "m.weight.quant_state.bitsandbytes__nf4"


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (without(gptq(4)[0], "a.q_proj.scales"), "without its scales"),
        (gptq(4)[0] | {"a.q_proj.scales": gaussian(3, 32)}, "do not fit"),
        (gptq(4)[0] | {"a.q_proj.qzeros": np.ones((2, 3), np.int32)}, "do not fit"),
        (gptq(4)[0] | {"a.q_proj.scales": gaussian(2, 0)}, "do not fit"),
        (
            gptq(4)[0]
            | {"a.q_proj.scales": gaussian(0, 32), "a.q_proj.qzeros": np.ones((0, 4), np.int32)},
            "do not fit",
        ),
        (gptq(4)[0] | {"a.q_proj.qweight": np.ones((8, 32), np.float32)}, "without its scales"),
        ({"m.weight": np.ones((6, 8), np.int8), "m.weight_scale": gaussian(5)}, "does not fit"),
        ({"m.weight": np.ones((6, 8), np.int8), "m.SCB": gaussian(5)}, "6 rows, 5 scales"),
        ({"m.weight_packed": np.ones((6, 8), np.int32)}, "without its scale"),
        (without(nf4()[0], STATE), "quant_state"),
        (without(nf4(nested=True)[0], "m.weight.nested_absmax"), "nested"),
        *(
            (
                changed(nf4(nested=True)[0], **{f"nested_{leaf}": gaussian(size)}),
                "nested absmax does",
            )
            for leaf, size in (("absmax", 0), ("absmax", 2), ("quant_map", 9), ("quant_map", 257))
        ),
        *(
            (nf4(nested=True, nested_blocksize=size)[0], "nested absmax does")
            for size in ("x", -1, 0, True, 0.5, 10**400, None)
        ),
        *(
            (nf4(nested=True, nested_offset=offset)[0], "nested absmax does")
            for offset in ("x", 10**400, 1e39, float("nan"), None)
        ),
        (nf4(blocksize=True)[0], "does not say its shape"),
        (changed(nf4()[0], absmax=gaussian(5)), "does not fit"),
        (nf4(shape=(6, 65))[0], "does not fit"),
        (nf4(shape=(0, 64))[0], "does not say its shape"),
        (nf4()[0] | {STATE: np.frombuffer(b"[" * 9, np.uint8)}, "does not say its shape"),
    ],
)
def test_what_does_not_fit_says_so(arrays, reason):
    assert reason in refusal(arrays)


def test_a_group_that_does_not_exist_is_one_sentence():
    arrays = gptq(4)[0] | {"a.q_proj.g_idx": np.full(64, 7, np.int32)}
    with pytest.raises(CheckpointError, match="group of inputs that does not exist"):
        layers(arrays)


def test_plain_float8_is_read_as_it_is():
    weight = gaussian(6, 8).astype(ml_dtypes.float8_e4m3fn)
    assert layers({"m.weight": weight})["m"].dtype == "float8_e4m3fn"


def test_a_quantised_random_layer_has_full_rank():
    arrays, _ = gptq(4, 2, 64, 64)
    (layer,) = layers(arrays).values()
    assert Subject(layer).rank.is_full
    assert planned(arrays).layers[0].tensors[0] == "a.q_proj.qweight"
