"""ONNX models: initialisers and constants of the graph, with the role that the graph gives them.

The package onnx parses the file (a protocol buffer); nothing of the model runs. Weights are
yielded in torch's layout, so a MatMul's (in, out) is turned, and under their names in the graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.digests import digest_of
from infoflow.checkpoints.extras import needed
from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.onnx_graph import walk
from infoflow.checkpoints.onnx_names import named
from infoflow.checkpoints.onnx_tensors import Data
from infoflow.checkpoints.source import Source
from infoflow.words import counted

NAME = "ONNX"
EXTRA = "onnx"
_LARGEST = 2**31  # a protocol buffer cannot be longer
_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"\x42")


def sniff(head: bytes, path: Path) -> bool:
    """Whether it begins with the version of the format, then a later field of a model."""
    return head[:1] == b"\x08" and b"\0" < head[1:2] <= b"\x20" and head[2:3] in _FIELDS


def open(path: Path, trust_pickle: bool) -> Contents:
    """Parses the model; data beside it stay in their files.

    Raises:
        MissingDependencyError: where the package onnx is not installed.
    """
    source = Source(path)
    if source.size >= _LARGEST:
        raise ReadError("is longer than 2 GiB, which no ONNX file can be; its data lie beside it")
    onnx = needed(EXTRA, f"{path}: an ONNX file")
    model = _parsed(onnx, source)
    data = Data(path)
    tensors, notes = named(walk(model, data))
    if model.functions:
        functions = counted(len(model.functions), "function")
        notes.append(f"{functions} of the model not looked into.")
    files = [source, *data.sources.values()]
    return Contents(
        NAME,
        tensors,
        source.digest if len(files) == 1 else lambda: digest_of(file.digest() for file in files),
        check=lambda: _check(files),
        notes=tuple(notes),
    )


def _check(files: Iterable[Source]) -> None:
    for file in files:
        file.check()


def _parsed(onnx: ModuleType, source: Source) -> Any:
    """The model, without its data beside it."""
    decode_error = import_module("google.protobuf.message").DecodeError
    model = onnx.ModelProto()
    try:
        model.ParseFromString(source.read(0, source.size))
    except (decode_error, ValueError, RuntimeError):
        raise ReadError("is truncated or damaged: it is no protocol buffer of ONNX") from None
    if not model.HasField("graph"):
        raise ReadError("is truncated or damaged: it has no graph")
    return model
