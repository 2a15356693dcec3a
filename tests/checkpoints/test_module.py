"""Live modules, of every type of number and on the meta device."""

from __future__ import annotations

import numpy as np
import pytest

import infoflow
from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.dtypes import numpy_dtype
from infoflow.errors import CheckpointError

torch = pytest.importorskip("torch")

from infoflow.checkpoints.module import from_module  # noqa: E402

FLOATS = ["float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"]


def test_modules_have_the_type_that_they_say() -> None:
    for name in FLOATS:
        module = torch.nn.Linear(3, 2).to(getattr(torch, name))
        tensor = from_module(module).tensors["weight"]
        array = tensor.load()
        assert tensor.dtype == array.dtype.name == name
        assert array.dtype == numpy_dtype(name)
        assert array.shape == tensor.shape == (2, 3)
        assert array.astype("float64").tolist() == module.weight.double().tolist()


def test_other_kinds_of_numbers() -> None:
    module = torch.nn.Module()
    tensors = {
        "counter": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "complex": torch.tensor([1 + 2j]).conj(),
        "strided": torch.arange(6.0).reshape(2, 3).T,
        "empty": torch.empty(0, 3),
    }
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor)
    for name, tensor in from_module(module).tensors.items():
        np.testing.assert_array_equal(tensor.load(), tensors[name].resolve_conj().numpy())
        assert tensor.load().dtype.name == tensor.dtype


def test_what_is_read_cannot_change_the_module() -> None:
    module = torch.nn.Linear(3, 2)
    with pytest.raises(ValueError, match="read-only"):
        from_module(module).tensors["weight"].load()[0, 0] = 1.0


def test_tied_tensors_are_known_and_others_are_not() -> None:
    module = torch.nn.Sequential(*(torch.nn.Linear(3, 3, bias=False) for _ in range(3)))
    module[1].weight = module[0].weight
    first, second, third = (tensor.memory for tensor in from_module(module).tensors.values())
    assert first == second != third


def test_the_digest_is_that_of_names_types_shapes_and_numbers() -> None:
    def digest(value: float, *shape: int, dtype: str = "float32") -> str:
        module = torch.nn.Module()
        module.register_buffer("w", torch.full(shape, value, dtype=getattr(torch, dtype)))
        return from_module(module).digest()

    assert digest(1, 2, 3) == digest(1, 2, 3)
    assert len({digest(1, 2, 3), digest(1, 3, 2), digest(2, 2, 3)}) == 3
    assert digest(0, 4, dtype="int32") != digest(0, 4)


def test_the_meta_device_has_shapes_but_no_numbers() -> None:
    opened = from_module(torch.nn.Linear(3, 2, device="meta"))
    weight = opened.tensors["weight"]
    assert (weight.shape, weight.dtype) == ((2, 3), "float32")
    assert "without data (meta)" in weight.unread
    with pytest.raises(CheckpointError, match=r"^Linear, tensor 'weight': tensor without data"):
        weight.load()
    assert len(opened.digest()) == 64
    with pytest.raises(CheckpointError, match=r"nothing in it can be analysed.*without data"):
        infoflow.analyze(torch.nn.Linear(3, 2, device="meta"))


def test_lazy_modules_are_one_sentence() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LazyLinear(2))
    with pytest.raises(CheckpointError, match=r"'1\.weight': has no shape yet") as error:
        infoflow.analyze(module)
    assert "\n" not in str(error.value)
    with torch.no_grad():
        module(torch.ones(1, 3))
    assert set(from_module(module).tensors) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_a_trusted_file_with_a_lazy_module(tmp_path) -> None:
    torch.save(torch.nn.LazyLinear(2), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="'weight': has no shape yet"):
        open_checkpoint(tmp_path / "m.pt", trust_pickle=True)


@pytest.mark.parametrize("source", [3, None, [], {"w": 1}, torch.nn.Linear, np.ones(3)])
def test_what_is_not_a_module_is_one_sentence(source: object) -> None:
    kind = type(source).__name__
    with pytest.raises(
        CheckpointError, match=rf"torch\.nn\.Module, not an object of the type {kind}"
    ):
        from_module(source)
    with pytest.raises(CheckpointError, match="not an object of the type"):
        infoflow.analyze(source)
