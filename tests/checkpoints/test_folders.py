"""Indices of shards and model folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError, UnsafeCheckpointError
from tests.checkpoints import making

INDEX = "model.safetensors.index.json"


def one(value: float) -> np.ndarray:
    return np.full((2, 2), value, np.float32)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A folder of two shards; the index is in another order than the files."""
    save_file({"h.0.w": one(0), "h.1.w": one(1)}, tmp_path / "model-1.safetensors")
    save_file({"h.10.w": one(10)}, tmp_path / "model-2.safetensors", {"format": "pt"})
    places = {"h.10.w": "model-2.safetensors"}
    places |= {"h.0.w": "model-1.safetensors", "h.1.w": "model-1.safetensors"}
    (tmp_path / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return tmp_path


def change_index(folder: Path, **places: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"].update(places)
    (folder / INDEX).write_text(json.dumps(index))


def test_shards_of_safetensors(sharded: Path) -> None:
    opened = open_checkpoint(sharded / INDEX)
    assert opened.format == "2 shards: safetensors"
    assert {n: float(t.load()[0, 0]) for n, t in opened.tensors.items()} == {
        "h.0.w": 0.0,
        "h.1.w": 1.0,
        "h.10.w": 10.0,
    }
    assert list(opened.tensors) == ["h.0.w", "h.1.w", "h.10.w"]
    digests = sorted(
        hashlib.sha256(file.read_bytes()).hexdigest() for file in sharded.glob("*.safetensors")
    )
    lines = "".join(f"{digest}\n" for digest in digests)
    assert opened.digest() == hashlib.sha256(lines.encode()).hexdigest()


def test_the_index_is_recognised_by_content(sharded: Path) -> None:
    (sharded / INDEX).rename(sharded / "anything.pt")
    assert open_checkpoint(sharded / "anything.pt").format.startswith("2 shards")


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_shards_of_pytorch_files(tmp_path: Path, new: bool) -> None:
    torch = pytest.importorskip("torch")
    places = {}
    for number in range(3):
        name = f"pytorch_model-{number}.bin"
        torch.save(
            {f"module.h.{number}.w": torch.full((2,), number)},
            tmp_path / name,
            _use_new_zipfile_serialization=new,
        )
        places[f"module.h.{number}.w"] = name
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    opened = open_checkpoint(tmp_path)
    assert [tensor.load().tolist() for tensor in opened.tensors.values()] == [
        [0, 0],
        [1, 1],
        [2, 2],
    ]
    assert list(opened.tensors) == ["h.0.w", "h.1.w", "h.2.w"]
    assert "Removed from the names: 'module.'." in opened.notes


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / "model-2.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"the shard 'model-2\.safetensors' is missing"):
        open_checkpoint(sharded / INDEX)


def test_a_damaged_shard_is_named(sharded: Path) -> None:
    file = sharded / "model-2.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"index\.json: 'model-2\.safetensors' is truncated"):
        open_checkpoint(sharded / INDEX)
    file.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"'model-2\.safetensors' is empty"):
        open_checkpoint(sharded / INDEX)


def test_a_tensor_that_its_shard_does_not_have(sharded: Path) -> None:
    change_index(sharded, **{"h.3.w": "model-1.safetensors"})
    with pytest.raises(CheckpointError, match=r"'model-1\.safetensors' does not hold 'h\.3\.w'"):
        open_checkpoint(sharded / INDEX)


def test_a_tensor_that_the_index_does_not_have(sharded: Path) -> None:
    save_file({"h.10.w": one(10), "extra": one(3)}, sharded / "model-2.safetensors")
    opened = open_checkpoint(sharded / INDEX)
    assert "extra" in opened.tensors
    assert any("does not list 'extra'" in note for note in opened.notes)


@pytest.mark.parametrize(
    "place", ["../secret", "/etc/passwd", "sub/model-1.safetensors", "..", "", "a\\b", "c:x", 3]
)
def test_shards_stay_in_their_folder(sharded: Path, place: str) -> None:
    change_index(sharded, x=place)
    with pytest.raises(CheckpointError, match="'x' is not in the index's own folder"):
        open_checkpoint(sharded / INDEX)


def test_shards_that_need_code(sharded: Path) -> None:
    body = making.state(w=making.name("os.system") + b")R")
    making.write_zip(sharded / "model-1.safetensors", body)
    with pytest.raises(UnsafeCheckpointError, match=r"'model-1\.safetensors' needs 'os\.system'"):
        open_checkpoint(sharded / INDEX)


@pytest.mark.parametrize("text", ['{"weight_map": {}}', '{"weight_map": [1]}', '{"weight_map": '])
def test_damaged_indices(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(tmp_path / "index.json")


def test_a_model_folder(tmp_path: Path) -> None:
    save_file({"w": one(1)}, tmp_path / "model.safetensors")
    making.write_zip(tmp_path / "pytorch_model.bin", b"}")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "vit", "architectures": ["ViTModel", "Other"]})
    )
    opened = open_checkpoint(tmp_path)
    assert opened.format == "model folder, safetensors"
    assert opened.metadata == {"model_type": "vit", "architectures": "ViTModel, Other"}
    assert opened.notes == (
        "Of the folder, 'model.safetensors' was read, not 'pytorch_model.bin'.",
    )
    (tmp_path / "config.json").write_text("{")
    assert "config.json is damaged and was ignored." in open_checkpoint(tmp_path).notes


