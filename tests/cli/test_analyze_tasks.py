"""`infoflow analyze --data` for every kind of network and of targets, as a user runs it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.cli.test_analyze import mistake

torch = pytest.importorskip("torch")

NETWORKS = """
import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.head = nn.Linear(8, 11)

    def forward(self, input_ids, attention_mask):
        causal = nn.Transformer.generate_square_subsequent_mask(input_ids.shape[1])
        padding = torch.zeros(attention_mask.shape).masked_fill(~attention_mask.bool(), -torch.inf)
        found = self.encoder(self.embedding(input_ids), causal, padding)
        return {"logits": self.head(found)}


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(6, 5), nn.Linear(9, 3)

    def forward(self, image, condition):
        return self.head(torch.cat([torch.relu(self.first(image)), condition], 1))


def vectors(outputs):
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, outputs))


def regression():
    return vectors(2)


def one_logit():
    return vectors(1)


def three():
    return vectors(3)


def grey():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))


def segmentation():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 11, 1))
"""

DATA = """
import torch

torch.manual_seed(0)
X = torch.randn(24, 6)
LABELS = (X[:, 0] > 0).long()
IDS = torch.randint(1, 11, (24, 5))
MASK = (torch.arange(5) < torch.randint(2, 6, (24, 1))).long()


def tokens():
    labels = IDS.masked_fill(MASK == 0, -100)
    for i in range(0, 24, 8):
        part = slice(i, i + 8)
        yield {"input_ids": IDS[part], "attention_mask": MASK[part], "labels": labels[part]}


def strange():
    ids = IDS.clone()
    ids[2, 3] = 57
    return {"input_ids": ids, "attention_mask": MASK, "labels": ids}


def numbers():
    return X, torch.stack([X[:, 0], X[:, 1] ** 2], 1)


def two_classes():
    return X, LABELS


def floats():
    return X, LABELS.float()


def pairs():
    return X, torch.randn(24, 4), LABELS


def named():
    return {"condition": torch.randn(24, 4), "image": X, "labels": LABELS}


def alone():
    return X


def still():
    return torch.ones(24, 6), LABELS
