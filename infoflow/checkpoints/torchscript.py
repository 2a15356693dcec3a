"""TorchScript archives (torch.jit.save): the weights of the objects, without running their code.

``NAME/data.pkl`` pickles the module's objects, ``NAME/data/KEY`` are its storages,
``NAME/constants.pkl`` and ``NAME/constants/KEY`` the tensors that freezing moved into the
code, ``NAME/code/`` the code, from which strides and kinds are read as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from infoflow.checkpoints import pytorch_zip, rebuilding
from infoflow.checkpoints.contents import Contents, Described, described
from infoflow.checkpoints.faults import ReadError, UnsafeReadError, listed
from infoflow.checkpoints.pickle_names import known
from infoflow.checkpoints.pickles import Machine
from infoflow.checkpoints.rebuilding import Known, PickledTensor, Record, UnreadTensor
from infoflow.checkpoints.source import Source
from infoflow.checkpoints.torchscript_code import (
    CONSTANTS,
    LONGEST_CODE,
    Class,
    classes,
    facts_of_class,
)
from infoflow.checkpoints.zip_archive import Archive, archive_of, directory
from infoflow.checkpoints.zip_names import folder_of, names_within
from infoflow.facts import ParameterFacts

NAME = "TorchScript archive"
_LONGEST_CODE = 16 * LONGEST_CODE  # of all files together
_MOST_OBJECTS = 1_000_000
_DEEPEST = 100
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_PLAIN: dict[str, Callable[..., object]] = {
    **{f"torch.jit._pickle.{name}": rebuilding.plain_list for name in _LISTS},
    "torch.jit._pickle.restore_type_tag": rebuilding.untagged,
}


def sniff(head: bytes, path: Path) -> bool:
    """Whether it is a zip archive with code's constants beside its pickle."""
    names = names_within(head, path)
    folder = folder_of("constants.pkl", names)
    return folder is not None and f"{folder}data.pkl" in names


def open(path: Path, trust_pickle: bool) -> Contents:
    """Reads the directory, the pickles and the code as text; the tensors stay in the file."""
    source = Source(path)
    every = directory(source)
    folder = folder_of("data.pkl", frozenset(member.filename for member in every)) or ""
    archive = archive_of(source, every, folder)
    try:
        root = Machine(archive.pickle("data.pkl"), names=_named).run()
        constants = Machine(archive.pickle("constants.pkl"), names=_named).run()
    except UnsafeReadError:
        if not trust_pickle:
            raise
        from infoflow.checkpoints import trusted

        return trusted.contents(source, NAME)
    if not isinstance(root, Record):
        raise ReadError("damaged: its pickle holds no module")
    code = _code(archive)
    frozen = _frozen(constants)
    tensors, facts, left = _tensors(root, code, frozen)
    describe = pytorch_zip.describing(archive)
    leaves = {
        name: Described(partial(describe, leaf), facts.get(name)) for name, leaf in tensors.items()
    }
    describe = pytorch_zip.describing(archive, "constants/")
    for index, leaf in frozen.items():
        said = facts.get(f"{CONSTANTS}.c{index}")
        leaves[f"constants.{index}"] = Described(partial(describe, leaf), said)
    return described(NAME, source, leaves, _notes(left, frozen))


def _named(module: str, name: str) -> Known:
    """The stand-in for a name: classes under ``__torch__`` are records of attributes."""
    full = f"{module}.{name}"
    if module.partition(".")[0] == "__torch__":
        return Known(full, partial(Record, full))
    return Known(full, _PLAIN[full]) if full in _PLAIN else known(module, name)


def _code(archive: Archive) -> dict[str, Class]:
    """What the code says of every class; nothing where there is too much of it."""
    files = [name for name in archive.members if name.startswith("code/") and name.endswith(".py")]
    if sum(archive.members[name].file_size for name in files) > _LONGEST_CODE:
        return {}
    found: dict[str, Class] = {}
    for name in files:
        module = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
        found |= classes(module, archive.read(archive.members[name]))
    return found


def _frozen(constants: object) -> dict[int, PickledTensor | UnreadTensor]:
    """The tensors among the constants of the code, by number."""
    numbered = enumerate(constants) if isinstance(constants, tuple) else ()
    found = ((i, leaf) for i, leaf in numbered if isinstance(leaf, PickledTensor | UnreadTensor))
    return {i: leaf for i, leaf in found if 0 not in shape_of(leaf)}


