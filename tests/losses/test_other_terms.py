import math

import pytest
import torch
from torch import distributions, nn
from torch.autograd import gradcheck
from torch.nn import functional

from infoflow.errors import ArchitectureError, CaptureError, EstimateError
from infoflow.kernels import Indicator, kernel_of
from infoflow.losses import EntropyLoss
from infoflow.losses.terms.confidence_penalty import output_entropies
from infoflow.losses.terms.information_bottleneck import information
from infoflow.losses.variational import (
    MeanFieldConv,
    MeanFieldLinear,
    VariationalBottleneck,
    gaussian_entropy,
    gaussian_kl,
)
from tests.losses.networks import batch, mlp, task


def test_output_entropies_and_their_gradient():
    logits = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    twin = distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(output_entropies(logits), twin)
    assert gradcheck(output_entropies, (logits,))
    q = logits.softmax(1)
    (gradient,) = torch.autograd.grad(-output_entropies(logits).sum(), logits)
    h = output_entropies(logits)[:, None]
    torch.testing.assert_close(gradient, q * (q.log() + h))  # not q − 1/K
    assert float(output_entropies(torch.zeros(1, 8))) == pytest.approx(math.log(8), rel=1e-6)
    sure = torch.tensor([[0.0, -torch.inf]], requires_grad=True)
    assert float(output_entropies(sure).detach()) == 0
    assert output_entropies(torch.randn(2, 5, 7)).shape == (2, 5)
    assert output_entropies(torch.randn(2, 5, 7, 3)).shape == (2, 7, 3)


def test_the_penalty_of_a_network():
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, "confidence-penalty=0.3")
    loss = task(model, x, y)
    expected = loss - 0.3 * distributions.Categorical(logits=model(x)).entropy().mean()
    task(model, x, y)
    assert float(entropy(loss).detach()) == pytest.approx(float(expected.detach()))


@pytest.mark.parametrize("estimator", ["quadratic", "cauchy-schwarz", "renyi"])
def test_information_is_differentiable_with_sigma_fixed(estimator):
    torch.manual_seed(0)
    x = kernel_of(torch.randn(9, 3, dtype=torch.float64), 1.0)[0]
    y = Indicator(torch.arange(9) % 3)
    t = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)

    def value(t):
        kernel = kernel_of(t, 1.5)[0]
        return information(x, kernel, estimator) - information(kernel, y, estimator)

    assert gradcheck(value, (t,), atol=1e-4)


def test_closed_form_of_quadratic_information():
    """−½ log2(1 − ρ²/(1 + σ²/4)²) of a Gaussian pair with unit variances."""
    generator = torch.Generator().manual_seed(3)
    x, noise = torch.randn(2, 1500, 1, generator=generator, dtype=torch.float64)
    t = 0.9 * x + math.sqrt(1 - 0.81) * noise
    found = information(kernel_of(x, 0.5)[0], kernel_of(t, 0.5)[0])
    assert float(found) == pytest.approx(-0.5 * math.log2(1 - 0.81 / (1 + 0.25 / 4) ** 2), abs=0.06)


def test_a_bottleneck_trains_and_says_what_it_lacks():
    model, (x, y) = mlp(), batch(60)
    entropy = EntropyLoss(model, "information-bottleneck=1,beta=0:4")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    seen = []
    for _ in range(25):
        optimizer.zero_grad()
        entropy(task(model, x, y) * 0, targets=y).backward()
        optimizer.step()
        seen += entropy.values.values()
    assert seen[-1] < seen[0] - 0.2  # I(X;T) alone is squeezed
    task(model, x, y)
    with pytest.raises(CaptureError, match="targets"):
        entropy(torch.tensor(1.0))
    far = EntropyLoss(model, "information-bottleneck=1,sigma=1e-9")
    with pytest.raises(EstimateError, match="larger sigma"):
        far(task(model, x, y), targets=y)


def test_the_gaussian_kl_and_entropy():
    mean, log_scale = torch.randn(2, 6, dtype=torch.float64)
    q = distributions.Normal(mean, log_scale.exp())
    kl = distributions.kl_divergence(q, distributions.Normal(torch.tensor(0.0), torch.tensor(2.0)))
    torch.testing.assert_close(gaussian_kl(mean, log_scale, 2.0), kl)
    torch.testing.assert_close(gaussian_entropy(log_scale), q.entropy())


def test_the_variational_bottleneck():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), VariationalBottleneck(6, 2), nn.Linear(2, 4))
    x, y = batch()
    x = x.float()
    entropy = EntropyLoss(model, "variational-bottleneck=0.5")
    total = entropy(task(model, x, y))
    total.backward()
    mean, log_scale = model[2].statistics(model[:2](x)).chunk(2, 1)
    expected = gaussian_kl(mean, log_scale).sum(1).mean()
    assert entropy.values["variational-bottleneck=0.5"] == pytest.approx(float(expected.detach()))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_the_evidence_lower_bound():
    torch.manual_seed(0)
    convolution, linear = nn.Conv2d(1, 2, 3, stride=2), nn.Linear(18, 3)
    plain = nn.Sequential(convolution, nn.Flatten(), linear)
    model = nn.Sequential(
        MeanFieldConv(convolution, scale=0.1), nn.Flatten(), MeanFieldLinear(linear, 2.0, 0.2)
    )
    x, y = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    entropy = EntropyLoss(model, "elbo=1,samples=100")
    total = entropy(functional.cross_entropy(model(x), y))
    total.backward()
    kl = sum(
        distributions.kl_divergence(
            distributions.Normal(p.detach(), torch.full_like(p, scale)),
            distributions.Normal(torch.zeros_like(p), torch.full_like(p, prior)),
        ).sum()
        for layer, scale, prior in ((convolution, 0.1, 1.0), (linear, 0.2, 2.0))
        for p in layer.parameters()
    )
    assert entropy.values["elbo=1,samples=100"] == pytest.approx(float(kl) / 100, rel=1e-5)
    count = [sum(p.numel() for p in layer.parameters()) for layer in (convolution, linear)]
    half = 0.5 * math.log(2 * math.pi * math.e)
    expected = count[0] * (half + math.log(0.1)) + count[1] * (half + math.log(0.2))
    told = entropy.details["elbo=1,samples=100"]["posterior entropy"]
    assert told == pytest.approx(expected, rel=1e-5)
    assert model[0].weight_log_scale.grad.norm() > 0
    model.eval()
    torch.testing.assert_close(model(x), plain(x))
    with pytest.raises(ArchitectureError, match="circular"):
        MeanFieldConv(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"))


def test_a_mean_field_network_learns():
    torch.manual_seed(0)
    x = torch.randn(200, 5)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(MeanFieldLinear(nn.Linear(5, 2)))
    entropy = EntropyLoss(model, "elbo=1,samples=200")
    optimizer = torch.optim.Adam(model.parameters(), 5e-2)
    for _ in range(150):
        optimizer.zero_grad()
        entropy(functional.cross_entropy(model(x), y)).backward()
        optimizer.step()
    model.eval()
    assert float((model(x).argmax(1) == y).float().mean()) > 0.95
    assert float(model[0].weight_log_scale.detach().exp().mean()) > 0.01  # it has widened
