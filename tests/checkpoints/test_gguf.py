"""GGUF files as the package gguf writes them, and headers that lie."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError
from infoflow.network import open_network
from tests.cases import gaussian

gguf = pytest.importorskip("gguf")
QUANTISED = ("Q4_0", "Q5_1", "Q8_0")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(str(target), "llama")
    writer.add_name("tiny")
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", "d" * 700])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
    writer.add_float32("llama.rope.freq_base", 1e4)
    writer.add_tensor("token_embd.weight", gaussian(20, 64))
    writer.add_tensor("blk.0.attn_norm.weight", np.ones(64, np.float32))
    writer.add_tensor("blk.0.attn_q.weight", gaussian(32, 64, seed=1).astype(np.float16))
    half = gaussian(64, 32, seed=2).astype(ml_dtypes.bfloat16)
    writer.add_tensor(
        "blk.0.attn_output.weight",
        half.view(np.uint8).reshape(64, 64),
        raw_dtype=gguf.GGMLQuantizationType.BF16,
    )
    for i, name in enumerate(QUANTISED):
        kind = gguf.GGMLQuantizationType[name]
        data = gguf.quants.quantize(gaussian(16, 64, seed=3 + i), kind)
        writer.add_tensor(f"blk.{i}.ffn_up.weight", data, raw_dtype=kind)
    writer.add_tensor("blk.0.ffn_gate_exps.weight", gaussian(3, 8, 64, seed=9))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_numbers_are_those_that_were_written(path: Path) -> None:
    opened = open_checkpoint(path)
    tensors = opened.tensors
    assert opened.format == "GGUF"
    assert opened.metadata["general.architecture"] == "llama"
    assert opened.metadata["general.name"] == "tiny"
    np.testing.assert_array_equal(tensors["token_embd.weight"].load(), gaussian(20, 64))
    half = tensors["blk.0.attn_q.weight"]
    np.testing.assert_array_equal(half.load(), gaussian(32, 64, seed=1).astype(np.float16))
    brain = tensors["blk.0.attn_output.weight"]
    assert (brain.shape, brain.dtype) == ((64, 32), "bfloat16")
    expected = gaussian(64, 32, seed=2).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(brain.load().view(np.uint16), expected.view(np.uint16))
    for i in range(3):
        expert = tensors[f"blk.0.ffn_gate_exps.{i}.weight"]
        np.testing.assert_array_equal(expert.load(), gaussian(3, 8, 64, seed=9)[i])


def test_quantised_weights_are_multiplied_out(path: Path) -> None:
    opened = open_checkpoint(path)
    for i, name in enumerate(QUANTISED):
        kind, weight = gguf.GGMLQuantizationType[name], gaussian(16, 64, seed=3 + i)
        found = opened.tensors[f"blk.{i}.ffn_up.weight"].load()
        expected = gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind)
        np.testing.assert_array_equal(found, expected)
        assert np.abs(found - weight).max() < 0.5
    assert any("Q4_0, Q5_1, Q8_0" in note for note in opened.notes)


def test_the_same_as_the_packages_own_reader(path: Path) -> None:
    reader = gguf.GGUFReader(str(path))
    tensors = open_checkpoint(path).tensors
    for tensor in reader.tensors:
        if not tensor.name.endswith("exps.weight"):
            assert tensors[tensor.name].shape == tuple(int(n) for n in tensor.shape[::-1])


def test_kinds(path: Path) -> None:
    plan = open_network(path).plan
    kinds = {layer.summary.name: layer.summary.kind for layer in plan.layers}
    assert kinds["blk.0.attn_q"] == "dense"
    assert kinds["blk.0.attn_norm"] == "normalisation"
    assert kinds["blk.0.ffn_gate_exps.2"] == "dense"
    facts = open_checkpoint(path).tensors["token_embd.weight"].facts
    assert facts is not None
    assert facts.kind == "embedding"


def test_without_the_package_only_quantised_weights_are_lacking(path: Path) -> None:
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'gguf': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'gguf' else real(n, *a)\n"
        "from infoflow.checkpoints import open_checkpoint\n"
        "t = open_checkpoint(sys.argv[1]).tensors\n"
        "t['token_embd.weight'].load()\n"
        "print(t['blk.0.ffn_up.weight'].unread)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert "pip install 'infoflow[gguf]'" in done.stdout


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def written(
    path: Path, *, version: int = 3, fields: Any = (), tensors: Any = (), **claims: Any
) -> Path:
    """A header by hand: fields of bytes, tensors as (name, dimensions, type, offset)."""
    counts = claims.get("tensors_claimed", len(tensors)), claims.get("fields", len(fields))
    header = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(fields)
    for name, shape, kind, offset in tensors:
        header += text(name) + struct.pack("<I", len(shape))
        header += b"".join(struct.pack("<Q", size) for size in shape)
        header += struct.pack("<IQ", kind, offset)
    padded = header + bytes(-len(header) % 32)
    path.write_bytes(padded + claims.get("data", bytes(64)))
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": 1}, "version 1"),
        ({"version": 3 << 24}, "big-endian"),
        ({"tensors_claimed": 2**60}, "impossible number"),
        ({"tensors_claimed": 5}, "truncated|too long|dimensions"),
        ({"tensors": [("w", (10**6, 10**6), 0, 0)]}, "ends before 'w'"),
        ({"tensors": [("w", (4,), 0, 2**63)]}, "ends before 'w'"),
        ({"tensors": [("w", (33,), 2, 0)]}, "whole blocks"),
        ({"tensors": [("w", (1,) * 9, 0, 0)]}, "9 dimensions"),
        ({"tensors": [("w", (4,), 0, 0)] * 2}, "two tensors"),
        ({"fields": [text("a") + struct.pack("<IQ", 8, 2**62)]}, "truncated"),
        ({"fields": [text("a") + struct.pack("<IIQ", 9, 8, 2**62)]}, "truncated"),
        ({"fields": [text("a") + struct.pack("<IIQ", 9, 9, 1)]}, "unknown type"),
        ({"fields": [text("a") + struct.pack("<I", 99)]}, "unknown type"),
        ({"fields": [struct.pack("<Q", 2**40)]}, "too long"),
        ({"fields": [text("general.alignment") + struct.pack("<II", 4, 7)]}, "aligned to '7'"),
        ({"fields": [text("general.alignment") + struct.pack("<I", 8) + text("x")]}, "to 'x'"),
        ({"fields": [text("general.alignment") + struct.pack("<I", 8) + text("9" * 500)]}, "9…'"),
        ({"tensors": [("w", (), 2, 0)]}, "rows of 1, not whole blocks"),
    ],
)
def test_headers_that_lie(tmp_path: Path, arguments: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(written(tmp_path / "model.gguf", **arguments))


def test_types_that_are_not_known_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path / "model.gguf", tensors=[("w", (4,), 200, 0)])
    assert "GGUF type 200" in open_checkpoint(path).tensors["w"].unread


def test_truncated(tmp_path: Path, path: Path) -> None:
    content = path.read_bytes()
    for keep in (6, 40, len(content) // 10, len(content) // 2, len(content) - 500):
        (tmp_path / "cut.gguf").write_bytes(content[:keep])
        with pytest.raises(CheckpointError, match="truncated"):
            open_checkpoint(tmp_path / "cut.gguf")
