"""What training scripts save around a network's tensors, and in front of their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infoflow.checkpoints import Checkpoint, open_checkpoint
from infoflow.errors import CheckpointError, SelectionError

torch = pytest.importorskip("torch")


def tensors(*names: str, value: float = 1.0) -> dict[str, Any]:
    return {name: torch.full((2, 3), value) for name in names}


RAW = tensors("conv.weight", "fc.bias")
EMA = tensors("conv.weight", "fc.bias", value=2.0)
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"params": [0]}]}


def opened(folder: Path, value: object, **options: Any) -> Checkpoint:
    torch.save(value, folder / "file.pt")
    return open_checkpoint(folder / "file.pt", **options)


def value_of(checkpoint: Checkpoint, name: str = "conv.weight") -> float:
    return float(checkpoint.tensors[name].load().flat[0])


def told(checkpoint: Checkpoint, pattern: str) -> bool:
    return any(re.search(pattern, note) for note in checkpoint.notes)


@pytest.mark.parametrize(
    "key", ["state_dict", "model", "model_state_dict", "model_state", "net", "module", "my_net"]
)
def test_nested_state_dicts(tmp_path: Path, key: str) -> None:
    found = opened(tmp_path, {"epoch": 3, "optimizer": OPTIMIZER, key: RAW, "loss": 0.5})
    assert list(found.tensors) == list(RAW)
    assert found.metadata == {"epoch": "3", "loss": "0.5"}
    assert f"The weights are those under '{key}'." in found.notes
    assert f"Beside '{key}', 'optimizer' was ignored." in found.notes


@pytest.mark.parametrize("key", ["ema", "model_ema", "state_dict_ema", "ema_state_dict"])
def test_averaged_weights_beside_raw_ones(tmp_path: Path, key: str) -> None:
    both = {key: EMA, "state_dict": RAW}
    for weights, value in (("auto", 1.0), ("raw", 1.0), ("ema", 2.0)):
        found = opened(tmp_path, both, weights=weights)
        assert value_of(found) == value
        taken = "Averaged \\(EMA\\) weights were taken" if value == 2 else "Raw weights were taken"
        assert told(found, taken)
        assert told(found, "--weights (ema|raw)")


def test_averaged_weights_alone(tmp_path: Path) -> None:
    alone = {"ema": {"decay": 0.99, "shadow": EMA}, "optimizer": OPTIMIZER}
    found = opened(tmp_path, alone)
    assert value_of(found) == 2.0
    assert list(found.tensors) == list(EMA)
    assert told(found, "Averaged")
    with pytest.raises(CheckpointError, match=r"averaged \(EMA\) weights only, under 'ema'"):
        opened(tmp_path, alone, weights="raw")


@pytest.mark.parametrize("value", [RAW, {"state_dict": RAW}])
def test_averaged_weights_that_are_not_there(tmp_path: Path, value: object) -> None:
    with pytest.raises(CheckpointError, match=r"no averaged \(EMA\) weights"):
        opened(tmp_path, value, weights="ema")


def test_a_choice_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match="choose one of auto, ema, raw"):
        opened(tmp_path, RAW, weights="best")


def test_averaged_weights_within_a_module(tmp_path: Path) -> None:
    """As latent diffusion saves them: names without dots, and no buffers."""
    both = {
        **tensors("model.net.conv.weight", "model.net.bn.running_mean", "other.weight"),
        **tensors("model_ema.netconvweight", value=2.0),
        "model_ema.decay": torch.tensor(0.9),
    }
    raw = opened(tmp_path, both)
    assert list(raw.tensors) == [
        "model.net.conv.weight",
        "model.net.bn.running_mean",
        "other.weight",
    ]
    assert told(raw, "begin with 'model_ema.'")
    averaged = opened(tmp_path, both, weights="ema")
    assert list(averaged.tensors) == list(raw.tensors)
    assert value_of(averaged, "model.net.conv.weight") == 2.0
    assert value_of(averaged, "other.weight") == 1.0
    assert told(averaged, "for 1 tensor, raw ones for 2")


def test_a_module_that_only_sounds_averaged(tmp_path: Path) -> None:
    names = ["ema.gate.weight", "ema.gate.bias", "fc.weight"]
    assert list(opened(tmp_path, tensors(*names)).tensors) == names


def test_torchs_own_averaged_model(tmp_path: Path) -> None:
    from torch.optim.swa_utils import AveragedModel

    state = AveragedModel(torch.nn.Linear(3, 2)).state_dict()
    for weights in ("auto", "ema"):
        found = opened(tmp_path, state, weights=weights)
        assert sorted(found.tensors) == ["bias", "n_averaged", "weight"]
        assert told(found, "AveragedModel")
    with pytest.raises(CheckpointError, match="AveragedModel"):
        opened(tmp_path, state, weights="raw")


@pytest.mark.parametrize(
    ("prefix", "removed"),
    [
        ("module.", "'module.'"),
        ("_orig_mod.", "'_orig_mod.'"),
        ("_forward_module.", "'_forward_module.'"),
        ("module._orig_mod.", "'_orig_mod.' and 'module.'"),
        ("_orig_mod.module.module.", "'_orig_mod.' and 'module.'"),
    ],
)
def test_prefixes_of_wrappers(tmp_path: Path, prefix: str, removed: str) -> None:
    found = opened(tmp_path, tensors(f"{prefix}a.weight", f"{prefix}b.weight"))
    assert list(found.tensors) == ["a.weight", "b.weight"]
    assert [tensor.name for tensor in found.tensors.values()] == ["a.weight", "b.weight"]
    assert found.notes == (f"Removed from the names: {removed}.",)


@pytest.mark.parametrize(
    "names",
    [
        ("module.a.weight", "b.weight"),
        ("model.a.weight", "model.b.weight"),
        ("net.a.weight", "net.b.weight"),
        ("a._orig_mod.weight", "a.weight"),
        ("encoder.module.weight", "fc.weight"),
    ],
)
def test_names_that_stay(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = opened(tmp_path, tensors(*names))
    assert list(found.tensors) == list(names)
    assert found.notes == ()


def test_parts_of_a_network_that_are_compiled(tmp_path: Path) -> None:
    found = opened(tmp_path, tensors("encoder._orig_mod.weight", "fc.weight"))
    assert list(found.tensors) == ["encoder.weight", "fc.weight"]


@pytest.mark.parametrize("prefix", ["model.", "net.", "model._orig_mod.module."])
def test_lightning(tmp_path: Path, prefix: str) -> None:
    value = {
        "epoch": 2,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": tensors(f"{prefix}a.weight", f"{prefix}b.weight"),
        "optimizer_states": [OPTIMIZER],
        "lr_schedulers": [{"last_epoch": 1}],
        "callbacks": {},
        "loops": {"fit_loop": {"state_dict": {}}},
        "hparams_name": "hparams",
    }
    found = opened(tmp_path, value)
    assert list(found.tensors) == ["a.weight", "b.weight"]
    assert told(found, "'optimizer_states', 'lr_schedulers', 'callbacks' and 'loops' were ignored")
    value["state_dict"] = tensors("model.a.weight", "criterion.weight")
    assert list(opened(tmp_path, value).tensors) == ["model.a.weight", "criterion.weight"]


def test_the_first_of_several_usual_keys_is_taken(tmp_path: Path) -> None:
    found = opened(tmp_path, {"model": EMA, "state_dict": RAW})
    assert value_of(found) == 1.0
    assert told(found, "Beside 'state_dict', 'model' was left out")


def test_several_networks_are_joined(tmp_path: Path) -> None:
    found = opened(tmp_path, {"generator": RAW, "critic": EMA, "optimizer_g": OPTIMIZER})
    assert list(found.tensors) == [
        *("generator.conv.weight", "generator.fc.bias", "critic.conv.weight", "critic.fc.bias"),
    ]
    assert told(found, "'generator' and 'critic' were joined")
    assert told(found, "'optimizer_g' was ignored")


def test_trees_of_parameters(tmp_path: Path) -> None:
    found = opened(tmp_path, {"encoder": {"0": {"w": torch.ones(2)}}, "scale": torch.ones(1)})
    assert list(found.tensors) == ["encoder.0.w", "scale"]


def test_entries_of_a_state_dict_that_are_not_tensors(tmp_path: Path) -> None:
    found = opened(tmp_path, {**RAW, "_extra_state": {"scale": [1.0]}, "version": 3, "list": []})
    assert list(found.tensors) == list(RAW)
    assert told(found, "'_extra_state' and 'list' were ignored")
    assert found.metadata == {"version": "3"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "no tensors of a network"),
        ({"epoch": 3}, "no tensors of a network; its keys are 'epoch'"),
        ({"optimizer": OPTIMIZER}, "no tensors of a network; its keys are 'optimizer'"),
        ([torch.ones(2)], "holds a list"),
        (torch.ones(2), "a single tensor"),
        (3, "holds an int"),
    ],
)
def test_files_without_a_network(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path, value)


def test_names_out_of_the_file_are_escaped(tmp_path: Path) -> None:
    found = opened(tmp_path, {"state_dict": RAW, "\x1b[31mred\n" + "x" * 500: [1]})
    (note,) = [note for note in found.notes if "red" in note]
    assert "\x1b" not in note
    assert "\n" not in note
    assert len(note) < 200