def test_a_folder_with_an_index(sharded: Path) -> None:
    opened = open_checkpoint(sharded)
    assert opened.format == "model folder, 2 shards: safetensors"
    assert f"Of the folder, '{INDEX}' was read." in opened.notes


def test_a_folder_of_one_other_file(tmp_path: Path) -> None:
    save_file({"w": one(1)}, tmp_path / "adapter.safetensors")
    (tmp_path / "README.md").write_text("…")
    assert list(open_checkpoint(tmp_path).tensors) == ["w"]


def test_folders_without_a_choice(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder without weights"):
        open_checkpoint(tmp_path)
    for name in ("a.pt", "b.pth"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"name one: 'a\.pt' and 'b\.pth'"):
        open_checkpoint(tmp_path)
    (tmp_path / "__0_0.distcp").touch()
    with pytest.raises(CheckpointError, match="distributed PyTorch checkpoint"):
        open_checkpoint(tmp_path)


def test_transformers_folder(tmp_path: Path) -> None:
    """What the library itself writes, in several shards."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        vocab_size=64, max_position_embeddings=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.BertModel(config)
    model.save_pretrained(tmp_path, max_shard_size="10KB")
    opened = open_checkpoint(tmp_path)
    assert opened.metadata["model_type"] == "bert"
    assert opened.metadata["architectures"] == "BertModel"
    assert "shards" in opened.format
    expected = model.state_dict()
    assert set(opened.tensors) == set(expected)
    for name, tensor in opened.tensors.items():
        np.testing.assert_array_equal(tensor.load(), expected[name].numpy())


def test_numbers_that_say_how_weights_are_multiplied(tmp_path: Path) -> None:
    save_file({"w": one(0)}, tmp_path / "model.safetensors")
    config = {"num_attention_heads": 8, "head_dim": None, "quantization_config": {"bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    adapter = {"lora_alpha": 16, "use_rslora": True, "alpha_pattern": {"q": 8}, "r": [1]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    assert open_checkpoint(tmp_path).metadata == {
        "config.num_attention_heads": "8",
        "quantisation.bits": "4",
        "adapter.lora_alpha": "16",
        "adapter.use_rslora": "True",
        "adapter.alpha_pattern": '{"q": 8}',
    }


def test_the_width_of_packs_and_a_damaged_configuration(tmp_path: Path) -> None:
    save_file({"w": one(0)}, tmp_path / "model.safetensors")
    config = {"config_groups": {"group_0": {"weights": {"num_bits": 8}}}}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": config}))
    (tmp_path / "adapter_config.json").write_text("[")
    opened = open_checkpoint(tmp_path)
    assert opened.metadata == {"quantisation.bits": "8"}
    assert "adapter_config.json is damaged and was ignored." in opened.notes