def _tensors(
    root: Record, code: dict[str, Class], frozen: dict[int, PickledTensor | UnreadTensor]
) -> tuple[dict[str, PickledTensor | UnreadTensor], dict[str, ParameterFacts], list[str]]:
    """Tensors by their name in a state dict, what the code says of them, and names left out."""
    found: dict[str, PickledTensor | UnreadTensor] = {}
    facts: dict[str, ParameterFacts] = {}
    left: dict[str, PickledTensor | UnreadTensor] = {}
    for prefix, record in _objects(root):
        described = code.get(record.kind)
        for path, leaf in _own(record.attributes):
            name = ".".join((*prefix, *path))
            if described is None or described.names is None or path[0] in described.names:
                found[name] = leaf
            else:
                left[name] = leaf
        if described is None:
            continue
        said = facts_of_class(
            record.kind, described, partial(_shape_at, record, frozen), partial(_number_at, record)
        )
        for path, fact in said.items():
            own = path if path[0] == CONSTANTS else (*prefix, *path)
            facts.setdefault(".".join(own), fact)
    # torch's recurrent modules hold their parameters a second time, in a list.
    stored = {_place(leaf) for leaf in found.values()}
    return found, facts, [name for name, leaf in left.items() if _place(leaf) not in stored]


def _place(leaf: PickledTensor | UnreadTensor) -> object:
    return (leaf.storage.key, leaf.layout) if isinstance(leaf, PickledTensor) else leaf


def _objects(root: Record) -> Iterator[tuple[tuple[str, ...], Record]]:
    """Every object and its path, an object before those within it."""
    waiting: list[tuple[tuple[str, ...], Record]] = [((), root)]
    for _ in range(_MOST_OBJECTS):
        if not waiting:
            return
        path, record = waiting.pop()
        if len(path) > _DEEPEST:
            raise ReadError("damaged: its objects are nested without end")
        yield path, record
        inner = [(k, v) for k, v in record.attributes.items() if isinstance(v, Record)]
        waiting += [((*path, key), value) for key, value in reversed(inner)]
    raise ReadError(f"damaged: it has more than {_MOST_OBJECTS:,} objects")


def _own(
    attributes: dict[str, object],
) -> Iterator[tuple[tuple[str, ...], PickledTensor | UnreadTensor]]:
    """The tensors among an object's attributes, and in lists and mappings that are attributes."""
    for key, value in attributes.items():
        if isinstance(value, PickledTensor | UnreadTensor):
            yield (key,), value
        elif isinstance(value, list | tuple | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for inner, part in items:
                if isinstance(part, PickledTensor | UnreadTensor):
                    yield (key, str(inner)), part


def _at(record: Record, path: tuple[str, ...]) -> object:
    found: object = record
    for name in path:
        found = found.attributes.get(name) if isinstance(found, Record) else None
    return found


def _number_at(record: Record, path: tuple[str, ...]) -> int | None:
    """The whole number at a path, None where there is none."""
    found = _at(record, path)
    return found if type(found) is int else None


def _shape_at(
    record: Record, frozen: dict[int, PickledTensor | UnreadTensor], path: tuple[str, ...]
) -> tuple[int, ...] | None:
    """The shape of the tensor at a path, None where there is none."""
    if path[:1] == (CONSTANTS,):
        number = path[1][1:] if len(path) == 2 else ""
        found: object = frozen.get(int(number)) if number.isdecimal() and len(number) < 9 else None
    else:
        found = _at(record, path)
    return shape_of(found) if isinstance(found, PickledTensor | UnreadTensor) else None


def shape_of(leaf: PickledTensor | UnreadTensor) -> tuple[int, ...]:
    """The shape of a tensor that a pickle describes."""
    return leaf.shape if isinstance(leaf, UnreadTensor) else leaf.layout.shape


def _notes(left: list[str], frozen: dict[int, PickledTensor | UnreadTensor]) -> Iterator[str]:
    if left:
        yield f"Neither parameters nor buffers, and left out: {listed(left)}."
    if frozen:
        yield (
            "Tensors that the code holds as constants have lost their names; they are called "
            "'constants.0' and so on."
        )
