"""Tensors of torch itself: of a file that torch has loaded, or of a live module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.dtypes import ITEMSIZE, numpy_dtype
from infoflow.checkpoints.faults import ReadError

if TYPE_CHECKING:
    import torch


def stored(leaf: object) -> StoredTensor:
    """Describes a tensor on any device; it is copied only where it is not on the CPU or in a row.

    Raises:
        ReadError: for a tensor of a lazy module, which has no shape yet.
    """
    import torch
    from torch.nn.parameter import is_lazy

    assert isinstance(leaf, torch.Tensor)
    if is_lazy(leaf):
        raise ReadError("has no shape yet; its lazy module must see an input first")
    shape, dtype = tuple(leaf.shape), str(leaf.dtype).removeprefix("torch.")
    if leaf.is_meta:
        return unread(shape, dtype, "tensor without data (meta)")
    if leaf.layout != torch.strided or leaf.is_quantized:
        return unread(shape, dtype, "quantised tensor" if leaf.is_quantized else "sparse tensor")
    if dtype not in ITEMSIZE:
        return unread(shape, dtype, f"numbers of the type {dtype}")
    storage = f"{leaf.device} {leaf.untyped_storage().data_ptr()}"
    place = f"{leaf.storage_offset()} {shape} {leaf.stride()}"
    bits = f"{dtype} {leaf.is_conj():d}{leaf.is_neg():d}"
    memory = "" if 0 in shape else f"{storage}+{place} {bits}"
    return StoredTensor("", shape, dtype, lambda: _array(leaf, dtype), memory)


def _array(tensor: torch.Tensor, dtype: str) -> np.ndarray[Any, Any]:
    """The numbers, read-only: they may be the tensor's own."""
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    kind = numpy_dtype(dtype)
    array: np.ndarray[Any, Any] = plain.reshape(-1).view(torch.uint8).numpy()
    array = array.view(kind).reshape(tuple(plain.shape))
    array.flags.writeable = False
    return array
