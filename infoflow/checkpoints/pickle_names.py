"""The only names that a pickle may use, each bound to a stand-in of our own.

The list is a part of the one of ``torch.load(weights_only=True)`` (a test compares
them), so nothing is read here that torch would refuse. No name leads to torch's or
Python's own object: ``torch.float32`` is text, ``_rebuild_tensor_v2`` describes a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from infoflow.checkpoints import rebuilding
from infoflow.checkpoints.dtypes import TORCH_DTYPES, TORCH_STORAGES
from infoflow.checkpoints.faults import UnsafeReadError, quoted
from infoflow.checkpoints.rebuilding import Known

_CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": rebuilding.ordered_dict,
    "collections.Counter": rebuilding.ordered_dict,
    "builtins.set": rebuilding.new_set,
    "builtins.bytearray": rebuilding.byte_array,
    "builtins.complex": rebuilding.complex_number,
    "_codecs.encode": rebuilding.encode,
    "torch.Size": rebuilding.size,
    "torch.device": rebuilding.text,
    "torch.serialization._get_layout": rebuilding.text,
    "torch.nn.parameter.Parameter": rebuilding.parameter,
    "torch._utils._rebuild_tensor": rebuilding.tensor,
    "torch._utils._rebuild_tensor_v2": rebuilding.tensor,
    "torch._utils._rebuild_tensor_v3": rebuilding.tensor_v3,
    "torch._utils._rebuild_parameter": rebuilding.parameter,
    "torch._utils._rebuild_parameter_with_state": rebuilding.parameter,
    "torch._utils._rebuild_qtensor": rebuilding.quantised,
    "torch._utils._rebuild_sparse_tensor": rebuilding.sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": rebuilding.without_data,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": rebuilding.parameter,
    "torch._tensor._rebuild_from_type_v2": rebuilding.from_type,
}
_TENSORS = (
    *("FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor", "LongTensor", "IntTensor"),
    *("ShortTensor", "CharTensor", "ByteTensor", "BoolTensor"),
)
_SCHEMES = (
    *("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine"),
    *("per_channel_symmetric", "per_channel_affine_float_qparams"),
)
_OLD_MODULES = {"__builtin__": "builtins"}
"""Python 2's names."""


def _all() -> Iterator[Known]:
    for name, call in _CALLS.items():
        yield Known(name, call)
    for name, dtype in TORCH_STORAGES.items():
        yield Known(f"torch.{name}", dtype=dtype)
        if not name.startswith("Q"):
            yield Known(f"torch.cuda.{name}", dtype=dtype)
    yield Known("torch.storage.UntypedStorage", dtype="uint8")  # dtype in the tensor itself
    for name in TORCH_DTYPES:
        yield Known(f"torch.{name}", dtype=name)
    for name in ("Tensor", "storage.TypedStorage", *_SCHEMES, *_TENSORS):
        yield Known(f"torch.{name}")


NAMES = {known.name: known for known in _all()}
"""Every name that a pickle may use."""


def known(module: str, name: str) -> Known:
    """The stand-in for a name that a pickle uses.

    Raises:
        UnsafeReadError: for every name that is not in the list: the file needs code to load.
    """
    full = f"{_OLD_MODULES.get(module, module)}.{name}"
    if full in NAMES:
        return NAMES[full]
    raise unsafe(full)


def unsafe(name: str) -> UnsafeReadError:
    """What is said of a file that needs the code of that name."""
    return UnsafeReadError(
        f"needs {quoted(name)}, which is code and not a tensor; if you trust where the file "
        "comes from, --trust-pickle (trust_pickle=True) lets its code run"
    )
