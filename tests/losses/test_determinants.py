import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from infoflow.errors import SelectionError
from infoflow.losses import EntropyLoss
from infoflow.losses.determinants import half_log_det, log_abs_det, square_part
from infoflow.losses.terms.dense import dense_loss
from infoflow.losses.terms.log_volume import dense_log_volume


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_example_of_the_paper():
    """ENT Example 4: det W_sq = 18."""
    weight = torch.tensor(
        [[2.0, 1.0, 0.0, 3.0, 1.0], [0.0, 3.0, 1.0, 1.0, 2.0], [0.0, 0.0, 3.0, 2.0, 1.0]]
    )
    assert float(log_abs_det(square_part(weight))) == pytest.approx(math.log(18), rel=1e-6)
    assert float(dense_loss(weight)) == pytest.approx(-2.8904, abs=1e-4)


@pytest.mark.parametrize("form", ["log", "inverse", "geometric"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 6), (6, 3), (1, 1)])
def test_gradients_against_finite_differences(form, shape):
    weight = drawn(*shape).requires_grad_()
    assert gradcheck(lambda w: dense_loss(w, form), (weight,))


@pytest.mark.parametrize("form", ["log", "inverse", "geometric"])
def test_gradients_against_the_naive_twin(form):
    ours, naive = (drawn(5, 8).requires_grad_() for _ in range(2))
    dense_loss(ours, form).backward()
    det = torch.linalg.det(naive[:5, :5]).abs()
    {
        "log": lambda: -det.log(),
        "inverse": lambda: 1 / (det + 1e-3),
        "geometric": lambda: 1 / (det ** (1 / 5) + 1e-3),
    }[form]().backward()
    torch.testing.assert_close(ours.grad, naive.grad, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_the_surrogate_never_exceeds_the_exact(rows, columns, seed):
    weight = drawn(rows, columns, seed=seed)
    exact = float(dense_log_volume(weight))
    assert -float(dense_loss(weight)) <= exact + 1e-6
    assert exact == pytest.approx(float(torch.linalg.svdvals(weight).log().sum()), abs=1e-5)


def test_gradcheck_of_the_log_volume():
    assert gradcheck(dense_log_volume, (drawn(3, 5).requires_grad_(),))
    assert gradcheck(lambda w: half_log_det(w).sum(), (drawn(2, 5, 3).requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rank_loss_has_a_finite_value_and_a_gradient_that_mends_it(dtype):
    weight = drawn(40, 40).to(dtype)
    weight[7] = weight[3]
    for function in (log_abs_det, half_log_det):
        leaf = weight.clone().requires_grad_()
        value = function(leaf)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.norm() > 0
    leaf = weight.clone().requires_grad_()
    before = log_abs_det(leaf)
    before.backward()
    stepped = leaf.detach() + 1e-3 * leaf.grad / leaf.grad.norm()
    assert float(log_abs_det(stepped)) > float(before.detach()) + 1


def test_zeros_give_a_finite_value_and_no_gradient():
    leaf = torch.zeros(4, 4, requires_grad=True)
    log_abs_det(leaf).backward()
    half_log_det(leaf).backward()
    assert torch.equal(leaf.grad, torch.zeros(4, 4))


def test_a_layer_of_1024_neither_under_nor_overflows():
    generator = torch.Generator().manual_seed(0)
    weight = (torch.rand(1024, 1024, generator=generator) * 2 - 1) / 32
    for scale in (1.0, 1e-6, 1e6):
        leaf = (weight * scale).requires_grad_()
        value = log_abs_det(leaf)
        value.backward()
        twin = np.linalg.slogdet(leaf.detach().numpy().astype(float))[1]
        assert float(value.detach()) == pytest.approx(twin, rel=1e-6)
        assert torch.isfinite(leaf.grad).all()
        geometric = dense_loss(leaf, "geometric")
        (gradient,) = torch.autograd.grad(geometric, leaf)
        assert torch.isfinite(geometric)
        assert gradient.norm() > 0


@pytest.mark.long
def test_a_layer_of_4096_neither_under_nor_overflows():
    """Measured before: log|det| −4305; log10 of gradient norms 1.6 (geometric), 4.8 (log)."""
    torch.manual_seed(0)
    leaf = nn.Linear(4096, 4096).weight
    for form, expected in (("log", 4.8), ("geometric", 1.6)):
        (gradient,) = torch.autograd.grad(dense_loss(leaf, form), leaf)
        assert math.log10(float(gradient.double().norm())) == pytest.approx(expected, abs=0.8)
    assert -float(dense_loss(leaf.detach())) == pytest.approx(-4305, abs=15)


def test_the_published_form_says_that_it_is_inert():
    model = nn.Sequential(nn.Linear(784, 60), nn.Linear(60, 3))
    with pytest.warns(UserWarning, match="inert for 1 of 2 layers"):
        EntropyLoss(model, "dense=1,form=inverse").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EntropyLoss(model, "dense=1,form=geometric").close()


def test_layers_and_what_applies_to_none():
    model = nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2), nn.Linear(4, 2))
    model[2].weight = nn.Parameter(torch.ones(2, 4))
    with EntropyLoss(model, "dense=1") as entropy:
        names = [weight.name for weight in entropy.terms[0].weights]
    assert names == ["0", "1.in_proj.q", "1.in_proj.k", "1.in_proj.v", "1.out_proj", "2"]
    with pytest.raises(SelectionError, match="applies to no layer"):
        EntropyLoss(model, "conv=1")
    with pytest.raises(SelectionError, match="matches 'layer1'"):
        EntropyLoss(model, "dense=1:layer1")


def test_a_tied_weight_counts_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    with EntropyLoss(model, "dense=1") as entropy:
        assert len(entropy.terms[0].weights) == 1


def test_every_so_many_steps():
    model = nn.Linear(3, 3)
    entropy = EntropyLoss(model, "dense=0.5,every=3")
    totals = []
    for _ in range(6):
        model(torch.ones(2, 3))
        totals.append(float(entropy(torch.zeros(())).detach()))
    once = -0.5 * float(torch.linalg.slogdet(model.weight.detach())[1])
    assert totals == pytest.approx([3 * once, 0, 0, 3 * once, 0, 0], rel=1e-5)
