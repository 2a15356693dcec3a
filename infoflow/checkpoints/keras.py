"""Keras' files: .h5 of every version, .weights.h5 and .keras of Keras 3.

Weights come in torch's layout and under torch's leaves (``conv1.weight`` for Keras'
``conv1/kernel``). The configuration in the file is read as data: Keras is not needed, and no
layer, Lambda or custom object is made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.checkpoints.hdf5 import EXTRA, MAGIC, Hdf5, hdf5
from infoflow.checkpoints.json_objects import parse_json
from infoflow.checkpoints.keras_layers import (
    LEAVES,
    LayerConfig,
    in_torch_layout,
    layer_configs,
    variables,
)
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.zip_archive import archive_of, directory
from infoflow.checkpoints.zip_names import names_within

__all__ = ["ARCHIVE", "EXTRA", "NAME", "open", "open_archive", "sniff", "sniff_archive"]

NAME = "Keras HDF5 file"
ARCHIVE = "Keras archive"
_WEIGHTS, _CONFIG = "model.weights.h5", "config.json"
_LONGEST_CONFIG = 2**26
_OPTIMIZERS = ("optimizer", "optimizer_weights")
_DIRECTION = re.compile(r"^(forward|backward)_")


@dataclass(frozen=True)
class Variable:
    """A variable: the names of the layer and of what it lies in, Keras' own name, the data.

    ``group`` is the layer's place in the file, by which Keras 3 tells its class.
    """

    modules: tuple[str, ...]
    leaf: str
    group: str
    stored: StoredTensor


def sniff(head: bytes, path: Path) -> bool:
    """Whether it begins as HDF5 files do."""
    return head.startswith(MAGIC)


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the groups and the configuration; the weights stay in the file."""
    source = Source(path)
    return _contents(NAME, hdf5(path, source, 0, source.size), None)


def sniff_archive(head: bytes, path: Path) -> bool:
    """Whether it is a zip archive with Keras' weights."""
    return _WEIGHTS in names_within(head, path)


def open_archive(path: Path, trust_pickle: bool) -> Contents:
    """Reads the configuration, and the HDF5 file where it lies in the archive."""
    source = Source(path)
    archive = archive_of(source, directory(source), "")
    weights, config = archive.members[_WEIGHTS], archive.members.get(_CONFIG)
    if not archive.is_stored(weights):
        raise ReadError(f"has {quoted(_WEIGHTS)} compressed, which is not read")
    archive.refuse_unread(weights)
    said = None
    if config is not None and config.file_size <= _LONGEST_CONFIG:
        said = parse_json(archive.read(config), _CONFIG)
    file = hdf5(path, source, archive.offset(weights), weights.file_size)
    return _contents(ARCHIVE, file, said)


def _contents(name: str, file: Hdf5, config: Any) -> Contents:
    with file.opened() as root:
        if config is None:
            config = _config(root.attrs.get("model_config"))
        layers = layer_configs(config)
        every = {
            path: dataset
            for path, dataset in file.datasets(root)
            if path.partition("/")[0] not in _OPTIMIZERS
        }
        named = "layer_names" in root.attrs or "layer_names0" in root.attrs
        if named or "model_weights" in root:
            group = root if named else root["model_weights"]
            found = list(_by_name(file, every, group, layers))
        elif any("vars" in path.split("/") for path in every):
            found = list(_by_number(file, every, root, layers))
        else:
            raise ReadError("is an HDF5 file, but not one that Keras wrote")
        optimizer = [key for key in _OPTIMIZERS if key in root]
    notes = []
    if not layers:
        notes.append("It holds no configuration: strides, padding and groups are not known.")
    if optimizer:
        notes.append(f"The state of the optimizer ({quoted(optimizer[0])}) was left out.")
    return Contents(
        name,
        _tensors(found, layers),
        file.source.digest,
        check=file.source.check,
        notes=tuple(notes),
    )


