"""Functions of our own that stand for the ones a pickle calls; none of them has effects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.layout import MOST_DIMENSIONS, Layout


@dataclass(frozen=True, slots=True, eq=False)
class StorageReference:
    """A storage by its key: ``count`` elements in all, of which a view has ``length``."""

    key: str
    dtype: str
    count: int
    start: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class PickledTensor:
    """A tensor as a pickle describes it, not checked yet."""

    storage: StorageReference
    layout: Layout


@dataclass(frozen=True, slots=True, eq=False)
class UnreadTensor:
    """A tensor of a kind that is not read: sparse, quantised, without data."""

    kind: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A name that a pickle may use; ``call`` is None where it may stand but not be called."""

    name: str
    call: Callable[..., object] | None = None
    dtype: str = ""


class Record:
    """An object of a TorchScript class: its attributes, and nothing that its class does.

    Args:
        kind: The class by its full name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.attributes: dict[str, object] = {}

    def set_state(self, state: object) -> None:
        """Takes the attributes; a state that its class would interpret is kept as it is."""
        if not isinstance(state, dict):
            self.attributes = {"state": state}
        elif all(isinstance(key, str) for key in state):
            self.attributes = state
        else:
            raise ReadError("damaged: the attributes of an object have no names")


def _whole(number: object) -> int:
    if type(number) is not int or number < 0:
        raise ReadError("damaged: a shape, stride or offset is not a whole number from 0 up")
    return number


def size(numbers: object = ()) -> tuple[int, ...]:
    """``torch.Size``."""
    if not isinstance(numbers, tuple | list) or len(numbers) > MOST_DIMENSIONS:
        raise ReadError("damaged: a shape is not a short list of numbers")
    return tuple(_whole(number) for number in numbers)


def _dtype(kind: object) -> str:
    if not isinstance(kind, Known) or not kind.dtype:
        raise ReadError("damaged: a tensor without a type")
    return kind.dtype


def _tensor(
    storage: object, place: tuple[object, object, object], dtype: str, metadata: object
) -> PickledTensor:
    if not isinstance(storage, StorageReference):
        raise ReadError("damaged: a tensor without a storage")
    offset, shape, strides = place
    layout = Layout(dtype or storage.dtype, size(shape), size(strides), _whole(offset))
    if isinstance(metadata, dict):
        conjugate, negative = metadata.get("conj") is True, metadata.get("neg") is True
        layout = replace(layout, conjugate=conjugate, negative=negative)
    return PickledTensor(storage, layout)


def tensor(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> PickledTensor:
    """``_rebuild_tensor`` and ``_rebuild_tensor_v2`` (…, requires_grad, hooks, metadata)."""
    return _tensor(storage, (offset, shape, strides), "", rest[2] if len(rest) > 2 else None)


def tensor_v3(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> PickledTensor:
    """``_rebuild_tensor_v3`` (…, requires_grad, hooks, dtype, metadata)."""
    dtype = _dtype(rest[2])
    return _tensor(storage, (offset, shape, strides), dtype, rest[3] if len(rest) > 3 else None)


def parameter(data: object, *rest: object) -> object:
    """A parameter is its tensor; its attributes are not needed."""
    if not isinstance(data, PickledTensor | UnreadTensor):
        raise ReadError("damaged: a parameter without a tensor")
    return data


def from_type(function: object, kind: object, args: object, state: object) -> object:
    """A tensor with attributes of its own, which are not needed."""
    if not isinstance(function, Known) or function.call is None or not isinstance(args, tuple):
        raise ReadError("damaged: a tensor that nothing builds")
    return parameter(function.call(*args))


def quantised(storage: object, offset: object, shape: object, *rest: object) -> UnreadTensor:
    """``_rebuild_qtensor``."""
    if not isinstance(storage, StorageReference):
        raise ReadError("damaged: a tensor without a storage")
    return UnreadTensor("quantised tensor", storage.dtype, size(shape))


def sparse(layout: object, data: object) -> UnreadTensor:
    """``_rebuild_sparse_tensor``: (indices, values, shape, …) or (…, values, shape)."""
    parts = data if isinstance(data, tuple) else ()
    values = [part for part in parts if isinstance(part, PickledTensor)]
    shapes = [part for part in parts if isinstance(part, tuple)]
    if not values or not shapes:
        raise ReadError("damaged: a sparse tensor without values or shape")
    return UnreadTensor("sparse tensor", values[-1].layout.dtype, size(shapes[-1]))


def without_data(dtype: object, shape: object, *rest: object) -> UnreadTensor:
    """``_rebuild_meta_tensor_no_storage``."""
    return UnreadTensor("tensor without data (meta)", _dtype(dtype), size(shape))


def text(*args: object) -> str:
    """A device or a layout as text."""
    if len(args) > 2 or not all(isinstance(arg, str | int) for arg in args):
        raise ReadError("damaged: a name that is not text")
    return ":".join(str(arg) for arg in args)


def encode(data: object, encoding: object = "utf-8") -> bytes:
    """``codecs.encode``, which is how protocol 2 writes bytes.

    Only for codecs of text: others can multiply their input.
    """
    if not isinstance(data, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise ReadError("damaged: bytes in an unknown encoding")
    return data.encode(str(encoding))


def byte_array(data: object = b"", encoding: object = "latin-1") -> bytes:
    """``bytearray`` of bytes; of a number it would allocate that many."""
    return data if isinstance(data, bytes) else encode(data, encoding)


def complex_number(real: object = 0.0, imaginary: object = 0.0) -> complex:
    """``complex`` of two numbers."""
    if not isinstance(real, int | float) or not isinstance(imaginary, int | float):
        raise ReadError("damaged: a complex number of something else")
    return complex(real, imaginary)


_KEYS = (str, float, bytes, type(None), PickledTensor, StorageReference, Known)
_LARGEST_KEY = 2**64
"""Of whole numbers: larger ones can be drawn so that all have one hash, as complex ones can."""


def check_key(value: object, budget: int = 64) -> int:
    """Checks that a value may be a key, and returns what is left of the budget.

    Tuples within tuples, each twice the one before, would take for ever to hash.
    """
    if isinstance(value, tuple):
        for part in value:
            budget = check_key(part, budget - 1)
            if budget < 0:
                raise ReadError("damaged: a key of a mapping is nested too deeply")
    elif not isinstance(value, _KEYS) and not (
        isinstance(value, int) and abs(value) < _LARGEST_KEY
    ):
        raise ReadError("damaged: a key of a mapping is neither text nor a number")
    return budget


def _check_member(value: object) -> None:
    """Checks a key of what is made of a list, where tuples have no use."""
    if isinstance(value, tuple):
        raise ReadError("damaged: a set or an ordered mapping of tuples")
    check_key(value)


def ordered_dict(pairs: object = ()) -> OrderedDict[object, object]:
    """``OrderedDict`` and ``Counter``."""
    made: OrderedDict[object, object] = OrderedDict()
    if not isinstance(pairs, list | tuple | dict):
        raise ReadError("damaged: a mapping of something else")
    for pair in pairs.items() if isinstance(pairs, dict) else pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ReadError("damaged: a mapping of something else")
        _check_member(pair[0])
        made[pair[0]] = pair[1]
    return made


def new_set(members: object = ()) -> set[object]:
    """``set`` of a list."""
    if not isinstance(members, list | tuple):
        raise ReadError("damaged: a set of something else")
    for member in members:
        _check_member(member)
    return set(members)


def plain_list(items: object) -> list[object]:
    """TorchScript's lists of numbers and of tensors."""
    if not isinstance(items, list):
        raise ReadError("damaged: a list of something else")
    return items


def untagged(value: object, kind: object) -> object:
    """TorchScript's containers with the type of what they hold."""
    return value
