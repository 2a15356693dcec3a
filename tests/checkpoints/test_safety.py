"""Files that need code are refused and never run; nothing is read that torch would refuse."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.pickle_names import NAMES
from infoflow.checkpoints.pickles import INSTRUCTIONS
from infoflow.errors import CheckpointError, MissingDependencyError, UnsafeCheckpointError
from tests.checkpoints import making

WEIGHT = making.tensor(making.storage("0", 4), (2, 2), (2, 1))
DATA = bytes(16)


def zipped(folder: Path, body: bytes) -> Path:
    return making.write_zip(folder / "file.pt", body, {"0": DATA})


def legacy(folder: Path, body: bytes) -> Path:
    body = body.replace(making.storage("0", 4), making.storage("0", 4, view=b"N"))
    return making.write_legacy(folder / "file.pt", body, {"0": (4, DATA)})


WRITERS = pytest.mark.parametrize("write", [zipped, legacy])
Writer = Callable[[Path, bytes], Path]


def call(name: str, *arguments: bytes) -> bytes:
    return making.name(name) + making.tuple_of(*arguments) + b"R"


@WRITERS
@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "posix.system", "nt.system", "subprocess.Popen", "builtins.eval"),
        *("builtins.exec", "builtins.getattr", "builtins.__import__", "__builtin__.eval"),
        *("builtins.object", "builtins.bytes", "operator.attrgetter", "functools.partial"),
        *("torch.load", "torch.hub.load", "torch.nn.modules.linear.Linear", "torch.storage._load"),
        *("torch.storage._load_from_bytes", "torch.jit.load", "torch._utils._import_dotted_name"),
        *("torch._utils._rebuild_wrapper_subclass", "torch.package.PackageImporter"),
        *("numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "numpy.dtype"),
        *("collections.defaultdict", "argparse.Namespace", "io.BytesIO", "copyreg._reconstructor"),
        *("pathlib.PosixPath", "models.MyNet", "a.b.c", "torch.FloatStorage.__class__"),
        *("torch.Tensor.__init__", "torch.float32.__class__", "builtins.", "."),
    ],
)
def test_names_that_are_not_tensors_or_containers_are_refused(
    tmp_path: Path, write: Writer, name: str
) -> None:
    marker = tmp_path / "marker"
    path = write(tmp_path, making.state(w=WEIGHT, bad=call(name, making.text(f"touch {marker}"))))
    with pytest.raises(UnsafeCheckpointError) as error:
        open_checkpoint(path)
    assert f"needs {name.replace('__builtin__', 'builtins')!r}" in str(error.value)
    assert "--trust-pickle" in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert not marker.exists()


def test_the_marker_would_be_made_by_an_unrestricted_pickle(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickle.loads(making.program(call("os.system", making.text(f"touch {marker}"))))
    assert marker.exists()


@WRITERS
def test_the_class_of_a_pickled_module_is_named(tmp_path: Path, write: Writer) -> None:
    torch = pytest.importorskip("torch")
    torch.save(
        {"model": torch.nn.Sequential(torch.nn.Linear(2, 2))},
        tmp_path / "whole.pt",
        _use_new_zipfile_serialization=write is zipped,
    )
    with pytest.raises(
        UnsafeCheckpointError, match=r"needs 'torch\.nn\.modules\.container\.Sequential'"
    ):
        open_checkpoint(tmp_path / "whole.pt")


def test_every_name_is_one_that_torch_allows() -> None:
    torch = pytest.importorskip("torch")
    from torch._weights_only_unpickler import _get_allowed_globals

    newer = {  # types that this torch does not have yet
        name for name, known in NAMES.items() if known.dtype and not hasattr(torch, name[6:])
    }
    assert set(NAMES) - newer - set(_get_allowed_globals()) == set()
    assert len(NAMES) - len(newer) > 80


def test_every_instruction_is_one_that_torch_knows() -> None:
    torch = pytest.importorskip("torch")
    source = Path(torch.__path__[0], "_weights_only_unpickler.py").read_text()
    names = [n for n in pickle.__all__ if n.isupper() and isinstance(getattr(pickle, n), bytes)]
    known = {getattr(pickle, name)[0] for name in names if f"{name}[0]" in source}
    assert known, "torch's unpickler is not written as it was"
    assert set(INSTRUCTIONS) - known == set()


@WRITERS
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (making.name("torch.FloatTensor") + b")R", "calls torch.FloatTensor"),
        (making.name("torch.float32") + b")\x81", "calls torch.float32"),
        (b"})R", "calls what cannot be called"),
        (making.text("x") + b")R", "calls what cannot be called"),
        (making.name("collections.OrderedDict") + b"}R", "calls what cannot be called"),
        (b"}}b", "sets attributes of an object"),
        (making.name("collections.OrderedDict") + b"}b", "sets attributes of an object"),
        (WEIGHT + b"}b", "sets attributes of an object"),
        (making.name("torch.Size") + b"K\x01a", "appends to what is no list"),
        (WEIGHT + making.text("a") + b"K\x01s", "sets items of what is no mapping"),
        (b"}]K\x01s", "key of a mapping"),
        (b"}]\x85K\x01s", "key of a mapping"),
        (making.tuple_of(making.text("module"), b"N", b"N", b"N", b"N") + b"Q", "not a storage"),
        (b"K\x01Q", "not a storage"),
        (b"\x8c\x01a", "instruction 0x8c"),
        (b"\x95" + bytes(8), "instruction 0x95"),
        (b"h\x07", "recalls what it has not stored"),
        (b"t", "takes more than it has made"),
        (b"R", "calls what cannot be called"),
        (b"X\xff\xff\xff\xff", "truncated"),
        (b"X\x01\x00\x00\x00\xff", "not UTF-8"),
        (b"(" * 2000, "nested too deeply"),
        (call("builtins.bytearray", making.whole(10**12)), "unknown encoding"),
        (call("_codecs.encode", making.text("x"), making.text("zip")), "unknown encoding"),
        (call("torch._utils._rebuild_tensor_v2", b"N"), "makes a TypeError"),
        (b"c" + b"a" * 2000, "name in its pickle has no end"),
    ],
)
def test_pickles_that_no_honest_file_has(
    tmp_path: Path, write: Writer, body: bytes, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(write(tmp_path, making.state(w=WEIGHT, x=body)))


def test_a_key_that_would_take_for_ever_to_hash(tmp_path: Path) -> None:
    body = b")" + b"q\x00h\x00\x86" * 60
    with pytest.raises(CheckpointError, match="nested too deeply"):
        open_checkpoint(zipped(tmp_path, b"}" + body + b"K\x01s"))


def test_copying_one_list_again_and_again(tmp_path: Path) -> None:
    many = b"](" + b"K\x01" * 20_000 + b"eq\x00"
    again = (making.name("builtins.set") + b"h\x00\x85R") * 2000
    with pytest.raises(CheckpointError, match="copies the same data"):
        open_checkpoint(zipped(tmp_path, many + again))


def test_mappings_within_each_other_end(tmp_path: Path) -> None:
    nested = b"}q\x00" + making.text("a") + b"h\x00s" + making.text("w") + WEIGHT + b"s"
    assert list(open_checkpoint(zipped(tmp_path, nested)).tensors)
    wide = b"}q\x00"
    for level in range(1, 40):  # each has the one before twenty times
        keys = b"".join(making.text(str(n)) + b"h" + bytes([level - 1]) for n in range(20))
        wide += b"}(" + keys + b"uq" + bytes([level])
    with pytest.raises(CheckpointError, match="no tensors"):
        open_checkpoint(zipped(tmp_path, wide))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (making.tensor(making.storage("0", 4), (5,), (1,)), "element 5 of a storage of 4"),
        (making.tensor(making.storage("0", 4), (2, 2), (3, 1)), "element 5 of a storage of 4"),
        (making.tensor(making.storage("0", 4), (1,), (1,), 4), "element 5 of a storage of 4"),
        (making.tensor(making.storage("0", 4), (2,), (1,), -1), "whole number"),
        (making.tensor(making.storage("0", 4), (2,), (-1,)), "whole number"),
        (making.tensor(making.storage("0", 4), (2,), (1, 1)), "1 size and 2 strides"),
        (making.tensor(making.storage("0", 4), (2**50,), (0,)), "repeated to shape"),
        (making.tensor(making.storage("0", 4), (2**400, 2**400), (1, 1)), "ends at element"),
        (making.tensor(making.storage("0", 5), (5,), (1,)), "16 bytes instead of 20"),
        (making.tensor(making.storage("1", 4), (4,), (1,)), "storage '1' is not in the file"),
        (making.tensor(making.storage("../0", 4), (4,), (1,)), "is not in the file"),
        (making.tensor(making.storage("0", -4), (4,), (1,)), "without a type or a size"),
        (making.tensor(making.storage("0", 2**70), (4,), (1,)), "instead of"),
        (making.tensor(making.storage("0", 4, "torch.Size"), (4,), (1,)), "without a type"),
        (making.tensor(b"N", (4,), (1,)), "without a storage"),
    ],
)
def test_tensors_that_lie_about_their_place(tmp_path: Path, tensor: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(zipped(tmp_path, making.state(w=tensor)))


def test_legacy_storages_under_two_types(tmp_path: Path) -> None:
    """The second reference claims more than the file has."""
    big = making.storage("0", 1000, "torch.DoubleStorage", b"N")
    body = making.state(
        a=making.tensor(making.storage("0", 4, view=b"N"), (4,), (1,)),
        b=making.tensor(big, (1000,), (1,)),
    )
    with pytest.raises(CheckpointError, match="'b': damaged: its storage is not in the file"):
        open_checkpoint(making.write_legacy(tmp_path / "file", body, {"0": (4, DATA)}))


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_trusted_files_yield_the_state_of_their_module(tmp_path: Path, new: bool) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 2)).to(torch.bfloat16)
    torch.save({"model": module, "epoch": 3}, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    opened = open_checkpoint(tmp_path / "m.pt", trust_pickle=True)
    assert opened.format.endswith("file, loaded by torch")
    assert opened.notes[0] == "The code in the file was allowed to run (--trust-pickle)."
    assert opened.metadata == {"epoch": "3"}
    assert list(opened.tensors) == ["0.weight", "0.bias"]
    weight = opened.tensors["0.weight"]
    assert weight.dtype == "bfloat16"
    assert weight.load().astype("float32").tolist() == module[0].weight.float().tolist()


def test_trust_changes_nothing_where_no_code_is_needed(tmp_path: Path) -> None:
    path = zipped(tmp_path, making.state(w=WEIGHT))
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom infoflow.checkpoints import open_checkpoint\n"
            "open_checkpoint(sys.argv[1], trust_pickle=True)\nassert 'torch' not in sys.modules",
            str(path),
        ],
        check=False,
    )
    assert run.returncode == 0


def test_trusted_code_that_fails_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = zipped(tmp_path, making.state(w=WEIGHT, x=call("no_such_module.Net")))
    with pytest.raises(CheckpointError, match=r"torch cannot load it: .*no_such_module"):
        open_checkpoint(path, trust_pickle=True)


def test_trust_needs_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    path = zipped(tmp_path, making.state(w=WEIGHT, x=call("models.Net")))
    with pytest.raises(MissingDependencyError, match="--trust-pickle needs torch"):
        open_checkpoint(path, trust_pickle=True)


def test_what_torch_refuses_is_refused(tmp_path: Path) -> None:
    """The same hostile bodies through torch's own restricted loader: it refuses them too."""
    torch = pytest.importorskip("torch")
    bodies: list[Any] = [
        making.state(w=WEIGHT, x=call(name, making.text("x")))
        for name in ("os.system", "numpy.core.multiarray.scalar", "builtins.getattr")
    ]
    for body in bodies:
        path = zipped(tmp_path, body)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)
        with pytest.raises(UnsafeCheckpointError):
            open_checkpoint(path)
