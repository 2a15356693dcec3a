"""Entropies, likelihoods, calibration, divergences and ensembles against naive twins and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from infoflow.data.batch import IGNORED  # noqa: E402
from infoflow.errors import DataError  # noqa: E402
from infoflow.measures.outputs.calibration import reliability  # noqa: E402
from infoflow.measures.outputs.divergence import kl_divergence  # noqa: E402
from infoflow.measures.outputs.ensembles import ensemble  # noqa: E402
from infoflow.measures.outputs.logits import (  # noqa: E402
    are_probabilities,
    check_labels,
    log_probabilities,
    logits_of,
    next_token,
)
from infoflow.measures.outputs.predictive import (  # noqa: E402
    confidence,
    correct,
    in_bits,
    mean_by_class,
    negative_log_likelihood,
    perplexity,
    predictive_entropy,
)
from infoflow.measures.outputs.regression import (  # noqa: E402
    explained_variance,
    mean_squared_error,
)
from infoflow.measures.outputs.stream import OutputStream  # noqa: E402
from infoflow.statistics.proportion import proportion  # noqa: E402

SEEDS = st.integers(0, 2**16)


def drawn(seed: int, *shape: int, scale: float = 3.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator)


def naive_softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def naive_entropy(q):
    return -sum(p * math.log(p) for p in q if p > 0)


@given(SEEDS, st.integers(1, 6), st.integers(2, 7), st.sampled_from([0.1, 3.0, 100.0]))
@settings(max_examples=40, deadline=None)
def test_naive_twins(seed, n, classes, scale):
    logits = drawn(seed, n, classes, scale=scale)
    targets = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))
    log_q = log_probabilities(logits)
    assert log_q.dtype == torch.float64
    rows = [naive_softmax([float(value) for value in row]) for row in logits.double()]
    for i, q in enumerate(rows):
        assert float(predictive_entropy(log_q)[i]) == pytest.approx(naive_entropy(q), abs=1e-9)
        assert float(confidence(log_q)[i]) == pytest.approx(max(q), abs=1e-12)
        assert bool(correct(log_q, targets)[i]) == (q.index(max(q)) == int(targets[i]))
        if q[int(targets[i])] > 1e-300:
            nll = float(negative_log_likelihood(log_q, targets)[i])
            assert nll == pytest.approx(-math.log(q[int(targets[i])]), abs=1e-6)


def test_closed_forms_of_entropy():
    uniform = log_probabilities(torch.zeros(1, 8))
    assert float(predictive_entropy(uniform)) == pytest.approx(math.log(8), abs=1e-12)
    assert float(in_bits(predictive_entropy(uniform))) == pytest.approx(3, abs=1e-12)
    certain = log_probabilities(torch.tensor([[0.0, -math.inf]]))
    assert float(predictive_entropy(certain)) == 0.0
    assert float(negative_log_likelihood(certain, torch.tensor([1]))) == math.inf


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_entropy_lies_between_zero_and_that_of_all_classes(seed):
    entropy = predictive_entropy(log_probabilities(drawn(seed, 20, 5, scale=20.0)))
    assert float(entropy.min()) >= 0
    assert float(entropy.max()) <= math.log(5) + 1e-12


def test_gradient_of_the_entropy_is_the_one_of_the_confidence_penalty():
    """∂H/∂logit_i = −q_i (ln q_i + H)."""
    logits = drawn(1, 4, 5).double().requires_grad_()
    log_q = log_probabilities(logits)
    entropy = predictive_entropy(log_q)
    entropy.sum().backward()
    expected = -log_q.exp() * (log_q + entropy[:, None])
    assert torch.allclose(logits.grad, expected, atol=1e-12)


def test_a_class_without_probability_has_a_gradient():
    logits = torch.tensor([[0.0, 1.0, -math.inf]], dtype=torch.float64, requires_grad=True)
    predictive_entropy(log_probabilities(logits)).sum().backward()
    assert torch.isfinite(logits.grad[0, :2]).all()


def test_probabilities_are_not_taken_for_logits():
    q = drawn(2, 6, 4).softmax(dim=1)
    assert are_probabilities(q)
    assert not are_probabilities(drawn(2, 6, 4))
    assert torch.allclose(log_probabilities(q, "probabilities").exp(), q.double(), atol=1e-6)
    assert torch.allclose(log_probabilities(q.log()).exp(), q.double(), atol=1e-6)


def test_one_logit_is_a_sigmoid_of_the_second_class():
    q = log_probabilities(torch.tensor([2.0, -1.0]), "one logit").exp()
    assert q[:, 1].tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))])


def test_positions_lie_behind_the_classes():
    logits = drawn(3, 2, 4, 3, 5)
    log_q = log_probabilities(logits)
    entropy = predictive_entropy(log_q)
    assert entropy.shape == (2, 3, 5)
    one = predictive_entropy(log_probabilities(logits[1:, :, 2, 4]))
    assert float(entropy[1, 2, 4]) == pytest.approx(float(one), abs=1e-12)


def test_ignored_positions_do_not_count():
    log_q = log_probabilities(drawn(4, 3, 4))
    targets = torch.tensor([0, IGNORED, 2])
    nll = negative_log_likelihood(log_q, targets)
    assert float(nll[1]) == 0.0
    expected = math.exp((float(nll[0]) + float(nll[2])) / 2)
    assert float(perplexity(nll, targets)) == pytest.approx(expected, rel=1e-12)
    means, number = mean_by_class(nll, targets, 4)
    assert number.tolist() == [1, 0, 1, 0]
    assert float(means[2]) == float(nll[2])
    assert math.isnan(float(means[1]))


def test_a_language_model_foretells_the_next_token():
    tokens = torch.tensor([[1, 2, 0], [2, 1, 1]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    logits = drawn(5, 2, 3, 4)
    shifted, following = next_token(logits, tokens, mask)
    assert shifted.shape == (2, 4, 2)
    assert following.tolist() == [[2, IGNORED], [1, 1]]
    nll = negative_log_likelihood(log_probabilities(shifted), following)
    expected = -float(logits[0, 0].double().log_softmax(dim=0)[2])
    assert float(nll[0, 0]) == pytest.approx(expected, abs=1e-12)
    uniform, following = next_token(torch.zeros(2, 3, 4), tokens, mask)
    nll = negative_log_likelihood(log_probabilities(uniform), following)
    assert float(perplexity(nll, following)) == pytest.approx(4, rel=1e-12)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_divergence(seed):
    log_p, log_q = (log_probabilities(drawn(seed + i, 5, 4)) for i in range(2))
    there, back = kl_divergence(log_p, log_q), kl_divergence(log_q, log_p)
    for i in range(5):
        p, q = log_p[i].exp().tolist(), log_q[i].exp().tolist()
        naive = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        assert float(there[i]) == pytest.approx(naive, abs=1e-9)
    assert float(there.min()) >= 0
    assert not torch.allclose(there, back)
    assert torch.equal(kl_divergence(log_p, log_p), torch.zeros(5, dtype=torch.float64))


def test_divergence_without_probability():
    sure, unsure = torch.tensor([[0.0, -math.inf]]), torch.log(torch.tensor([[0.5, 0.5]]))
    assert float(kl_divergence(sure, unsure)) == pytest.approx(math.log(2))
    assert float(kl_divergence(unsure, sure)) == math.inf


@given(SEEDS, st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_an_ensemble_is_never_surer_than_its_members(seed, members):
    logs = [log_probabilities(drawn(seed + i, 6, 5, scale=5.0)) for i in range(members)]
    found = ensemble(logs)
    assert float(found.disagreement.min()) >= -1e-12
    assert torch.allclose(found.total, found.expected + found.disagreement, atol=1e-12)
    mean = torch.stack([log.exp() for log in logs]).mean(dim=0)
    assert torch.allclose(found.log_q.exp(), mean, atol=1e-12)
    naive = torch.stack([kl_divergence(log, found.log_q) for log in logs]).mean(dim=0)
    assert torch.allclose(found.disagreement, naive, atol=1e-9)


def test_equal_members_do_not_disagree_and_opposite_ones_do_by_a_bit():
    same = [log_probabilities(drawn(7, 3, 4))] * 3
    assert float(ensemble(same).disagreement.abs().max()) < 1e-12
    ends = [torch.tensor([[0.0, -math.inf]]), torch.tensor([[-math.inf, 0.0]])]
    found = ensemble([end.double() for end in ends])
    assert float(in_bits(found.disagreement)) == pytest.approx(1, abs=1e-12)
    assert float(found.expected) == 0.0


def test_reliability_against_a_loop():
    random = np.random.default_rng(0)
    sure = torch.from_numpy(random.uniform(0.1, 1, 500))
    sure[:3] = torch.tensor([1.0, 0.2, 1 / 15])
    hits = torch.from_numpy(random.uniform(size=500)) < sure**2
    found = reliability(sure, hits, bins=15)
    error, greatest = 0.0, 0.0
    for b in range(15):
        inside = [i for i in range(500) if b / 15 < float(sure[i]) <= (b + 1) / 15]
        assert int(found.counts[b]) == len(inside)
        if inside:
            gap = np.mean([bool(hits[i]) for i in inside]) - np.mean(
                [float(sure[i]) for i in inside]
            )
            error += len(inside) / 500 * abs(gap)
            greatest = max(greatest, abs(gap))
            assert float(found.gaps[b]) == pytest.approx(gap, abs=1e-12)
    assert found.calibration_error == pytest.approx(error, abs=1e-12)
    assert found.greatest_error == pytest.approx(greatest, abs=1e-12)
    halves = reliability(sure[:200], hits[:200]) + reliability(sure[200:], hits[200:])
    assert torch.equal(halves.counts, found.counts)
    assert halves.calibration_error == pytest.approx(found.calibration_error, abs=1e-12)
    assert found.edges[-1] == 1
    assert len(found.edges) == 16


def test_a_calibrated_network_has_no_error():
    sure = torch.full((1000,), 0.75, dtype=torch.float64)
    hits = torch.arange(1000) % 4 != 0
    assert reliability(sure, hits).calibration_error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("total", [1, 10, 60])
def test_wilson_solves_its_equation(total):
    """At each end p of the interval the share lies z standard errors of p away."""
    for count in range(total + 1):
        found = proportion(count, total)
        assert 0 <= found.low <= found.value <= found.high <= 1
        for end in (found.low, found.high):
            if 0 < end < 1:
                distance = abs(found.value - end) / math.sqrt(end * (1 - end) / total)
                assert distance == pytest.approx(1.959964, abs=1e-5)


def test_regression():
    targets = torch.tensor([1.0, 2.0, 3.0])
    outputs = torch.tensor([[1.0], [2.0], [5.0]])
    assert mean_squared_error(outputs, targets).tolist() == [0, 0, 4]
    assert float(explained_variance(outputs, targets)) == pytest.approx(1 - 4 / 2)
    assert float(explained_variance(targets[:, None], targets)) == 1


class Named:
    def __init__(self, **entries):
        self.__dict__ |= entries


def test_logits_of_what_networks_return():
    x = torch.ones(2, 3)
    outputs = (x, {"out": x, "aux": x + 1}, (x, x + 1), {"y": x}, Named(loss=None, logits=x))
    for output in (*outputs, {"a": x, "b": x + 1}):
        assert logits_of(output) is x
    for output in (None, 3, (), {"a": 1}, x.long()):
        with pytest.raises(DataError, match="nothing can be said of its outputs"):
            logits_of(output)


def test_labels_outside_the_classes():
    check_labels(torch.tensor([0, 9, IGNORED]), (3,), 10)
    for label in (10, -1):
        words = rf"label {label} \(sample 6 of those drawn\), and the network has 10 outputs"
        with pytest.raises(DataError, match=words):
            check_labels(torch.tensor([0, label]), (2,), 10, start=4)
    with pytest.raises(DataError, match=r"each of 2×5×5 positions .*labels for 2."):
        check_labels(torch.tensor([0, 0]), (2, 5, 5), 10)


def test_networks_that_are_no_ensemble():
    with pytest.raises(DataError, match=r"different outputs .2×3 and 2×4. cannot"):
        ensemble([torch.zeros(2, 3), torch.zeros(2, 4)])


@given(SEEDS, st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_the_stream_does_not_depend_on_the_batch_size(seed, size):
    logits = drawn(seed, 12, 4, 3)
    targets = torch.randint(4, (12, 3), generator=torch.Generator().manual_seed(seed))
    targets[3] = IGNORED
    targets[5, 1] = IGNORED
    streams = []
    for step in (12, size):
        stream = OutputStream()
        for start in range(0, 12, step):
            stream.add(logits[start : start + step], targets[start : start + step])
        streams.append(stream.outputs())
    whole, parts = streams
    assert whole.positions == parts.positions == 32
    assert whole.accuracy == parts.accuracy
    assert parts.mean_nll == pytest.approx(whole.mean_nll, abs=1e-12)
    for name in ("entropy", "nll", "correct", "confidence"):
        one, other = getattr(whole, name), getattr(parts, name)
        assert torch.allclose(one, other, equal_nan=True, rtol=0, atol=1e-12)
    assert math.isnan(float(whole.entropy[3]))
    log_q = log_probabilities(logits)
    counted = targets != IGNORED
    assert whole.accuracy.count == int((correct(log_q, targets) & counted).sum())
    assert whole.perplexity == pytest.approx(
        float(perplexity(negative_log_likelihood(log_q, targets), targets)), rel=1e-12
    )
    means, number = mean_by_class(predictive_entropy(log_q), targets, 4)
    for found in (whole, parts):
        assert torch.equal(found.by_class.count, number)
        assert torch.allclose(found.by_class.mean_entropy, means, atol=1e-12, equal_nan=True)
        assert int(found.by_class.correct.sum()) == found.accuracy.count
    assert whole.most_uncertain(3) == parts.most_uncertain(3)
    assert 3 not in whole.most_uncertain(11)


def test_the_stream_of_labels_and_of_none():
    logits = torch.tensor([[3.0, 0.0], [0.0, 0.1], [2.0, 0.0]])
    stream = OutputStream()
    stream.add(logits, torch.tensor([0, 0, 1]))
    found = stream.outputs()
    assert found.predictions.tolist() == [0, 1, 0]
    assert found.labels.tolist() == [0, 0, 1]
    assert (found.accuracy.count, found.accuracy.total) == (1, 3)
    assert found.most_uncertain(1) == [1]
    assert found.reliability.calibration_error > 0.3
    stream = OutputStream()
    stream.add(logits)
    found = stream.outputs()
    assert found.accuracy is found.nll is found.mean_nll is found.perplexity is None
    assert found.entropy.shape == (3,)


def test_the_stream_refuses_labels_that_the_network_cannot_give():
    with pytest.raises(
        DataError, match=r"label 2 \(sample 3 of those drawn\), and the network has 2 outputs"
    ):
        OutputStream().add(torch.zeros(3, 2), torch.tensor([0, 1, 2]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_values():
    logits, targets = drawn(8, 30, 10), torch.arange(30) % 10
    here, there = OutputStream(), OutputStream()
    here.add(logits, targets)
    there.add(logits.cuda(), targets.cuda())
    one, other = here.outputs(), there.outputs()
    assert other.mean_nll == pytest.approx(one.mean_nll, abs=1e-9)
    assert torch.allclose(one.entropy, other.entropy, atol=1e-9)
    assert one.accuracy == other.accuracy


def test_half_precision_is_measured_in_double():
    logits = drawn(9, 50, 10).half()
    assert torch.equal(log_probabilities(logits), log_probabilities(logits.float()))
