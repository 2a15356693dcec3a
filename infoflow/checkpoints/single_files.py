"""Formats of a single file, which may also be a shard or lie in a model folder."""

from __future__ import annotations

from pathlib import Path

from infoflow.checkpoints import (
    exported,
    gguf,
    keras,
    onnx,
    pytorch_legacy,
    pytorch_zip,
    safetensors,
    torchscript,
)
from infoflow.checkpoints.contents import Contents, Format
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.foreign import what_it_is
from infoflow.checkpoints.source import head

SINGLE_FILES: tuple[Format, ...] = (
    Format(
        torchscript.NAME,
        "torch.jit.save, weights and geometry without running the code (.pt .jit .ts)",
        True,
        torchscript.sniff,
        torchscript.open,
    ),
    Format(
        exported.NAME,
        "torch.export.save (.pt2)",
        True,
        exported.sniff,
        exported.open,
    ),
    Format(
        keras.ARCHIVE,
        "models of Keras 3 (.keras)",
        False,
        keras.sniff_archive,
        keras.open_archive,
        keras.EXTRA,
    ),
    Format(
        pytorch_zip.NAME,
        "torch.save since PyTorch 1.6 (.pt .pth .bin .ckpt)",
        True,
        pytorch_zip.sniff,
        pytorch_zip.open,
    ),
    Format(
        pytorch_legacy.NAME,
        "torch.save before PyTorch 1.6 (.pt .pth .th .pth.tar)",
        False,
        pytorch_legacy.sniff,
        pytorch_legacy.open,
    ),
    Format(
        safetensors.NAME,
        "safetensors files (.safetensors)",
        True,
        safetensors.sniff,
        safetensors.open,
    ),
    Format(
        onnx.NAME,
        "ONNX models, with data beside them (.onnx)",
        False,
        onnx.sniff,
        onnx.open,
        onnx.EXTRA,
    ),
    Format(
        keras.NAME,
        "models and weights of every Keras (.h5 .hdf5 .weights.h5)",
        False,
        keras.sniff,
        keras.open,
        keras.EXTRA,
    ),
    Format(
        gguf.NAME,
        "llama.cpp's models; quantised weights need the extra (.gguf)",
        False,
        gguf.sniff,
        gguf.open,
        gguf.EXTRA,
    ),
)
"""In the order in which they are tried."""


def open_one(path: Path, trust_pickle: bool) -> Contents:
    """Opens a single file of whatever format; its failures name it.

    Raises:
        ReadError: for a file that is not a checkpoint.
    """
    try:
        beginning = head(path)
        for kind in SINGLE_FILES:
            if kind.sniff(beginning, path):
                return kind.open(path, trust_pickle)
        raise ReadError(what_it_is(beginning))
    except ReadError as fault:
        raise type(fault)(f"{quoted(path.name)} {fault}") from None