"""


@pytest.fixture
def report(run, tmp_path):
    """The report of an untrained network on data of a kind."""
    (tmp_path / "networks.py").write_text(NETWORKS)
    (tmp_path / "data.py").write_text(DATA)

    def analyze(network, data, *options):
        namespace = {}
        exec(NETWORKS, namespace)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(namespace[network]().state_dict(), tmp_path / "net.pt")
        given = data if ":" in data else f"data.py:{data}"
        result = run(
            "analyze", "net.pt", "--arch", f"networks.py:{network}", "--data", given,
            "--measures", "paper", "--reference", "none", "--json", "-", *options,
        )  # fmt: skip
        if result.returncode:
            return result
        found = json.loads(result.stdout)
        rows = {(r["layer"], r["measure"], r["statistic"]): r for r in found["measurements"]}
        found["rows"] = {key: row["value"] for key, row in rows.items()}
        found["notes"] = " ".join(found["data"]["notes"])
        return found

    return analyze


def test_a_language_model(report):
    found = report("LanguageModel", "tokens")
    assert found["data"]["task"] == "next-token"
    nll = found["rows"]["", "negative-log-likelihood", "value"]
    perplexity = found["rows"]["", "perplexity", "value"]
    assert perplexity == pytest.approx(math.exp(nll))
    assert 5 < perplexity < 40
    names = {site["name"] for site in found["sites"]}
    inner = {"norm1", "linear1", "linear2"}  # the layer itself speaks for its norm2
    assert {f"encoder.layers.0.{name}" for name in inner} <= names
    mistake(report("LanguageModel", "strange"), "embedding", "ids 0 to 10", "57", "row 3")


def test_numbers_to_be_foretold(report):
    found = report("regression", "numbers")
    assert found["data"]["task"] == "regression"
    assert "read as numbers" in found["notes"]
    rows = found["rows"]
    assert rows["", "mean-squared-error", "value"] > 0
    assert rows["", "mean-absolute-error", "value"] > 0
    assert rows["", "explained-variance", "value"] < 1
    assert ("0", "mutual-information.label", "value") in rows


def test_one_number_for_two_classes(report):
    for data in ("two_classes", "floats"):
        found = report("one_logit", data)
        assert found["data"]["classes"] == ["0", "1"]
        assert "the logit of class 1" in found["notes"]
        assert 0 <= found["rows"]["", "accuracy", "value"] <= 1
        assert found["rows"]["", "predictive-entropy", "ceiling"] == pytest.approx(math.log(2))


def test_float_labels_are_told(report):
    found = report("three", "floats", "--precision", "float64")
    assert "read as labels" in found["notes"]
    assert ("", "accuracy", "value") in found["rows"]


def test_masks(report):
    found = report("segmentation", "shapes:masks", "--samples", 8, "--input-size", 8)
    assert found["data"]["task"] == "segmentation"
    assert 0 < found["rows"]["", "mean-iou", "value"] < 1
    assert 0 <= found["rows"]["", "accuracy", "value"] <= 1


@pytest.mark.parametrize("data", ["pairs", "named"])
def test_two_inputs(report, data):
    found = report("Two", data)
    assert ("", "accuracy", "value") in found["rows"]
    assert found["data"]["x"].startswith("input 1" if data == "pairs" else "image")


def test_no_labels(report):
    found = report("three", "alone")
    assert ("", "accuracy", "value") not in found["rows"]
    assert ("", "predictive-entropy", "value") in found["rows"]
    assert "need labels" in found["notes"]


def test_constant_data_are_told(report):
    mistake(report("three", "still"), "all 24 samples are the same")


def test_grey_floats(report, tmp_path):
    images = np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "grey.npz", images=images, labels=np.zeros(24, int))
    found = report("grey", "npz:grey.npz")
    assert "pictures of one channel" in found["notes"]
    assert "of one class" in found["notes"]
    assert ("", "accuracy", "value") in found["rows"]
    np.savez(tmp_path / "grey.npz", images=images, labels=np.arange(24) % 4)
    mistake(report("grey", "npz:grey.npz"), "label 3 (sample 4 of those drawn)", "labels 0 to 2")
    mistake(report("grey", "npz:grey.npz", "--device", "gpu"), "cpu, cuda, cuda:1 or mps")


def test_an_ensemble_of_segmentation_networks(run, tmp_path):
    (tmp_path / "networks.py").write_text(NETWORKS)
    namespace = {}
    exec(NETWORKS, namespace)
    for seed in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            torch.save(namespace["segmentation"]().state_dict(), tmp_path / f"{seed}.pt")
    result = run(
        "analyze", "0.pt", "1.pt", "--ensemble", "--arch", "networks.py:segmentation",
        "--data", "shapes:masks", "--samples", 8, "--input-size", 8, "--measures", "paper",
        "--reference", "none", "--out", "out",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "out" / "ensemble" / "report.json").read_text("utf-8"))
    rows = {(r["layer"], r["measure"], r["statistic"]): r["value"] for r in found["measurements"]}
    total = rows["", "predictive-entropy", "value"]
    parts = rows["", "expected-entropy", "value"] + rows["", "disagreement", "value"]
    assert total == pytest.approx(parts)


def test_a_set_of_hugging_face(report, tmp_path):
    datasets = pytest.importorskip("datasets")
    generator = np.random.default_rng(0)
    rows = {
        "values": generator.standard_normal((24, 6)).astype(np.float32).tolist(),
        "label": (np.arange(24) % 3).tolist(),
    }
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "set"))
    found = report("three", "hf:set")
    assert ("", "accuracy", "value") in found["rows"]
