"""safetensors against the reference package, and headers that lie."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.dtypes import SAFETENSORS, numpy_dtype
from infoflow.errors import CheckpointError


def write(path: Path, header: object, data: bytes = b"", pad: int = 0) -> Path:
    encoded = (header if isinstance(header, bytes) else json.dumps(header).encode()) + b" " * pad
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return path


def entry(shape: list[Any], begin: int, end: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def test_against_the_reference_package(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.integers(0, 2, (2, 3)).astype(name)
        for name in (
            *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
            *("float16", "float32", "float64", "complex64"),
        )
    }
    tensors["scalar"] = np.array(3.5)
    tensors["empty"] = np.empty((0, 4), np.float32)
    save_file(tensors, tmp_path / "file", {"infoflow.architecture": "lenet5"})
    opened = open_checkpoint(tmp_path / "file")
    expected = load_file(tmp_path / "file")
    assert opened.metadata == {"infoflow.architecture": "lenet5"}
    assert opened.format == "safetensors"
    assert set(opened.tensors) == set(expected)
    for name, reference in expected.items():
        array = opened.tensors[name].load()
        assert array.dtype == reference.dtype
        assert array.dtype.name == opened.tensors[name].dtype
        np.testing.assert_array_equal(array, reference)


@pytest.mark.parametrize("kind", sorted(SAFETENSORS))
def test_every_type(tmp_path: Path, kind: str) -> None:
    dtype = numpy_dtype(SAFETENSORS[kind])
    expected = np.array([[0, 1, 1], [1, 0, 1]]).astype(np.float32).astype(dtype)
    header = {"w": entry([2, 3], 0, expected.nbytes, kind)}
    for pad in (0, 1):  # with and without alignment
        path = write(tmp_path / "file", header, expected.tobytes(), pad)
        (tensor,) = open_checkpoint(path).tensors.values()
        assert tensor.dtype == SAFETENSORS[kind]
        assert tensor.load().tobytes() == expected.tobytes()


def test_types_that_torch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    tensors = {
        name: torch.tensor([[0.5, 1.0], [-2.0, 3.0]]).to(getattr(torch, name))
        for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")
    }
    save_torch(tensors, tmp_path / "file")
    for name, tensor in open_checkpoint(tmp_path / "file").tensors.items():
        assert tensor.load().dtype == np.dtype(getattr(ml_dtypes, name))
        assert tensor.load().astype(np.float32).tolist() == tensors[name].float().tolist()


def test_numbers_in_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    names = [f"layer.{number}.weight" for number in (10, 2, 1)]
    save_file({name: np.ones(2) for name in names}, tmp_path / "file")
    assert list(open_checkpoint(tmp_path / "file").tensors) == names[::-1]


def test_a_tensor_that_is_named_like_the_field_of_an_index(tmp_path: Path) -> None:
    """The header's length, 123 bytes, begins the file with a brace, as JSON does."""
    header = json.dumps({"weight_map": entry([2], 0, 8)})
    header += " " * (123 - len(header))
    path = tmp_path / "file"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    assert path.read_bytes()[:1] == b"{"
    assert list(open_checkpoint(path).tensors) == ["weight_map"]


def test_types_of_less_than_a_byte_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "file", {"w": entry([2, 4], 0, 4, "F4")}, bytes(4))
    (tensor,) = open_checkpoint(path).tensors.values()
    assert tensor.unread
    with pytest.raises(CheckpointError, match="type F4, which is not read"):
        tensor.load()


GOOD = {"w": entry([2, 2], 0, 16)}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (GOOD, bytes(15), "truncated: 16 bytes of tensors are 15"),
        (GOOD, bytes(17), "1 bytes after the last tensor"),
        ({"w": entry([2, 2], 4, 20)}, bytes(20), "overlap or leave gaps"),
        ({**GOOD, "v": entry([1], 12, 16)}, bytes(16), "overlap or leave gaps"),
        ({**GOOD, "v": entry([1], 20, 24)}, bytes(24), "overlap or leave gaps"),
        ({"w": entry([2, 3], 0, 16)}, bytes(16), "size of its shape"),
        ({"w": entry([-2, -2], 0, 16)}, bytes(16), "entry of 'w' is wrong"),
        ({"w": entry([2.0, 2], 0, 16)}, bytes(16), "entry of 'w' is wrong"),
        ({"w": entry([True], 0, 4)}, bytes(4), "entry of 'w' is wrong"),
        ({"w": entry([2**62] * 64, 0, 16)}, bytes(16), "size of its shape"),
        ({"w": entry([1] * 65, 0, 4)}, bytes(4), "65 dimensions"),
        ({"w": entry([4], 0, 16, "F99")}, bytes(16), "unknown type 'F99'"),
        ({"w": {"dtype": "F32", "shape": [4]}}, bytes(16), "entry of 'w' is wrong"),
        ({"w": [1]}, bytes(16), "entry of 'w' is wrong"),
        ({"__metadata__": {"a": 1}, **GOOD}, bytes(16), "__metadata__"),
        ({"__metadata__": [], **GOOD}, bytes(16), "__metadata__"),
        ({"__metadata__": {"a": "b"}}, b"", "no tensors"),
        (b"{" + b'"w":' * 3, b"", "not a JSON object"),
        (b'{"w": 1, "w": 2}', b"", "not a JSON object"),
        (b'{"\xff": 1}', b"", "not a JSON object"),
        (b'{"a":' + b"[" * 100_000, b"", "not a JSON object"),
        (b'{"a": ' + b"9" * 10_000 + b"}", b"", "not a JSON object"),
    ],
)
def test_headers_that_lie(tmp_path: Path, header: object, data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        open_checkpoint(write(tmp_path / "file", header, data))
    assert str(error.value).startswith(f"{tmp_path / 'file'}: ")


def test_a_truncated_header(tmp_path: Path) -> None:
    path = write(tmp_path / "file", GOOD, bytes(16))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CheckpointError, match="truncated: its header ends at byte"):
        open_checkpoint(path)
