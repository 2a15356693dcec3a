"""Headers and layouts that claim too much, indices that lead elsewhere, odd numbers and shapes."""

from __future__ import annotations

import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import infoflow
from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError
from tests.checkpoints import making
from tests.checkpoints.test_bad_input import refusal
from tests.checkpoints.test_safetensors import GOOD, entry, write
from tests.checkpoints.test_safety import zipped

MANY = 10**6


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"w": entry([MANY, MANY], 0, 4 * MANY * MANY)}, "truncated"),
        ({"w": entry([MANY, MANY], 0, 16)}, "size of its shape"),
        ({"w": entry([MANY, MANY, 0], 0, 16)}, "size of its shape"),
        ({"w": entry([2**63], 0, 16)}, "is wrong"),
        ({"w": entry([4], 16, 0)}, "size of its shape"),
        ({"w": entry([4], -16, 0)}, "is wrong"),
        ({"w": entry([2**61, 8], 0, 0)}, "size of its shape"),
        ({"w": {**entry([2, 2], 0, 16), "more": 1}}, "is wrong"),
        (b'{"w": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 16]}}', "is wrong"),
        (b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 16]}}', "is wrong"),
        (b'{"w": {"dtype": "F32", "shape": [4], "shape": [4]}}', "not a JSON object"),
        (json.dumps(GOOD).encode("utf-16"), "known format"),
        (b"{" + b'"a":[],' * 100 + b'"a":[]}', "not a JSON object"),
    ],
)
def test_headers_that_claim(tmp_path: Path, header: Any, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(write(tmp_path / "file", header, bytes(16)))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_header_lengths_that_lie(tmp_path: Path) -> None:
    for length in (0, 1, 2**27, 2**63, 2**64 - 1):
        (tmp_path / "file").write_bytes(length.to_bytes(8, "little") + json.dumps(GOOD).encode())
        refusal(tmp_path / "file")


def test_a_header_of_lists_alone(tmp_path: Path) -> None:
    header = b'{"__metadata__":[' + b"[]," * 4_000_001 + b"[]]}"
    with pytest.raises(CheckpointError, match="more than 4,000,000 lists and mappings"):
        open_checkpoint(write(tmp_path / "file", header))


def test_a_header_padded_with_blanks(tmp_path: Path) -> None:
    path = write(tmp_path / "file", GOOD, bytes(16), pad=99_000_000)
    assert list(open_checkpoint(path).tensors) == ["w"]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (making.tensor(making.storage("0", 4), (MANY, MANY), (0, 0)), "repeated to shape"),
        (making.tensor(making.storage("0", 4), (MANY, MANY), (MANY, 1)), "ends at element"),
        (making.tensor(making.storage("0", 4), (2**62,), (2**62,)), "ends at element"),
        (making.tensor(making.storage("0", 4), (1,) * 65, (1,) * 65), "short list"),
        (making.tensor(making.storage("0", MANY**2), (4,), (1,)), "instead of"),
        (making.tensor(making.storage("0", 4, "torch.DoubleStorage"), (4,), (1,)), "instead of"),
    ],
)
def test_layouts_that_claim(tmp_path: Path, tensor: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(zipped(tmp_path, making.state(w=tensor)))


def test_dimensions_of_zero_and_sixty_four(tmp_path: Path) -> None:
    body = making.state(
        none=making.tensor(making.storage("0", 4), (0, MANY, MANY), (1, 1, 1)),
        many=making.tensor(making.storage("0", 4), (1,) * 63 + (2,), (1,) * 64),
        w=making.tensor(making.storage("0", 4), (2, 2), (2, 1)),
    )
    opened = open_checkpoint(zipped(tmp_path, body))
    assert opened.tensors["none"].load().size == 0
    assert opened.tensors["many"].load().shape == (1,) * 63 + (2,)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float64"])
@pytest.mark.parametrize("value", ["nan", "inf", "tiny", "huge"])
def test_numbers_at_the_edge(tmp_path: Path, kind: str, value: str) -> None:
    """NaN, infinite, subnormal and largest numbers of every type end in a report."""
    import ml_dtypes

    from infoflow.checkpoints.dtypes import SAFETENSORS, numpy_dtype

    dtype = numpy_dtype(kind)
    limits = ml_dtypes.finfo(dtype)
    number = {
        "nan": float("nan"), "inf": float("inf"),
        "tiny": limits.smallest_subnormal, "huge": limits.max,
    }[value]  # fmt: skip
    array = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(dtype)
    array[0, 0] = number
    name = {numpy: ours for ours, numpy in SAFETENSORS.items()}[kind]
    header = {"c.weight": entry([4, 3, 3, 3], 0, array.nbytes, name)}
    report = infoflow.analyze(write(tmp_path / "file", header, array.tobytes()))
    assert {row.measure for row in report.measurements} >= {"zeros", "non-finite", "rank"}


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 1000), (1000, 1), (1, 1, 1), (1, 1, 100), (1, 1, 8, 8), (2, 1, 1, 1, 9)],
)
def test_odd_shapes_are_analysed(tmp_path: Path, shape: tuple[int, ...]) -> None:
    save_file({"w.weight": np.ones(shape, np.float32)}, tmp_path / "file")
    assert infoflow.analyze(tmp_path / "file").layers[0].shape == shape


