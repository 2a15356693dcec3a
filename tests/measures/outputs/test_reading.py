"""How outputs are read against targets: one rule a case, decided over the first samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from infoflow.data.arrays import from_arrays
from infoflow.data.batch import Batch
from infoflow.data.user_function import data_of
from infoflow.errors import DataError
from infoflow.measures.outputs.reading import reading_of
from infoflow.measures.outputs.regression import RegressionStream
from infoflow.measures.outputs.segmentation import confusion_matrix, mean_iou
from infoflow.measures.outputs.stream import OutputStream
from infoflow.models import trial


class Gives(nn.Module):
    """Gives these outputs, whatever it is given."""

    def __init__(self, outputs: torch.Tensor, last: nn.Module) -> None:
        super().__init__()
        self.outputs, self.last = outputs, last

    def forward(self, x, **more):
        return self.last(self.outputs[: len(x)] + 0 * x.sum())


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def read(outputs, x, targets, mask=None, last=None):
    whole = Batch((x,), targets, mask)
    module = Gives(outputs, last or nn.Identity())
    return reading_of(trial(module, data_of("mine", whole, "mine")))


LABELS = torch.tensor([0, 1, 1, 0, 1, 0])
X = normal(6, 3)


def test_floats_that_are_labels() -> None:
    data, reading = read(normal(6, 3), X, LABELS.float())
    assert (data.task, reading.form, data.classes) == ("classification", "logits", ("0", "1", "2"))
    assert data.first(6).targets.tolist() == LABELS.tolist()
    assert "whole numbers from 0 to 1" in reading.notes[0]
    data, reading = read(normal(6, 1), X, LABELS[:, None].float())
    assert (data.task, reading.form, data.classes) == ("classification", "one logit", ("0", "1"))
    with pytest.raises(DataError, match="label 7, and the network has 3 outputs"):
        read(normal(6, 3), X, LABELS.float() * 7)
    with pytest.raises(DataError, match=r"1 number for each sample as targets, .*gives 3"):
        read(normal(6, 3), X, normal(6))


def test_one_hot_and_several_labels() -> None:
    for kind in (torch.float32, torch.int64):
        one_hot = nn.functional.one_hot(LABELS, 2).to(kind)
        data, reading = read(normal(6, 2), X, one_hot)
        assert (data.task, reading.form) == ("classification", "logits")
        assert data.first(6).targets.tolist() == LABELS.tolist()
        assert any("one-hot" in note for note in data.notes)
        several = torch.stack([LABELS, LABELS, 1 - LABELS], 1).to(kind)
        data, reading = read(normal(6, 3), X, several)
        assert (data.task, reading.form) == ("segmentation", "one logit")
        found = reading.log_probabilities(normal(6, 3), data.first(6))
        assert (found[0].shape, found[1].shape) == ((6, 2, 3), (6, 3))


def test_numbers() -> None:
    for shape in ((6,), (6, 1)):
        data, reading = read(normal(*shape), X, X[:, 0])
        assert (data.task, reading.form) == ("regression", "numbers")
        assert "regression" in reading.notes[0]


def test_one_number_is_a_logit_unless_a_sigmoid_gave_it() -> None:
    for shape in ((6,), (6, 1)):
        assert read(normal(*shape), X, LABELS)[1].form == "one logit"
        found = read(normal(*shape), X, LABELS, last=nn.Sigmoid())[1]
        assert found.form == "one probability"
    masks = (normal(6, 4, 5) > 0).long()
    for shape in ((6, 1, 4, 5), (6, 4, 5)):
        data, reading = read(normal(*shape), normal(6, 1, 4, 5), masks)
        assert (reading.form, data.classes) == ("one logit", ("0", "1"))
        log_q, targets = reading.log_probabilities(normal(*shape), data.first(6))
        assert log_q.shape == (6, 2, 4, 5)
        logits = normal(*shape).reshape(6, 4, 5)
        assert torch.allclose(log_q[:, 1], nn.functional.logsigmoid(logits.double()))
        assert torch.equal(targets, masks)
    with pytest.raises(DataError, match="one number tells two classes"):
        read(normal(6), X, torch.arange(6))


def test_a_log_sigmoid_gives_no_probabilities() -> None:
    found = read(-normal(6).abs() - 0.1, X, LABELS, last=nn.LogSigmoid())
    assert found[1].form == "one logit"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_probabilities_are_known_in_every_precision(dtype) -> None:
    q = normal(6, 50).softmax(1).to(dtype)
    data, reading = read(q, X, LABELS)
    assert reading.form == "probabilities"
    log_q, _ = reading.log_probabilities(q, data.first(6))
    assert torch.allclose(log_q.exp().sum(1), torch.ones(6, dtype=torch.float64), atol=1e-12)
    assert read(normal(6, 50).to(dtype), X, LABELS)[1].form == "logits"


def test_tokens() -> None:
    ids = torch.randint(0, 9, (6, 5), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(5) < torch.tensor([5, 4, 3, 5, 5, 2])[:, None]
    outputs = normal(6, 5, 9)
    data, reading = read(outputs, ids, ids, mask)
    assert (data.task, reading.shifted) == ("next-token", True)
    log_p = outputs.double().log_softmax(2)
    pairs = [(n, i) for n in range(6) for i in range(4) if mask[n, i] and mask[n, i + 1]]
    wanted = -sum(float(log_p[n, i, ids[n, i + 1]]) for n, i in pairs)
    assert float(reading.loss(outputs, data.first(6))) == pytest.approx(wanted, rel=1e-5)
    stream = OutputStream()
    stream.add_log_probabilities(*reading.log_probabilities(outputs, data.first(6)))
    assert stream.outputs().perplexity == pytest.approx(math.exp(wanted / len(pairs)))
    longer = torch.cat([ids, ids[:, :1]], 1)
    data, reading = read(outputs, longer[:, :-1], longer[:, 1:])
    assert (data.task, reading.shifted, reading.classes_last) == ("next-token", False, True)
    data, reading = read(outputs, ids, 8 - ids)
    assert (data.task, reading.classes_last) == ("segmentation", True)
    assert "label for each token" in reading.notes[0]
    with pytest.raises(DataError, match="a target for each of its tokens"):
        read(normal(6, 9), ids, ids)


def test_without_targets() -> None:
    assert "need labels" in read(normal(6, 3), X, None)[1].notes[0]
    data, reading = read(normal(6), X, None)
    assert (reading.form, "need targets" in reading.notes[0]) == ("numbers", True)
    assert float(reading.loss(normal(6), data.first(6))) == pytest.approx(float(normal(6).sum()))


def test_labels_outside_the_classes_name_the_sample() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0, 7])
    data, reading = read(normal(6, 3), X, labels)
    last = list(data.batches(2))[-1]
    with pytest.raises(
        DataError, match=r"label 7 \(sample 6 of those drawn\).* 3 outputs \(labels 0 to 2\)"
    ):
        reading.loss(normal(2, 3), last)


def test_regression_stream_against_numpy() -> None:
    outputs, targets = normal(12, 2), normal(12, 2) + 0.3 * normal(24).reshape(2, 12).T
    stream = RegressionStream()
    for start in range(0, 12, 5):
        stream.add(outputs[start : start + 5], targets[start : start + 5])
    found, y, t = stream.result(), outputs.double().numpy(), targets.double().numpy()
    assert found.samples == 12
    assert found.mean_squared_error == pytest.approx(((y - t) ** 2).mean(), rel=1e-12)
    assert found.mean_absolute_error == pytest.approx(np.abs(y - t).mean(), rel=1e-12)
    r2 = 1 - ((y - t) ** 2).sum() / ((t - t.mean(0)) ** 2).sum()
    assert found.explained_variance == pytest.approx(r2, rel=1e-12)
    constant = RegressionStream()
    constant.add(outputs, torch.ones(12, 2))
    assert constant.result().explained_variance is None


def test_mean_iou_against_sets() -> None:
    targets, predictions = (torch.randint(0, 3, (40,)) for _ in range(2))
    found = mean_iou(confusion_matrix(predictions, targets, 5))
    shares = []
    for label in range(3):
        a, b = ({i for i in range(40) if int(t[i]) == label} for t in (targets, predictions))
        shares.append(len(a & b) / len(a | b))
    assert found == pytest.approx(np.mean(shares))
    logits, masks = normal(6, 3, 4), torch.randint(0, 3, (6, 4))
    whole, parts = OutputStream(), OutputStream()
    whole.add(logits, masks)
    for start in (0, 2, 4):
        parts.add(logits[start : start + 2], masks[start : start + 2])
    assert parts.outputs().mean_iou == pytest.approx(whole.outputs().mean_iou)


def test_floats_get_the_dimension_that_the_network_asks_for() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    grey = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
    data, _ = reading_of(trial(network, from_arrays("a", grey, LABELS.numpy())))
    assert data.first(6).x.shape == (6, 1, 8, 8)
    assert any("pictures of one channel" in note for note in data.notes)
    data, _ = reading_of(trial(network, from_arrays("a", grey[..., None], LABELS.numpy())))
    assert data.first(6).x.shape == (6, 1, 8, 8)


def test_what_depends_on_the_batch_is_told() -> None:
    norm = nn.BatchNorm1d(3, track_running_stats=False)
    network = nn.Sequential(norm, nn.Linear(3, 2))
    notes = trial(network, from_arrays("a", X.numpy(), LABELS.numpy())).notes
    assert "0 normalises by the batch" in notes[0]
    assert "depends on the others" in notes[1]
    plain = nn.Sequential(nn.BatchNorm2d(1), nn.InstanceNorm2d(1), nn.Flatten(), nn.Linear(16, 2))
    assert trial(plain, from_arrays("a", normal(6, 1, 4, 4).numpy(), LABELS.numpy())).notes == ()
