"""The loop against a plain one, and the ways in which a run differs or ends."""

from __future__ import annotations

import csv
import errno
import os
import tomllib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

pytest.importorskip("lightning_fabric", reason="needs the extra train")

from infoflow.data import Preprocessing, open_data
from infoflow.errors import InfoflowError, OutputError, TrainingError
from infoflow.training import train
from infoflow.training.reading import changed
from infoflow.training.sampling import Plan
from infoflow.training.settings import Settings
from infoflow.training.strengths import propose
from infoflow.zoo.families import CNN
from tests.training.runs import last_state, settings

PLAIN = (
    "dropout=0.0", "augment=[]", "entropy=[]", "optimizer.name=sgd", "schedule=constant",
    "warmup=0", "run.steps=7",
)  # fmt: skip


def trained(out, *assignments, **options):
    return train(settings(*assignments), out, **options)


def weights(out):
    return load_file(out / "model.safetensors")


def rows(out):
    with (out / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def largest_difference(one, other):
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def test_a_run_is_a_plain_loop(tmp_path):
    result = trained(tmp_path / "run", *PLAIN)
    data = open_data(
        "shapes", split="train", samples=96, preprocessing=Preprocessing(size=(16, 16))
    )
    batch = data.first(96)
    torch.manual_seed(0)
    network = CNN(1, 4, 8, 0.0, (3, 16, 16), 10)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    plan = Plan(96, 20, 0)
    for step in range(7):
        index = torch.from_numpy(plan.indices(step))
        optimizer.zero_grad()
        cross_entropy(network(batch.x[index]), batch.targets[index]).backward()
        optimizer.step()
    for name, value in weights(tmp_path / "run").items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=1e-5, atol=1e-7)
    test = open_data("shapes", samples=40, preprocessing=Preprocessing(size=(16, 16))).first(40)
    network.eval()
    with torch.no_grad():
        loss = cross_entropy(network(test.x), test.targets)
        accuracy = (network(test.x).argmax(1) == test.targets).float().mean()
    assert result.figures == pytest.approx({"loss": float(loss), "accuracy": float(accuracy)})
    last = [row for row in rows(tmp_path / "run") if row["split"] == "test"][-1]
    assert float(last["loss"]) == pytest.approx(float(loss))


def test_accumulated_parts_are_one_batch(tmp_path):
    exact = (*PLAIN, "precision=64-true", "entropy=['conv=0.01:first']")
    trained(tmp_path / "one", *exact)
    trained(tmp_path / "three", *exact, "accumulate=3")  # 20 = 7 + 7 + 6, and 16 = 6 + 5 + 5
    assert largest_difference(tmp_path / "one", tmp_path / "three") < 1e-7
    a, b = (float(rows(tmp_path / run)[0]["loss"]) for run in ("one", "three"))
    assert a == pytest.approx(b, abs=1e-6)


def test_each_term_is_logged_and_alpha_has_no_weight_decay(tmp_path):
    terms = ["batch-entropy=0.2", "conv=0.01:first"]
    trained(tmp_path / "run", f"entropy={terms}", "weight_decay=0.1", "optimizer.name=adamw")
    found = rows(tmp_path / "run")
    header = list(found[0])
    assert header == [
        "step", "epoch", "split", "loss", "accuracy", "total", *terms, "learning_rate",
    ]  # fmt: skip
    training = [row for row in found if row["split"] == "train"]
    assert all(float(row[name]) != 0 for row in training for name in terms)
    for row in training:
        # The total is a mean of products, and the columns are means: equal to some digits only.
        conv = 0.01 * float(row["conv=0.01:first"])
        entropy = 1 + 0.2 * float(row["batch-entropy=0.2"])
        assert float(row["total"]) == pytest.approx(float(row["loss"]) * entropy + conv, rel=0.02)
    groups = last_state(tmp_path / "run")["optimizer"]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    alpha = next(iter(last_state(tmp_path / "run")["entropy"].values()))
    assert len(groups[1]["params"]) == 1
    assert not torch.equal(alpha, torch.full_like(alpha, float(alpha[0])))  # it was learned


