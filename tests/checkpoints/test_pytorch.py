"""PyTorch files, zip and legacy, against torch.load."""

from __future__ import annotations

import gc
import mmap
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints import Checkpoint, open_checkpoint
from infoflow.errors import CheckpointError
from tests.checkpoints import making

torch = pytest.importorskip("torch")

DTYPES = [
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
]
BOTH = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


def saved(folder: Path, value: object, new: bool) -> Checkpoint:
    torch.save(value, folder / "file", _use_new_zipfile_serialization=new)
    return open_checkpoint(folder / "file")


def bits(tensor: torch.Tensor) -> np.ndarray:
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy()


def assert_equal(opened: Checkpoint, expected: dict[str, torch.Tensor]) -> None:
    assert list(opened.tensors) == list(expected)
    for name, reference in expected.items():
        array = opened.tensors[name].load()
        assert array.shape == opened.tensors[name].shape == tuple(reference.shape)
        assert array.dtype.name == opened.tensors[name].dtype
        assert array.dtype.isnative
        found = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        np.testing.assert_array_equal(found, bits(reference), err_msg=name)


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type(tmp_path: Path, dtype: str, new: bool) -> None:
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    values = torch.randint(0, 2 if dtype == "bool" else 120, (3, 4, 5), dtype=torch.uint8)
    tensors = {
        "a": values.to(torch.float32).to(kind),
        "scalar": torch.tensor(3).to(torch.float32).to(kind),
        "empty": torch.empty(0, 4).to(kind),
    }
    opened = saved(tmp_path, tensors, new)
    assert {tensor.dtype for tensor in opened.tensors.values()} == {dtype}
    assert_equal(opened, tensors)


@BOTH
def test_views_strides_and_shared_storages(tmp_path: Path, new: bool) -> None:
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    tensors = {
        "base": base,
        "transposed": base.transpose(0, 2),
        "part": base[1:, ::2, 3],
        "row": base[2],
        "expanded": torch.tensor([1.0, 2.0]).expand(4, 2),
        "conjugate": torch.tensor([1 + 2j, 3 - 1j]).conj(),
        "negative": torch.tensor([1 + 2j, 3 - 1j]).conj().imag,
        "parameter": torch.nn.Parameter(base + 1),
        "last": base.contiguous(memory_format=torch.contiguous_format)[..., -1],
    }
    assert_equal(saved(tmp_path, tensors, new), tensors)


@BOTH
def test_tied_tensors_have_one_memory(tmp_path: Path, new: bool) -> None:
    weight = torch.randn(4, 3)
    tied = {"a": weight, "b": weight, "c": weight.clone(), "d": weight[:2], "e": torch.empty(0)}
    memory = {name: t.memory for name, t in saved(tmp_path, tied, new).tensors.items()}
    assert memory["a"] == memory["b"] != ""
    assert len({memory[name] for name in "acd"}) == 3
    assert memory["e"] == ""


@BOTH
def test_tensors_with_attributes(tmp_path: Path, new: bool) -> None:
    tensors = {"a": torch.nn.Parameter(torch.ones(2)), "b": torch.zeros(3)}
    for tensor in tensors.values():
        tensor.origin = "here"
    assert_equal(saved(tmp_path, tensors, new), tensors)


@BOTH
def test_module_state_dicts_with_their_versions(tmp_path: Path, new: bool) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    assert module.state_dict()._metadata  # pickled as an attribute of the state dict
    opened = saved(tmp_path, module.state_dict(), new)
    assert_equal(opened, module.state_dict())
    assert opened.notes == ()


@BOTH
def test_containers_beside_the_weights(tmp_path: Path, new: bool) -> None:
    beside = {
        "state_dict": {"w": torch.ones(2, 2)},
        "best_prec1": torch.tensor(93.5),
        "shape": torch.Size([2, 3]),
        "device": torch.device("cuda:0"),
        "dtype": torch.bfloat16,
        "set": {1, 2},
        "bytes": b"\x00\xff",
        "array": bytearray(b"ab"),
        "complex": 1 + 2j,
        "count": Counter({"a": 2}),
        "ordered": OrderedDict({(1, "a"): [None, True, -3, 2**80]}),
        "note": "naïve",
        "lr": 0.1,
    }
    opened = saved(tmp_path, beside, new)
    assert_equal(opened, {"w": torch.ones(2, 2)})
    assert opened.metadata == {
        "best_prec1": "93.5",
        "device": "cuda:0",
        "note": "naïve",
        "lr": "0.1",
    }


