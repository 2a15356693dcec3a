"""Data from a function of the user's: forms of batches, and code that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from infoflow.data import open_data  # noqa: E402
from infoflow.data.batch import Batch, combined, of_one_input  # noqa: E402
from infoflow.errors import DataError, UserCodeError  # noqa: E402

CODE = """
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

print("loud")
torch.manual_seed(0)
X = torch.randn(10, 3)

def tensors(): return [X[:4], X[4:]]
Z = X.double().numpy()
def arrays(): return [(Z[:4], np.arange(4)), (Z[4:], np.arange(6))]
def endless():
    while True:
        yield X, [0, 1] * 5
def two(): return [((X, X + 1), X[:, 0])]
def three(): return [(X.long(), X, X[:, :2])]
def words():
    for length in (3, 5):
        ids = torch.randint(1, 9, (2, length))
        yield {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}
def named(): return [{"image": X, "label": torch.arange(10) % 2}]
def inner(): return [({"a": X.long(), "b": X}, torch.ones(10, 1, dtype=torch.long))]
loader = DataLoader(TensorDataset(X), batch_size=4)
dataset = TensorDataset(X)

def raises(): raise ValueError("no\\nway")
def late():
    yield X
    raise KeyError("x")
def empty(): return []
def single(): return [X[:1]]
def mixed(): return [X, (X, X[:, 0])]
def ragged(): return [X, X[:, :2]]
def uneven(): return [(X, torch.zeros(4))]
def text(): return ["abc"]
def scalar(): return [(torch.tensor(1.0), torch.tensor(0))]
def pictures(): return [torch.zeros(4, 3, 8, 8, dtype=torch.uint8)]
def nothing(): return [{"labels": X}]
def void(): return [()]
def strange(): return [(X, "abc")]
number = 3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_tensors(path, capsys):
    before = list(sys.path)
    data = open_data(f"{path}:tensors")
    assert (data.samples, data.task, data.x_name) == (10, "none", "the input, float32 3 a sample")
    assert [batch.size for batch in data.batches(6)] == [6, 4]
    assert torch.equal(data.first(10).x, torch.cat([b.x for b in data.batches(3)]))
    assert sys.path == before
    out, err = capsys.readouterr()
    assert (out, err) == ("", "loud\n")


def test_arrays_and_labels(path):
    data = open_data(f"{path}:arrays")
    batch = data.first(10)
    assert batch.x.dtype == torch.float64
    assert batch.targets.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert data.task == "classification"


def test_an_endless_iterable_is_cut(path):
    data = open_data(f"{path}:endless", samples=27)
    assert data.samples == 27
    assert "the first 27 samples" in data.description
    assert data.first(27).targets[-1] == 0


def test_fewer_than_asked_for_is_said(path):
    assert "all 10 samples that it gives" in open_data(f"{path}:tensors", samples=99).description


def test_several_inputs(path):
    data = open_data(f"{path}:two")
    batch = data.first(3)
    assert len(batch.inputs) == 2
    assert batch.x is batch.inputs[0]
    assert (data.task, data.x_name) == ("regression", "input 1, float32 3 a sample")
    assert batch.call(torch.add).shape == (3, 3)
    data = open_data(f"{path}:three")
    assert data.x_name.startswith("input 2, float32")


def test_dictionaries(path):
    data = open_data(f"{path}:named")
    assert isinstance(data.first(2).inputs, tuple)
    assert data.classes == ("0", "1")
    batch = open_data(f"{path}:inner").first(2)
    assert batch.x is batch.inputs["b"]
    assert batch.targets.tolist() == [1, 1]
    assert batch.call(lambda a, b: a + b).shape == (2, 3)


def test_words_are_padded_and_masked(path):
    data = open_data(f"{path}:words")
    batch = data.first(4)
    assert (data.task, data.x_name) == ("next-token", "input_ids, int64 5 a sample")
    assert batch.x.shape == batch.targets.shape == (4, 5)
    assert batch.mask.sum(dim=1).tolist() == [3, 3, 5, 5]
    assert (batch.targets[0, 3:] == -100).all()
    assert (batch.x[0, 3:] == 0).all()
    assert set(batch.inputs) == {"input_ids", "attention_mask"}


def test_an_iterable_itself(path):
    assert open_data(f"{path}:loader").samples == 10


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("empty", "0 samples"),
        ("single", "1 sample; "),
        ("mixed", "different forms"),
        ("ragged", "samples of different shapes"),
        ("uneven", "batch 0: its tensors do not count the same samples"),
        ("text", "holds a str, where a tensor is needed"),
        ("scalar", "do not count the same samples"),
        ("pictures", "holds bytes of the shape 4×3×8×8"),
        ("nothing", "has no inputs"),
        ("void", "batch 0 is empty"),
        ("strange", "its targets are a str"),
        ("number", "gives a int, which is no iterable"),
        ("dataset", "return a DataLoader of it"),
        ("loaders", "nearest: 'loader'"),
    ],
)
def test_what_is_no_data(path, function, words):
    with pytest.raises(DataError, match=words):
        open_data(f"{path}:{function}")


@pytest.mark.parametrize(
    ("function", "words", "cause"),
    [
        ("raises", "raises failed: ValueError: no.$", ValueError),
        ("late", "late failed in batch 1: KeyError: 'x'.$", KeyError),
    ],
)
def test_code_that_raises(path, function, words, cause):
    with pytest.raises(UserCodeError, match=words) as found:
        open_data(f"{path}:{function}")
    assert isinstance(found.value.__cause__, cause)


def test_a_file_that_cannot_be_run(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("1/0")
    with pytest.raises(UserCodeError, match="could not be run: ZeroDivisionError") as found:
        open_data(f"{path}:data")
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    with pytest.raises(DataError, match="there is no such file"):
        open_data(f"{tmp_path / 'none.py'}:data")
    with pytest.raises(DataError, match="does not say what to call"):
        open_data(str(path))


def test_a_batch_moves_as_a_whole():
    x, y = torch.ones(2, 3), torch.ones(2, dtype=torch.long)
    batch = Batch({"a": y, "b": x}, torch.ones(2), torch.ones(2, 1).bool(), key="b")
    moved = batch.to(dtype=torch.float16)
    assert moved.x is moved.inputs["b"]
    assert moved.x.dtype == torch.float16
    assert moved.inputs["a"].dtype == torch.int64
    assert moved.targets.dtype == torch.float32
    assert batch.x.dtype == torch.float32
    half = batch.part(1, 2)
    assert (half.size, half.x.shape, half.mask.shape) == (1, (1, 3), (1, 1))
    both = combined([of_one_input(x), of_one_input(x + 1)], lambda parts, role: torch.cat(parts))
    assert both.size == 4
    assert both.targets is None
