"""Data sets that Hugging Face's package wrote to disk."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
datasets = pytest.importorskip("datasets")

from infoflow.data import Preprocessing, open_data  # noqa: E402
from infoflow.errors import DataError  # noqa: E402

RANDOM = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages below


@pytest.fixture
def pictures(tmp_path):
    rows = {
        "image": [RANDOM.integers(0, 256, (6, 6, 3), np.uint8) for _ in range(10)],
        "label": [i % 3 for i in range(10)],
    }
    names = datasets.ClassLabel(names=["cat", "dog", "emu"])
    features = datasets.Features({"image": datasets.Image(), "label": names})
    found = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": found, "validation": found}).save_to_disk(str(tmp_path / "a"))
    return tmp_path / "a", rows


def test_pictures(pictures):
    path, rows = pictures
    data = open_data(f"hf:{path}")
    assert (data.classes, data.task, data.samples) == (
        ("cat", "dog", "emu"),
        "classification",
        10,
    )
    whole = data.first(10)
    assert whole.targets.tolist() == rows["label"]
    assert np.allclose(whole.x[4].permute(1, 2, 0).numpy() * 255, rows["image"][4], atol=1e-3)
    assert torch.equal(torch.cat([batch.x for batch in data.batches(3)]), whole.x)
    some = open_data(f"hf:{path}", samples=4, preprocessing=Preprocessing((3, 3), channels=1))
    assert some.first(4).x.shape == (4, 1, 3, 3)
    assert some.pictures([0])[0].shape == (6, 6)
    assert "4 of 10 samples" in some.description
    with pytest.raises(DataError, match="no split 'extra'"):
        open_data(f"hf:{path}", split="extra")


def test_tokens(tmp_path):
    rows = {"input_ids": [[1, 2, 3], [4, 5], [6]], "label": [0, 1, 1], "text": ["a", "b", "c"]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "a"))
    data = open_data(f"hf:{tmp_path / 'a'}")
    batch = data.first(3)
    assert batch.x.tolist() == [[1, 2, 3], [4, 5, 0], [6, 0, 0]]
    assert batch.mask.sum(dim=1).tolist() == [3, 2, 1]
    assert (data.task, batch.targets.tolist()) == ("classification", [0, 1, 1])


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_data(f"hf:{tmp_path / 'a'}")
    with pytest.raises(DataError, match="no data set that save_to_disk wrote"):
        open_data(f"hf:{tmp_path}")
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(str(tmp_path / "b"))
    with pytest.raises(DataError, match=r"no pictures and no numbers .text."):
        open_data(f"hf:{tmp_path / 'b'}")