@BOTH
def test_optimizers_beside_the_weights(tmp_path: Path, new: bool) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    opened = saved(tmp_path, {"model": module.state_dict(), "opt": optimizer.state_dict()}, new)
    assert_equal(opened, module.state_dict())
    assert "Beside 'model', 'opt' was ignored." in opened.notes


@BOTH
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage:UserWarning")
def test_kinds_of_tensors_that_are_listed_but_not_read(tmp_path: Path, new: bool) -> None:
    tensors = {
        "plain": torch.ones(2),
        "sparse": torch.eye(3).to_sparse(),
        "quantised": torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8),
        "meta": torch.empty(4, 5, device="meta"),
    }
    opened = saved(tmp_path, tensors, new)
    shapes = {name: tensor.shape for name, tensor in opened.tensors.items()}
    assert shapes == {"plain": (2,), "sparse": (3, 3), "quantised": (2, 3), "meta": (4, 5)}
    assert opened.tensors["quantised"].dtype == "qint8"
    for name, what in (
        ("sparse", "sparse"),
        ("quantised", "quantised"),
        ("meta", "tensor without data"),
    ):
        assert what in opened.tensors[name].unread
        with pytest.raises(CheckpointError, match=f"tensor '{name}': {what}"):
            opened.tensors[name].load()


def open_descriptors() -> int:
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def test_zip_files_are_mapped_and_unmapped(tmp_path: Path) -> None:
    opened = saved(tmp_path, {str(n): torch.full((64, 64), n) for n in range(50)}, True)
    gc.collect()  # what earlier tests left open is not this one's
    descriptors = open_descriptors()
    arrays = [tensor.load() for tensor in opened.tensors.values()]
    assert all(isinstance(array.base, mmap.mmap) for array in arrays)
    assert len({id(array.base) for array in arrays}) == 1
    assert not any(array.flags.writeable for array in arrays)
    assert open_descriptors() <= descriptors + 1
    del arrays
    gc.collect()
    assert open_descriptors() == descriptors


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_byte_order_and_compression(tmp_path: Path, order: str, compression: int) -> None:
    expected = np.arange(12, dtype=np.float32).reshape(3, 4)
    body = making.state(
        a=making.tensor(making.storage("0", 12), (3, 4), (4, 1)),
        b=making.tensor(making.storage("1", 2, "torch.BFloat16Storage"), (2,), (1,)),
        c=making.tensor(making.storage("2", 1, "torch.ComplexFloatStorage"), (1,), (1,)),
    )
    mark = "<" if order == "little" else ">"
    storages = {
        "0": expected.astype(f"{mark}f4").tobytes(),
        "1": np.array([0x3F80, 0x4000]).astype(f"{mark}u2").tobytes(),
        "2": np.array([1.0, 2.0]).astype(f"{mark}f4").tobytes(),
    }
    path = making.write_zip(
        tmp_path / "file", body, storages, order=order.encode(), compression=compression
    )
    tensors = open_checkpoint(path).tensors
    np.testing.assert_array_equal(tensors["a"].load(), expected)
    assert tensors["a"].load().dtype.isnative
    assert tensors["b"].load().astype(float).tolist() == [1.0, 2.0]
    assert tensors["c"].load().tolist() == [1 + 2j]


def test_legacy_views_of_storages(tmp_path: Path) -> None:
    """As PyTorch 0.2 wrote them: a storage that is a part of another one."""
    view = making.tuple_of(making.text("v"), making.whole(4), making.whole(6))
    body = making.state(
        root=making.tensor(making.storage("r", 12, view=b"N"), (12,), (1,)),
        part=making.tensor(making.storage("r", 12, view=view), (2, 2), (1, 2), offset=1),
    )
    data = np.arange(12, dtype="<f4")
    path = making.write_legacy(tmp_path / "file", body, {"r": (12, data.tobytes())})
    loaded = torch.load(path, weights_only=True)
    tensors = open_checkpoint(path).tensors
    assert tensors["part"].load().tolist() == [[5, 7], [6, 8]] == loaded["part"].tolist()
    np.testing.assert_array_equal(tensors["root"].load(), loaded["root"].numpy())


def test_a_file_that_changes_after_it_was_opened(tmp_path: Path) -> None:
    opened = saved(tmp_path, {"a": torch.ones(3)}, False)
    (tmp_path / "file").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="has changed since it was opened"):
        opened.tensors["a"].load()


def test_a_relative_path_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    opened = open_checkpoint("file")
    monkeypatch.chdir("/")
    assert opened.path == "file"
    assert opened.tensors["a"].load().tolist() == [1, 1, 1]