def scalars(folder):
    """(tag, step) and value of each record of TensorBoard's files."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for file in sorted(folder.glob("events.*")):
        data, place = file.read_bytes(), 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + length])
            found |= {(one.tag, event.step): one.simple_value for one in event.summary.value}
            place += length + 16
    return found


def test_tensorboard_holds_the_rows(tmp_path):
    trained(tmp_path / "run", *PLAIN)
    shown = scalars(tmp_path / "run" / "tensorboard")
    for row in rows(tmp_path / "run"):
        for name in ("loss", "accuracy"):
            value = shown[f"{row['split']}/{name}", int(row["step"])]
            assert value == pytest.approx(float(row[name]), rel=1e-6)


def test_clipped_gradients_move_no_farther(tmp_path):
    one_step = (*PLAIN, "run.steps=1", "momentum=0.0", "learning_rate=1.0")
    trained(tmp_path / "run", *one_step, "clip=0.01")
    before = load_file(tmp_path / "run" / "checkpoints" / "first.safetensors")
    after = weights(tmp_path / "run")
    moved = sum(float((after[name] - before[name]).square().sum()) for name in after) ** 0.5
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_mixed_precision_differs_and_stays_near(tmp_path):
    trained(tmp_path / "single", *PLAIN)
    trained(tmp_path / "mixed", *PLAIN, "precision=bf16-mixed")
    assert 0 < largest_difference(tmp_path / "single", tmp_path / "mixed") < 0.01


@pytest.mark.long
def test_a_compiled_network_trains_alike(tmp_path):
    trained(tmp_path / "plain", *PLAIN)
    trained(tmp_path / "compiled", *PLAIN, "compile=true")
    assert largest_difference(tmp_path / "plain", tmp_path / "compiled") < 1e-4


def test_a_run_without_progress_stops_early(tmp_path):
    result = trained(tmp_path / "run", *PLAIN, "run.steps=200", "learning_rate=0.0", "patience=2")
    assert result.steps == 18  # tests after 6, 12 and 18 steps
    assert last_state(tmp_path / "run")["position"]["ended"] is True
    again = trained(
        tmp_path / "run", *PLAIN, "run.steps=200", "learning_rate=0.0", "patience=2", resume=True
    )
    assert again.steps == 18


def test_divergence_names_step_and_layer_and_keeps_the_checkpoint(tmp_path):
    out = tmp_path / "run"
    explosive = changed(
        Settings(),
        [
            "network.name=fnn", "depth=3", "width=8", "data.name=shapes", "data.samples=64",
            "validation_samples=20", "optimizer.name=sgd", "learning_rate=1e18", "warmup=40",
            "run.steps=50", "batch_size=16", "checkpoint_every=1", "device=cpu",
        ],
    )  # fmt: skip
    with pytest.raises(TrainingError) as caught:
        train(explosive, out)
    said = str(caught.value)
    assert "not finite" in said
    assert "hidden" in said or "classifier" in said
    assert "The last good checkpoint is that of step" in said
    assert all(torch.isfinite(tensor).all() for tensor in last_state(out)["model"].values())


def test_losses_that_do_nothing_or_too_much_are_told_of_and_nothing_changes(tmp_path):
    told = []
    for name, losses in {"inert": ["conv=1e-12:first"], "much": ["conv=1e6:first"]}.items():
        trained(tmp_path / name, f"entropy={losses}", "run.steps=1", telling=told.append)
    assert any("conv=1e-12:first is inert" in sentence for sentence in told)
    assert any("exceeds the task" in sentence for sentence in told)
    told.clear()
    trained(tmp_path / "fine", "entropy=['conv=1e-4:first']", "run.steps=1", telling=told.append)
    assert not told


def test_a_full_disk_leaves_the_checkpoints_that_were_there(tmp_path, monkeypatch):
    out, calls = tmp_path / "run", []
    whole = trained(tmp_path / "whole", *PLAIN)
    before = os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) == 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        before(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left on device") as caught:
        trained(out, *PLAIN, "checkpoint_every=1")
    assert str(out) in str(caught.value)
    assert not list(out.rglob("*.tmp"))
    assert len(list((out / "checkpoints").glob("step-*"))) == 2
    resumed = trained(out, *PLAIN, "checkpoint_every=1", resume=True)
    assert resumed.figures == whole.figures


def test_checkpoints_of_another_network_are_refused(tmp_path):
    trained(tmp_path / "one", *PLAIN)
    trained(tmp_path / "two", *PLAIN, "network.width=6")
    for file in (tmp_path / "one" / "checkpoints").glob("step*"):
        file.unlink()
    for file in (tmp_path / "two" / "checkpoints").glob("step*"):
        file.rename(tmp_path / "one" / "checkpoints" / file.name)
    with pytest.raises(TrainingError, match="of another network or optimizer"):
        trained(tmp_path / "one", *PLAIN, resume=True)


def test_data_without_splits_hold_their_last_samples_out(tmp_path):
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", images=x, labels=(x[:, 0] > 0).astype(np.int64))
    made = changed(
        Settings(),
        [
            f"data.name=npz:{tmp_path}/data.npz", "network.name=fnn", "depth=1", "width=8",
            "run.steps=60", "learning_rate=0.05", "batch_size=16", "device=cpu",
        ],
    )  # fmt: skip
    told = []
    result = train(made, tmp_path / "run", telling=told.append)
    assert "The last 5 of 50 samples are held out as test." in told
    assert result.figures["accuracy"] >= 0.6
    with pytest.raises(InfoflowError, match="has no split 'test'"):
        train(changed(made, ["validation=test"]), tmp_path / "other")


def test_a_folder_with_a_run_is_never_mixed(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match="holds no run to resume"):
        trained(out, *PLAIN, resume=True)
    trained(out, *PLAIN)
    before = (out / "run.toml").read_bytes()
    with pytest.raises(TrainingError, match="already holds a run: go on with --resume"):
        trained(out, *PLAIN)
    with pytest.raises(TrainingError, match=r"optimizer.learning_rate \(0.01, now 0.5\)"):
        trained(out, *PLAIN, "learning_rate=0.5", resume=True)
    with pytest.raises(TrainingError, match="cannot both be done"):
        trained(out, *PLAIN, resume=True, overwrite=True)
    assert (out / "run.toml").read_bytes() == before
    trained(out, *PLAIN, "run.steps=3", overwrite=True)
    assert rows(out)[-1]["step"] == "3"
    assert len(list((out / "checkpoints").glob("step-*"))) == 1
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    (tmp_path / "begun" / ".infoflow-0a.tmp").write_text("half")
    trained(tmp_path / "begun", *PLAIN, "run.steps=3")
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(InfoflowError, match="other things in it"):
        trained(other, *PLAIN, overwrite=True)
    assert [file.name for file in other.iterdir()] == ["notes.txt"]


def test_a_network_of_the_users(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def fitting(): return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))\n"
        "def narrow(): return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 7))\n"
    )
    common = ["data.name=shapes", "data.samples=96", "validation_samples=20", "run.steps=2"]
    told = []
    fitting = changed(Settings(), [*common, f"network.name={tmp_path}/mine.py:fitting"])
    train(fitting, tmp_path / "fitting", telling=told.append)
    assert any("--arch" in sentence for sentence in told)
    assert tomllib.loads((tmp_path / "fitting" / "run.toml").read_text())["made"]["source"]
    made = [*common, f"network.name={tmp_path}/mine.py:narrow"]
    with pytest.raises(InfoflowError, match="tells 7 classes apart, and the data have 10"):
        train(changed(Settings(), made), tmp_path / "run")


def test_strengths_are_proposed_that_give_a_tenth_of_the_gradient():
    given = ["conv=1:first", "batch-entropy=1"]
    proposals = propose(settings(f"entropy={given}"), 3)
    assert list(proposals) == given
    assert all(0 < value < 1e6 for value in proposals.values())
    doubled = propose(settings("entropy=['conv=2:first']"), 3)
    assert doubled["conv=2:first"] == pytest.approx(proposals["conv=1:first"])
    with pytest.raises(InfoflowError, match="give one"):
        propose(settings("entropy=[]"), 3)


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["entropy=['covn=1']"], "nearest: 'conv'"),
        (["entropy=['conv=1:nothing*']"], "nothing*"),
        (["batch_size=1"], "at least two samples"),
        (["accumulate=30"], "cannot be divided among 30 parts"),
        (["network.name=resnett"], "nearest: 'resnet'"),
        (["blocks=9"], "9 blocks do not fit pictures"),
        (["network.widht=3"], "cnn has no option 'widht'; nearest: 'width'"),
        (["width='a'"], "width of cnn is like 32, not a"),
        (["loss.task=segmentation"], "shapes has the targets of classification"),
        (["network.name=fnn", "depth=2", "entropy=['conv=1']"], "conv"),
        (["validation=96"], "some must be left on both sides"),
        (["data.name=''"], "data.name is empty"),
        (["run.device=cuda"], "no such device"),
        (["network.name=torchvision:resnet999"], "torchvision has no network"),
    ],
)
def test_mistakes_leave_no_run(tmp_path, assignments, said):
    if "run.device=cuda" in assignments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    out = tmp_path / "run"
    small = assignments[0].startswith("network.name")
    made = (
        changed(Settings(), ["data.name=shapes", "data.samples=9", *assignments]) if small else None
    )
    with pytest.raises(InfoflowError) as caught:
        train(made or settings(*assignments), out)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()
