import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck
from torch.nn import functional

from infoflow.errors import EstimateError, SelectionError
from infoflow.losses import EntropyLoss
from infoflow.losses.terms.batch_entropy import layer_loss, unit_entropy
from infoflow.losses.unit_moments import UnitMoments, unit_moments, with_gradient
from infoflow.measures.activations.batch_entropy import batch_entropy
from tests.losses.networks import batch, gradients, mlp, task


def naive(model, x, y, beta=0.2, alpha=0.5, alpha_min=0.2, convention="paper"):
    """The formulas of the paper and of the published code, under autograd."""
    found, hidden = [], x
    for layer in model:
        hidden = layer(hidden)
        found.append(hidden)
    if convention == "paper":  # outputs of the linear layers but the head
        chosen = [h for h, layer in zip(found, model, strict=True) if isinstance(layer, nn.Linear)]
        chosen = chosen[:-1]
        each = [0.5 * (2 * math.pi * math.e * a.var(0, correction=0) + 1).log() for a in chosen]
    else:  # after the ReLU, without the first and the last hidden layer
        relus = [h for h, layer in zip(found, model, strict=True) if isinstance(layer, nn.ReLU)]
        each = [
            0.5 * torch.log(math.pi * math.e * torch.std(a, dim=0) ** 2 + 1) for a in relus[1:-1]
        ]
    layers = [(h.mean() - max(alpha, alpha_min)) ** 2 for h in each]
    cross = functional.cross_entropy(hidden, y)
    return cross + cross * beta * torch.stack(layers).mean()


@pytest.mark.parametrize("convention", ["paper", "code-fnn"])
@pytest.mark.parametrize("inplace", [False, True])
def test_total_and_gradient_are_those_of_the_naive_twin(convention, inplace):
    x, y = batch()
    model, twin = mlp(4, inplace=inplace), mlp(4)
    naive(twin, x, y, convention=convention).backward()
    entropy = EntropyLoss(model, f"batch-entropy=0.2,convention={convention}")
    for _ in range(3):  # the first step copies, later ones do not
        model.zero_grad()
        total = entropy(task(model, x, y))
        total.backward()
        expected = naive(twin, x, y, convention=convention)
        assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
        for ours, theirs in zip(gradients(model), gradients(twin), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_alpha_is_learned_and_bounded():
    x, y = batch()
    model = mlp()
    entropy = EntropyLoss(model, "batch-entropy=0.3,alpha=0.4,alpha-min=0.2")
    groups = entropy.parameter_groups()
    assert groups[0]["weight_decay"] == 0
    (alpha,) = groups[0]["params"]
    assert alpha.shape == (3,)
    total = entropy(task(model, x, y))
    total.backward()
    cross = float(task(model, x, y).detach())
    details = next(iter(entropy.details.values()))
    heights = list(details.values())
    expected = [0.3 * cross * -2 * (h - 0.4) / 3 for h in heights]
    assert alpha.grad.tolist() == pytest.approx(expected, rel=1e-4)
    assert float(layer_loss(torch.tensor(0.5), torch.tensor(-0.1), 0.2)) == pytest.approx(0.09)
    assert set(entropy.state_dict()) == {"terms.0.alpha"}


def test_entropies_are_those_of_the_measure():
    variance, count = torch.rand(50, dtype=torch.float64), torch.tensor(20.0)
    for convention in ("paper", "code-fnn", "code-resnet"):
        ours = unit_entropy(variance, count, convention)
        torch.testing.assert_close(ours, batch_entropy(variance, 20, convention))
    tiny = unit_entropy(torch.tensor([1e-9]), count)
    assert float(tiny) == pytest.approx(math.pi * math.e * 1e-9, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 40), st.integers(1, 30), st.floats(-1e4, 1e4), st.integers(0, 10**6), st.data()
)
def test_moments_of_parts_merge_to_those_of_the_whole(samples, units, offset, seed, data):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(samples, units, generator=generator, dtype=torch.float64) + offset
    cut = data.draw(st.integers(1, samples - 1))
    merged = unit_moments(rows[:cut]).merged(unit_moments(rows[cut:]))
    torch.testing.assert_close(merged.variance, rows.var(0, correction=0), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(unit_moments(rows).mean, rows.mean(0))


def test_the_fused_gradient():
    rows = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)

    def variance(rows):
        return with_gradient(rows, unit_moments(rows))

    assert gradcheck(variance, (rows,))
    weight = torch.rand(7, 5) > 0.4
    weight[:2] = True
    assert gradcheck(lambda r: with_gradient(r, unit_moments(r, weight), 1.0, weight), (rows,))


def test_many_wide_rows_in_float32():
    rows = torch.randn(600, 2000, requires_grad=True)
    found = with_gradient(rows, unit_moments(rows))
    torch.testing.assert_close(found, rows.var(0, correction=0), rtol=1e-4, atol=1e-5)
    (ours,) = torch.autograd.grad(found.log().sum(), rows)
    (twin,) = torch.autograd.grad(rows.var(0, correction=0).log().sum(), rows)
    torch.testing.assert_close(ours, twin, rtol=1e-3, atol=1e-7)


