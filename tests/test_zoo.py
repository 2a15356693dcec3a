"""The sample networks: they build, run, and are drawn as they say."""

import math

import pytest

torch = pytest.importorskip("torch")

from infoflow.zoo import ZOO, DeepFNN, TransformerEncoderClassifier  # noqa: E402

PARAMETERS = {
    "lenet5": 61_706,
    "vgg-style": 204_794,
    "deep-fnn-torch": 78_500 + 29 * 10_100 + 1_010,
    "deep-fnn-he": 78_500 + 29 * 10_100 + 1_010,
    "transformer-encoder": 105_546,
}


@pytest.mark.parametrize("name", ZOO)
def test_builds_and_runs_one_batch(name):
    entry = ZOO[name]
    torch.manual_seed(1)
    network = entry.factory().eval()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    assert entry.input_shape == (entry.channels, *entry.input_size)
    with torch.no_grad():
        logits = network(torch.randn(3, *entry.input_shape))
        again = network(torch.randn(3, *entry.input_shape))
    assert logits.shape == (3, 10)
    assert torch.isfinite(logits).all()
    assert name == "deep-fnn-torch" or not torch.allclose(logits, again)
    assert entry.title


@pytest.mark.parametrize("name", ZOO)
def test_each_call_draws_a_fresh_network_and_a_seed_repeats_it(name):
    torch.manual_seed(5)
    first, second = ZOO[name].factory(), ZOO[name].factory()
    torch.manual_seed(5)
    repeated = ZOO[name].factory()
    for one, two, three in zip(
        first.parameters(), second.parameters(), repeated.parameters(), strict=True
    ):
        assert one.data_ptr() != two.data_ptr()
        assert torch.equal(one, three)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    matrices = [(a, b) for a, b in pairs if a.ndim in (2, 4)]
    assert matrices
    assert not any(torch.equal(a, b) for a, b in matrices)


@pytest.mark.parametrize("name", [name for name in ZOO if name != "transformer-encoder"])
def test_another_image_size_is_refused(name):
    entry = ZOO[name]
    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied|size"):
        entry.factory().eval()(torch.zeros(1, entry.channels, 40, 40))


def test_the_two_deep_networks_differ_in_their_weights_only():
    drawn = {name: ZOO[f"deep-fnn-{name}"].factory().state_dict() for name in ("torch", "he")}
    shapes = {k: {name: t.shape for name, t in weights.items()} for k, weights in drawn.items()}
    assert shapes["torch"] == shapes["he"]
    assert list(drawn["torch"]) == list(drawn["he"])


@pytest.mark.parametrize(("initialisation", "variance"), [("torch", 1 / 3), ("he", 2.0)])
def test_variance_of_a_weight_is_as_documented(initialisation, variance):
    torch.manual_seed(2)
    network = DeepFNN(initialisation=initialisation)
    weights = torch.cat([layer.weight.detach().flatten() for layer in network.hidden[1:]])
    relative_error = 4 * math.sqrt(2 / len(weights))  # four standard errors for normal weights
    assert float(weights.var()) == pytest.approx(variance / 100, rel=relative_error)
    biases = torch.cat([layer.bias for layer in network.hidden])
    assert bool((biases == 0).all()) == (initialisation == "he")


def test_depth_kills_the_signal_under_one_initialisation_and_not_the_other():
    torch.manual_seed(3)
    images = torch.randn(64, 1, 28, 28)
    spread = {}
    for initialisation in ("torch", "he"):
        signal = images.flatten(1)
        with torch.no_grad():
            for layer in DeepFNN(initialisation=initialisation).hidden:
                signal = torch.relu(layer(signal))
        spread[initialisation] = float(signal.double().var(dim=0, correction=0).mean())
    assert spread["torch"] < 1e-12
    assert spread["he"] > 1e-4


def test_unknown_initialisation():
    with pytest.raises(ValueError, match="'torch' or 'he', not 'glorot'"):
        DeepFNN(initialisation="glorot")


def test_attention_is_packed_and_no_two_encoder_layers_begin_alike():
    network = TransformerEncoderClassifier(width=32, heads=2, depth=2)
    weights = [network.state_dict()[f"encoder.{i}.self_attn.in_proj_weight"] for i in (0, 1)]
    assert weights[0].shape == (96, 32)
    assert not torch.equal(*weights)


def test_the_class_token_sees_every_patch():
    torch.manual_seed(4)
    network = TransformerEncoderClassifier().eval()
    images = torch.randn(1, 1, 28, 28, requires_grad=True)
    network(images)[0, 0].backward()
    patches = images.grad.unfold(2, 4, 4).unfold(3, 4, 4).abs().sum(dim=(-1, -2))
    assert patches.shape == (1, 1, 7, 7)
    assert bool((patches > 0).all())