def test_a_running_variance_of_another_size(tmp_path: Path) -> None:
    arrays = {
        "c.weight": np.ones((8, 3, 3, 3), np.float32),
        "n.weight": np.ones(8, np.float32),
        "n.running_var": np.ones(4, np.float32),
    }
    save_file(arrays, tmp_path / "file")
    report = infoflow.analyze(tmp_path / "file")
    (record,) = [one for one in report.coverage.tensors if one.name == "n.running_var"]
    assert record.reason == "running variance of another shape or type than its weight"


@pytest.mark.parametrize("name", ["_embed" * 680, "position" * 500, "norm_" * 800 + ".weight"])
def test_long_names_are_classified_in_a_moment(tmp_path: Path, name: str) -> None:
    """The patterns of names took ten seconds for each of these."""
    arrays = {name: np.ones((4, 4), np.float32), "w.weight": np.ones((4, 4), np.float32)}
    save_file(arrays, tmp_path / "file")
    start = os.times().user
    infoflow.analyze(tmp_path / "file", measures="zeros")
    assert os.times().user - start < 5


def test_an_index_of_one_shard_many_times(tmp_path: Path) -> None:
    save_file({f"l{n}.weight": np.ones(1, np.float32) for n in range(5000)}, tmp_path / "s")
    places = {f"l{n}.weight": "s" for n in range(5000)}
    (tmp_path / "index.json").write_text(json.dumps({"weight_map": places}))
    assert len(open_checkpoint(tmp_path / "index.json").tensors) == 5000


def test_links_of_a_cache_are_followed(tmp_path: Path) -> None:
    """Hugging Face's cache: snapshots/REVISION/NAME is a link to ../../blobs/DIGEST."""
    (tmp_path / "blobs").mkdir()
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    save_file({"a.weight": np.ones((2, 2), np.float32)}, tmp_path / "blobs" / "1")
    index = {"weight_map": {"a.weight": "model-00001-of-00001.safetensors"}}
    (tmp_path / "blobs" / "2").write_text(json.dumps(index))
    (snapshot / "model-00001-of-00001.safetensors").symlink_to("../../blobs/1")
    (snapshot / "model.safetensors.index.json").symlink_to("../../blobs/2")
    assert list(open_checkpoint(snapshot).tensors) == ["a.weight"]


def test_links_without_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "cannot be read" in refusal(tmp_path / "a")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/proc/self/mem", "/proc/self/maps"])
def test_devices_and_the_files_of_processes(path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"no {path} here")
    assert "not a regular file" in refusal(path) or "is empty" in refusal(path)


def test_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        refusal("s")