def test_moments_stay_float32_under_autocast():
    model = mlp().float()
    x, y = batch()
    entropy = EntropyLoss(model, "batch-entropy=0.2")
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x.float() + 100)
        total = entropy(functional.cross_entropy(out.float(), y))
    total.backward()
    assert total.dtype == torch.float32
    assert entropy._values["batch-entropy=0.2"].dtype == torch.float32
    assert all(torch.isfinite(g).all() for g in gradients(model))


class Tokens(nn.Module):
    """An encoder over padded sequences."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.inner, self.head = nn.Linear(6, 6), nn.Linear(6, 3)
        self.double()

    def forward(self, x, attention_mask=None):
        padding = None if attention_mask is None else attention_mask == 0
        x = x + self.attention(x, x, x, key_padding_mask=padding)[0]
        return self.head(torch.relu(self.inner(x)).mean(1))


@pytest.mark.parametrize("unit", ["position", "channel"])
def test_padding_is_masked(unit):
    x = torch.randn(12, 5, 6, dtype=torch.float64)
    mask = torch.arange(5)[None] < torch.randint(2, 6, (12, 1))
    y = torch.randint(0, 3, (12,))
    values = []
    for junk in (0.0, 1e3):
        model = Tokens()
        filled = torch.where(mask[..., None], x, junk)
        entropy = EntropyLoss(model, f"batch-entropy=0.2,unit={unit}:attention,inner")
        out = model(filled, attention_mask=mask.long())
        # The head sees the padding; the task loss must not, for the comparison.
        entropy(functional.cross_entropy(out.detach(), y).detach() * 0 + 1).backward()
        values.append(entropy.values)
        grad = model.inner.weight.grad.clone()
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert torch.isfinite(grad).all()


def test_convolutions_by_position_and_by_channel():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(48, 2)
    )
    x, y = torch.randn(6, 2, 8, 8), torch.randint(0, 2, (6,))
    for unit in ("position", "channel"):
        with EntropyLoss(model, f"batch-entropy=1,unit={unit}:0") as entropy:
            entropy(task(model, x, y))
            found = next(iter(entropy.details.values()))["entropy of 0"]
        out = model[0](x).detach()
        variance = out.var((0, 2, 3) if unit == "channel" else 0, correction=0).flatten()
        expected = float(unit_entropy(variance, torch.tensor(6.0)).mean())
        assert found == pytest.approx(expected, rel=1e-5)


def test_residual_blocks_of_the_published_script():
    from torchvision.models.resnet import BasicBlock, ResNet

    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3)
    entropy = EntropyLoss(model, "batch-entropy=0.1,convention=code-resnet")
    assert [place.name for place in entropy.terms[0].places] == [
        f"layer{i}.0" for i in (1, 2, 3, 4)
    ]
    assert entropy.terms[0].alpha.tolist() == pytest.approx([0.4] * 4)
    x, y = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    for _ in range(2):
        entropy(task(model, x, y)).backward()
    assert entropy.values["batch-entropy=0.1,convention=code-resnet"] > 0


def test_one_sample_is_too_few():
    model = mlp()
    entropy = EntropyLoss(model, "batch-entropy=0.2")
    x, y = batch(1)
    with pytest.raises(EstimateError, match="at least two samples"):
        entropy(task(model, x, y))


def test_layers_and_patterns():
    model = mlp(4)
    with pytest.raises(SelectionError, match="matches 'fc'"):
        EntropyLoss(model, "batch-entropy=1:fc")
    with pytest.raises(SelectionError, match="applies to no layer"):
        EntropyLoss(model, "batch-entropy=1,convention=code-resnet")
    with EntropyLoss(model, "batch-entropy=1:[0-4]") as entropy:  # the outputs of 0, 2 and 4
        assert [place.name for place in entropy.terms[0].places] == ["0", "2", "4"]
    with EntropyLoss(model, "batch-entropy=1:1,3") as entropy:  # ReLUs, named outright
        assert [place.name for place in entropy.terms[0].places] == ["1", "3"]
    with EntropyLoss(model, "batch-entropy=1:!2") as entropy:
        assert [place.name for place in entropy.terms[0].places] == ["0", "4", "6"]


def test_accumulation_in_two_passes_is_one_big_batch():
    x, y = batch(25)
    whole, parts = mlp(), mlp()
    specs = ("batch-entropy=0.5", "dense=0.01", "confidence-penalty=0.1")
    one = EntropyLoss(whole, *specs)
    total = one(task(whole, x, y))
    total.backward()
    many = EntropyLoss(parts, *specs)
    cuts = [slice(0, 10), slice(10, 20), slice(20, 25)]
    with many.collecting(), torch.no_grad():
        for cut in cuts:
            many.collect(task(parts, x[cut], y[cut]))
    for cut in cuts:
        loss = many(task(parts, x[cut], y[cut]))
        loss.backward()
    for ours, theirs in zip(gradients(parts), gradients(whole), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-10)
    torch.testing.assert_close(many.terms[0].alpha.grad, one.terms[0].alpha.grad)
    assert many._collected is None


def test_unit_moments_have_no_state():
    moments = UnitMoments(torch.tensor(0.0), torch.zeros(2), torch.zeros(2))
    assert moments.variance.tolist() == [0, 0]