def _config(text: Any) -> Any:
    """The configuration that an HDF5 file has as an attribute."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str) or len(text) > _LONGEST_CONFIG:
        return None
    return parse_json(text.encode(), "its model_config")


def _by_name(
    file: Hdf5, every: dict[str, Any], group: Any, layers: dict[str, LayerConfig | None]
) -> Iterator[Variable]:
    """The variables of a file that names them (Keras 1 and 2, and 3's .h5), in its order."""
    prefix = "model_weights/" if group.name != "/" else ""
    order = {name: place for place, name in enumerate(_texts(group.attrs, "layer_names"))}
    found = []
    for path, dataset in every.items():
        if not path.startswith(prefix):
            continue
        layer, *rest = path.removeprefix(prefix).split("/")
        *inner, leaf = rest or [layer]
        # The layer's own name mostly stands twice, the second time after its Sequential's.
        again = next((place for place in (0, 1) if inner[place : place + 1] == [layer]), -1)
        modules = (layer, *inner[again + 1 :])
        variable = Variable(modules, leaf.partition(":")[0], layer, file.stored(path, dataset))
        within = _layer_of(modules[1:], layers)
        found.append(((order.get(layer, len(order)), within.place if within else 0), variable))
    yield from (variable for _, variable in sorted(found, key=lambda pair: pair[0]))


def _texts(attributes: Any, name: str) -> list[str]:
    """A list of names, which long models have in pieces."""
    pieces = [attributes[name]] if name in attributes else []
    while f"{name}{len(pieces)}" in attributes:
        pieces.append(attributes[f"{name}{len(pieces)}"])
    texts = [text for piece in pieces for text in np.asarray(piece, object).ravel()]
    return [
        text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in texts
    ]


def _by_number(
    file: Hdf5, every: dict[str, Any], root: Any, layers: dict[str, LayerConfig | None]
) -> Iterator[Variable]:
    """The variables of Keras 3's weights, which are numbered; ``vars`` has the layer's name."""
    groups: dict[str, dict[str, Any]] = {}
    for path, dataset in every.items():
        owner, _, leaf = path.rpartition("/")
        if owner.rpartition("/")[2] == "vars":
            groups.setdefault(owner.rpartition("/")[0], {})[leaf] = dataset
    found = []
    for owner, datasets in groups.items():
        modules = _modules(root, owner)
        layer = _layer_of(modules, layers)
        group = owner.rpartition("/")[2]
        names = variables(group, layer, len(datasets))
        for leaf, dataset in datasets.items():
            number = int(leaf) if leaf.isdecimal() and len(leaf) < 9 else len(names)
            known = names[number] if number < len(names) else leaf
            stored = file.stored(f"{owner}/vars/{leaf}", dataset)
            found.append((layer.place if layer else 0, Variable(modules, known, group, stored)))
    yield from (variable for _, variable in sorted(found, key=lambda pair: pair[0]))


def _modules(root: Any, owner: str) -> tuple[str, ...]:
    """Names of the layers on the way to a group, the model's own and containers left out."""
    names, path = [], ""
    for part in owner.split("/"):
        path = f"{path}/{part}" if path else part
        if part == "layers":
            continue
        inner = root[path].get("vars")
        name = inner.attrs.get("name") if inner is not None else None
        names.append(name if isinstance(name, str) else part)
    return tuple(names)


def _layer_of(
    modules: tuple[str, ...], layers: dict[str, LayerConfig | None]
) -> LayerConfig | None:
    """The configuration of the innermost layer that has one."""
    for name in reversed(modules):
        for spelling in (name, _DIRECTION.sub("", name)):
            if spelling in layers:
                return layers[spelling]
    return None


def _tensors(
    found: list[Variable], layers: dict[str, LayerConfig | None]
) -> dict[str, StoredTensor]:
    gates = {}
    for variable in found:
        shape = variable.stored.shape
        if variable.leaf == "recurrent_kernel" and len(shape) == 2 and shape[0]:
            gates[variable.modules] = shape[1] // shape[0]
    tensors: dict[str, StoredTensor] = {}
    for variable in found:
        cell = gates.get(variable.modules, 0)
        leaf = variable.leaf if cell else LEAVES.get(variable.leaf, variable.leaf)
        name = ".".join((*variable.modules, leaf))
        if name in tensors:
            raise ReadError(f"damaged: two variables have the name {quoted(name)}")
        layer = _layer_of(variable.modules, layers)
        tensors[name] = in_torch_layout(
            variable.stored, variable.leaf, variable.modules, variable.group, layer, cell
        )
    return tensors
