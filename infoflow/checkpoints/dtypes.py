"""Types of numbers: numpy's (or ml_dtypes') name, size, and how the formats call them."""

from __future__ import annotations

from typing import Any

import numpy as np

from infoflow.checkpoints.faults import ReadError

_NUMPY = {
    "bool": 1,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}
_ML_DTYPES = {
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "complex32": 4,
}
ITEMSIZE = {**_NUMPY, **_ML_DTYPES}
"""Bytes of one number, by name."""

TORCH_STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
}
"""What torch's storage classes hold."""

STORED_ITEMSIZE = {
    **ITEMSIZE,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
    "quint4x2": 1,
    "quint2x4": 1,
}
"""Bytes of one element of a storage, also of those that are not read."""

TORCH_DTYPES = frozenset(STORED_ITEMSIZE) | {
    *(f"{sign}{bits}" for sign in ("int", "uint") for bits in range(1, 8)),
    *("bits8", "bits16", "bits1x8", "bits2x4", "bits4x2", "bcomplex32", "float4_e2m1fn_x2"),
}
"""Names of torch's types, read or not."""

SAFETENSORS = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
"""safetensors' names."""

SAFETENSORS_UNREAD = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
"""safetensors' names of types that are not read, and their bits."""


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The numpy type of that name; ml_dtypes is imported only for the types that need it."""
    if name in _NUMPY:
        return np.dtype(name)
    import ml_dtypes

    found = getattr(ml_dtypes, name, None) if name in _ML_DTYPES else None
    if found is None:
        raise ReadError(f"holds numbers of the type {name}, which is not read")
    dtype: np.dtype[Any] = np.dtype(found)
    return dtype
