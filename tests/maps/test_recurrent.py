"""Gates of torch's own recurrent networks, taken apart as torch stacks them."""

from __future__ import annotations

import numpy as np
import pytest

import infoflow
from infoflow.report import Status
from tests.cases import gaussian
from tests.maps.reading import layers, records, refusal

LSTM = ("input", "forget", "cell", "output")
GRU = ("reset", "update", "new")


def state(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("reverse", ["", "_reverse"])
def test_the_gates_of_a_real_lstm_with_projections(reverse):
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(5, 7, num_layers=2, bidirectional=True, proj_size=3)
    arrays = state(module)
    found = layers(arrays)
    for layer in (0, 1):
        for role in ("ih", "hh"):
            stacked = [found[f"{role}_l{layer}{reverse}.{gate}"].weight for gate in LSTM]
            weight = arrays[f"weight_{role}_l{layer}{reverse}"]
            np.testing.assert_array_equal(np.concatenate(stacked), weight)
        projection = found[f"hr_l{layer}{reverse}"].weight
        np.testing.assert_array_equal(projection, arrays[f"weight_hr_l{layer}{reverse}"])
    assert len(found) == 2 * 2 * 9


def test_the_gates_are_torchs_own_by_the_step_that_they_compute():
    torch = pytest.importorskip("torch")
    cell = torch.nn.LSTMCell(4, 6)
    found = layers({f"c.{name}": value for name, value in state(cell).items()})
    x, h, c = torch.randn(1, 4), torch.randn(1, 6), torch.randn(1, 6)
    new_h, new_c = (value.detach().numpy() for value in cell(x, (h, c)))
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy().reshape(4, 6)

    def gate(index):
        name = LSTM[index]
        into = found[f"c.ih.{name}"].weight @ x[0].numpy()
        return into + found[f"c.hh.{name}"].weight @ h[0].numpy() + bias[index]

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    carried = sigmoid(gate(1)) * c[0].numpy() + sigmoid(gate(0)) * np.tanh(gate(2))
    np.testing.assert_allclose(carried, new_c[0], atol=1e-6)
    np.testing.assert_allclose(sigmoid(gate(3)) * np.tanh(carried), new_h[0], atol=1e-6)


def test_a_gru_has_three_gates_and_a_plain_network_none():
    torch = pytest.importorskip("torch")
    gru, rnn = torch.nn.GRUCell(3, 4), torch.nn.RNN(3, 4)
    found = layers({f"g.{n}": v for n, v in state(gru).items()})
    assert list(found) == [f"g.{role}.{gate}" for role in ("ih", "hh") for gate in GRU]
    assert list(layers(state(rnn))) == ["ih_l0", "hh_l0"]


def test_biases_are_biases_and_every_tensor_has_its_record():
    torch = pytest.importorskip("torch")
    found = records(state(torch.nn.LSTM(5, 7)))
    assert {n: r.status for n, r in found.items() if "bias" in n} == dict.fromkeys(
        ("bias_ih_l0", "bias_hh_l0"), Status.NOT_LINEAR
    )
    assert found["weight_ih_l0"].status is Status.ANALYSED


def test_shapes_that_are_no_gates_are_refused():
    wrong = {"r.weight_ih_l0": gaussian(10, 3), "r.weight_hh_l0": gaussian(10, 4)}
    assert "10 rows for a hidden size of 4" in refusal(wrong)
    assert "without its hidden one" in refusal({"r.weight_ih_l0": gaussian(8, 3)})


def test_a_pruned_lstm_has_gates_of_its_pruned_weight():
    weight, mask = gaussian(8, 2), (gaussian(8, 2, seed=1) > 0).astype(np.float32)
    arrays = {
        "r.weight_hh_l0_orig": weight,
        "r.weight_hh_l0_mask": mask,
        "r.weight_ih_l0": gaussian(8, 3),
    }
    found = layers(arrays)
    np.testing.assert_array_equal(found["r.hh_l0.cell"].weight, (weight * mask)[4:6])
    assert len(found) == 8


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_fresh_deep_recurrent_networks_raise_no_alarm(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(32, 32, num_layers=8)
    report = infoflow.analyze(module, complete=False)
    assert not report.findings
    assert report.coverage.accounted == 1.0
