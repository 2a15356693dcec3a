"""Exported programs (torch.export.save, .pt2): the weights, and geometry from the graph.

Three layouts of the archive are read: since torch 2.9 one member a weight beside
``NAME/data/weights/model_weights_config.json``; torch 2.8's ``NAME/data/weights/model.pt``;
before that ``serialized_state_dict.pt``. The last two are archives of torch.save within.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from infoflow.checkpoints import pytorch_zip
from infoflow.checkpoints.checkpoint import StoredTensor, unread
from infoflow.checkpoints.contents import Contents, Described, described
from infoflow.checkpoints.dtypes import STORED_ITEMSIZE
from infoflow.checkpoints.exported_graph import facts_of_graph
from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.checkpoints.json_objects import parse_json
from infoflow.checkpoints.layout import Layout
from infoflow.checkpoints.pickles import Machine
from infoflow.checkpoints.pytorch_pickle import is_tensor
from infoflow.checkpoints.rebuilding import PickledTensor, StorageReference, size
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.zip_archive import Archive, archive_of, directory, nested
from infoflow.checkpoints.zip_names import folder_of, names_within
from infoflow.facts import ParameterFacts

NAME = "exported program"
_LONGEST_JSON = 2**27
_OLD = "serialized_exported_program.json"
_OLD_WEIGHTS = "serialized_state_dict.pt"
_CONFIG = "_weights_config.json"
_TYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}
"""The numbers that torch.export's schema gives to types."""
_STRIDED = 7


def sniff(head: bytes, path: Path) -> bool:
    """Whether it is a zip archive with the members that torch.export writes."""
    return _folder(names_within(head, path)) is not None


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the directory, the list of weights and the graph; the weights stay in the file."""
    source = Source(path)
    every = directory(source)
    folder = _folder(frozenset(member.filename for member in every)) or ""
    archive = archive_of(source, every, folder)
    notes: list[str] = []
    model, weights = _weights(archive, notes)
    graph = _OLD if _OLD in archive.members else f"models/{model}.json"
    facts = _facts(archive, graph, notes)
    leaves = {name: Described(describe, facts.get(name)) for name, describe in weights.items()}
    return described(NAME, source, leaves, notes)


def _folder(names: frozenset[str]) -> str | None:
    if _OLD in names:
        return ""
    return folder_of("archive_format", names)


def _weights(
    archive: Archive, notes: list[str]
) -> tuple[str, dict[str, Callable[[], StoredTensor]]]:
    """The model's name in the archive, and its weights."""
    if _OLD_WEIGHTS in archive.members:
        return "model", _of_state_dict(archive, _OLD_WEIGHTS)
    folder = "data/weights/"
    names = [name.removeprefix(folder) for name in archive.members if name.startswith(folder)]
    configs = [name.removesuffix(_CONFIG) for name in names if name.endswith(_CONFIG)]
    pickled = [name.removesuffix(".pt") for name in names if name.endswith(".pt")]
    models = configs or pickled
    if not models:
        raise ReadError("is an exported program without weights that are read")
    model = "model" if "model" in models else models[0]
    others = [other for other in models if other != model]
    if others:
        notes.append(f"Of the archive, the program {quoted(model)} was read, not {listed(others)}.")
    if configs:
        return model, _of_config(archive, folder, f"{folder}{model}{_CONFIG}")
    return model, _of_state_dict(archive, f"{folder}{model}.pt")


def _of_state_dict(archive: Archive, name: str) -> dict[str, Callable[[], StoredTensor]]:
    """The tensors of an archive of torch.save that is a member of this one."""
    inner = _nested(archive, name)
    root = Machine(inner.pickle("data.pkl")).run()
    if not isinstance(root, dict):
        raise ReadError(f"damaged: {quoted(name)} holds no state dict")
    describe = pytorch_zip.describing(inner)
    return {
        key: partial(describe, leaf)
        for key, leaf in root.items()
        if isinstance(key, str) and is_tensor(leaf)
    }


def _nested(archive: Archive, name: str) -> Archive:
    """The archive that is a member of this one."""
    every = nested(archive, name)
    names = frozenset(inner.filename for inner in every)
    return archive_of(archive.source, every, folder_of("data.pkl", names) or "")


def _of_config(archive: Archive, folder: str, name: str) -> dict[str, Callable[[], StoredTensor]]:
    """The weights that a configuration lists, one member each."""
    config = parse_json(_text(archive, name), quoted(name)).get("config")
    if not isinstance(config, dict):
        raise ReadError(f"damaged: {quoted(name)} lists no weights")
    return {key: partial(_of_entry, archive, folder, entry) for key, entry in config.items()}


def _of_entry(archive: Archive, folder: str, entry: Any) -> StoredTensor:
    try:
        meta, path, pickled = entry["tensor_meta"], entry["path_name"], entry["use_pickle"]
        shape = size([part["as_int"] for part in meta["sizes"]])
        strides = size([part["as_int"] for part in meta["strides"]])
        (offset,) = size([meta["storage_offset"]["as_int"]])
        number, layout = meta["dtype"], meta["layout"]
    except (KeyError, TypeError, ValueError):
        raise ReadError("damaged: its entry in the list of weights is wrong") from None
    dtype = _TYPES.get(number) if type(number) is int else None
    member = archive.members.get(f"{folder}{path}")
    if dtype is None:
        return unread(shape, "unknown", f"a type that this version does not know ({number!r:.20})")
    if layout != _STRIDED or pickled:
        return unread(shape, dtype, "sparse tensor" if layout != _STRIDED else "pickled tensor")
    if member is None:
        raise ReadError(f"damaged: its storage {str(path)!r:.80} is not in the file")
    storage = StorageReference(str(path), dtype, *_counts(member.file_size, dtype))
    leaf = PickledTensor(storage, Layout(dtype, shape, strides, offset))
    return pytorch_zip.describing(archive, folder)(leaf)


def _counts(length: int, dtype: str) -> tuple[int, int, int]:
    count = length // STORED_ITEMSIZE[dtype]
    return count, 0, count


def _facts(archive: Archive, name: str, notes: list[str]) -> Mapping[str, ParameterFacts]:
    """What the graph says of the weights; nothing, and a note, where it cannot be read."""
    try:
        return facts_of_graph(parse_json(_text(archive, name), quoted(name)))
    except ReadError as fault:
        notes.append(f"The graph was not read, so strides are not known: {fault}.")
        return {}


def _text(archive: Archive, name: str) -> bytes:
    member = archive.members.get(name)
    if member is not None and member.file_size > _LONGEST_JSON:
        raise ReadError(f"{quoted(name)} is longer than {_LONGEST_JSON:,} bytes")
    return archive.pickle(name)
