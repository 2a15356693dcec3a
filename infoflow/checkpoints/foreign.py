"""Files that are recognised, so that the sentence which refuses them can name them."""

from __future__ import annotations

from collections.abc import Callable

_TAR_MAGIC = slice(257, 262)
_TORCH_TAR = (b"sys_info\0", b"storages\0", b"tensors\0", b"pickle\0")
READ = (
    "PyTorch, TorchScript, torch.export, safetensors, ONNX, Keras, GGUF, an index of shards, or a "
    "model folder"
)


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


def _text(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(beginnings)


def _is_tar(head: bytes) -> bool:
    return head[_TAR_MAGIC] == b"ustar"


def _is_torch_tar(head: bytes) -> bool:
    return _is_tar(head) and head.startswith(_TORCH_TAR)


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


FOREIGN: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: not head, "is empty"),
    (
        _starts(b"version https://git-lfs"),
        "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
    ),
    (_text(b"<!doctype", b"<html", b"<?xml", b"<head"), "is a web page, not a checkpoint"),
    (_starts(b"lmgg", b"tjgg"), "is an old GGML file, which is not read; convert it to GGUF"),
    (_starts(b"\x93NUMPY"), "is a NumPy .npy file, which is not read yet"),
    (lambda head: head[4:8] == b"TFL3", "is a TensorFlow Lite file, which is not read yet"),
    (
        _is_torch_tar,
        "is a tar file of PyTorch 0.1, which is not read; load it with an old PyTorch and save it "
        "again",
    ),
    (_is_tar, "is a tar archive, not a checkpoint; unpack it first"),
    (
        _starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"),
        "is compressed; unpack it first",
    ),
    (_is_pickle, "is a Python pickle, but not one that torch.save wrote"),
    (_text(b"{", b"["), "is a JSON file, not a checkpoint or the index of one"),
)
"""What it is told by, and the fact; the first that fits is told."""


def what_it_is(head: bytes) -> str:
    """The fact about a file that no reader recognises."""
    for fits, fact in FOREIGN:
        if fits(head):
            return fact
    return f"is not a checkpoint of a known format ({READ}), or its beginning is damaged"
