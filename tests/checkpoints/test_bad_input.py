"""Paths and files that cannot be read: one sentence each, which names the path."""

from __future__ import annotations

import io
import os
import re
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError, InfoflowError
from tests.checkpoints import making

STATE = making.state(w=making.tensor(making.storage("0", 4), (2, 2), (2, 1)))


def refusal(path: Path | str) -> str:
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_paths(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "missing.pt")
    assert "zero byte" in refusal("a\0b")
    (tmp_path / "file").write_bytes(b"x")
    assert "not a directory" in refusal(tmp_path / "file" / "within")
    assert "too long" in refusal(tmp_path / ("x" * 5000))


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = making.write_zip(tmp_path / "file", STATE, {"0": bytes(16)})

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    assert "cannot be read (permission denied)" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipes_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "name", ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"]
)
def test_named_pipes_in_folders_do_not_hang(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert "not a regular file" in refusal(tmp_path)


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
    assert "not a regular file" in refusal(tmp_path)
    assert not descriptors.is_dir() or len(list(descriptors.iterdir())) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html></html>", "is a web page"),
        (b"<html>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(8), "truncated or damaged as an HDF5 file"),
        (b"GGUF\x03\x00\x00\x00", "truncated: it ends inside its header"),
        (b"lmgg", "an old GGML file"),
        (b"\x08\x08\x12\x07pytorch\x1a", "truncated or damaged: it is no protocol buffer of ONNX"),
        (b"\x93NUMPY\x01\x00", r"NumPy \.npy"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"\x1f\x8b\x08", "is compressed"),
        (b"\x80\x04\x95\x00", "a Python pickle, but not one that torch.save wrote"),
        (b'{"a": 1}', "is a JSON file"),
        (b"[1, 2]", "is a JSON file"),
        (b"just some text", "not a checkpoint of a known format"),
        (bytes(100), "not a checkpoint of a known format"),
        (b"\xff" * 10_000, "not a checkpoint of a known format"),
        (b"PK\x03\x04", "zip directory cannot be read"),
        (making.MAGIC, "truncated"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    assert re.search(message, refusal(tmp_path / "model.pt"))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["readme.txt"], "a zip archive, but not one that torch.save wrote"),
        ([], "a zip archive, but not one that torch.save wrote"),
        (
            ["net/data.pkl", "net/constants.pkl", "net/code/a.py"],
            "its pickle has the instruction 0x78",
        ),
        (["net/archive_format", "net/models/model.json"], "exported program without weights"),
        (["config.json", "model.weights.h5"], "config.json is not a JSON object"),
        (["deep/er/data.pkl"], "'deep/er/data.pkl' does not lie in a folder of the archive's own"),
        (["data.pkl"], "'data.pkl' does not lie in a folder of the archive's own"),
        (["../net/data.pkl"], "member '../net/data.pkl' leads out of the archive"),
        (["/net/data.pkl", "/net/data/0"], "member '/net/data.pkl' leads out of the archive"),
        ([r"C:\net\data.pkl"], "leads out of the archive"),
        (["net/data.pkl.txt"], "no data.pkl"),
    ],
)
def test_zip_archives_of_another_kind(tmp_path: Path, members: list[str], message: str) -> None:
    with zipfile.ZipFile(tmp_path / "file", "w") as file:
        for member in members:
            file.writestr(member, b"x")
    assert re.search(message, refusal(tmp_path / "file"))


def test_npz_and_tar(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", a=np.ones(3))
    assert ".npz file, which is not read yet" in refusal(tmp_path / "file.npz")
    for member, message in (("notes", "is a tar archive"), ("storages", "tar file of PyTorch 0.1")):
        with tarfile.open(tmp_path / "file.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo(member), io.BytesIO(b""))
        assert message in refusal(tmp_path / "file.tar")


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_truncated_real_files(tmp_path: Path, weight_files: list[Path], keep: float) -> None:
    for path in weight_files:
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: int(keep * len(content))])
        assert "is truncated" in refusal(tmp_path / path.name)


def test_members_that_lie(tmp_path: Path) -> None:
    path = making.write_zip(tmp_path / "file", STATE, {"0": bytes(16)}, order=b"middle")
    assert "byte order" in refusal(path)
    making.write_zip(path, STATE, {"0": b""})
    assert "saved from the meta device" in refusal(path)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("archive/data/0", bytes(16))
    assert "names a member twice" in refusal(path)


def test_a_member_that_expands_without_end(tmp_path: Path) -> None:
    path = making.write_zip(
        tmp_path / "file", STATE, {"0": bytes(16)}, compression=zipfile.ZIP_DEFLATED
    )
    content = bytearray(path.read_bytes())
    directory = content.find(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    assert "is a zip bomb" in refusal(path)


def mutated(content: bytes, rng: np.random.Generator, front: int) -> bytes:
    """A few bytes changed, cut out, doubled or cut off; mostly where the structure is."""
    changed = bytearray(content)
    span = front if rng.random() < 0.8 else len(changed)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(min(span, len(changed))))
        kind = int(rng.integers(5))
        if kind <= 1:
            changed[place] = int(rng.integers(256))
        elif kind == 2:
            changed[place : place + 1] = rng.bytes(int(rng.integers(0, 9)))
        elif kind == 3:
            del changed[place : place + int(rng.integers(1, 50))]
        elif rng.random() < 0.2:
            del changed[place:]
        else:
            changed[place] ^= 1 << int(rng.integers(8))
        if not changed:
            break
    return bytes(changed)


def originals(folder: Path, weight_files: list[Path]) -> dict[str, tuple[bytes, int]]:
    """A small file of each format, and how many bytes of structure it begins with."""
    from safetensors.numpy import save

    (legacy,) = [file for file in weight_files if file.name.startswith("resnet20")]
    (zipped,) = [file for file in weight_files if file.name.startswith("squeezenet")]
    deflated = making.write_zip(
        folder / "d", STATE, {"0": bytes(16)}, compression=zipfile.ZIP_DEFLATED
    )
    opened = open_checkpoint(legacy)
    arrays = {name: np.array(tensor.load()) for name, tensor in list(opened.tensors.items())[:20]}
    # The structure of a zip archive is at its end too: a short one is mutated all over.
    content = zipped.read_bytes()
    return {
        "legacy": (legacy.read_bytes(), 14_200),
        "zip": (content, 9000),
        "zip backwards": (content, len(content)),
        "deflated": (deflated.read_bytes(), 10_000),
        "safetensors": (save(arrays), 2500),
    }


def is_refused(path: Path, content: bytes) -> bool:
    """Whether such a file is refused, which is by one sentence with its path."""
    path.write_bytes(content)
    try:
        opened = open_checkpoint(path)
        for tensor in opened.tensors.values():
            assert tensor.load().shape == tensor.shape
    except InfoflowError as error:
        sentence = str(error)
        assert sentence.startswith(str(path))
        assert "\n" not in sentence
        return True
    return False


@pytest.mark.parametrize("kind", ["legacy", "zip", "zip backwards", "deflated", "safetensors"])
def test_mutations_end_in_a_checkpoint_or_a_sentence(
    tmp_path: Path, weight_files: list[Path], kind: str
) -> None:
    content, front = originals(tmp_path, weight_files)[kind]
    rng = np.random.default_rng(6)
    timer = threading.Timer(120, os._exit, (70,))  # a hang must not look like a pass
    timer.start()
    try:
        refused = sum(
            is_refused(tmp_path / "file", mutated(content, rng, front)) for _ in range(200)
        )
    finally:
        timer.cancel()
    assert refused > 50
