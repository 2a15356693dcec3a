"""Activations and error signals against naive twins; nothing is different afterwards."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from infoflow.capture import capture
from infoflow.capture.batches import Batch, named
from infoflow.capture.nesting import main_output
from infoflow.capture.site import Site
from infoflow.errors import CaptureError
from infoflow.zoo import LeNet5
from tests.networks import (
    CASES,
    Case,
    Outputs,
    Reused,
    Tokens,
    Unwatched,
    images,
    token_ids,
)
from tests.patching import copies, run_with

WITHOUT_ERROR = {
    "in place": {"norm.elu"},  # in place on a view that is not used further
    "outputs": {"lstm.1.0", "lstm.1.1", "other"},  # the loss does not depend on them
}


def loss_of(output) -> torch.Tensor:
    """Some loss that sums over samples and is not flat anywhere."""
    found = main_output(output)
    weights = torch.linspace(-1.0, 1.3, found[0].numel(), dtype=found.dtype).reshape(found[0].shape)
    return (torch.sin(found) * weights).sum()


def captured(module: nn.Module, batch: Batch):
    with capture(module, errors=True) as recorder:
        errors = recorder.errors(loss_of(recorder.run(batch)))
    return recorder.activations, errors


def by_name(values: dict[Site, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {site.name: tensor for site, tensor in values.items()}


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_activations_are_those_copied_at_once(case: Case, errors: bool) -> None:
    module = case.module()
    with capture(module, errors=errors) as recorder:
        recorder.run(case.batch())
    found, wanted = by_name(recorder.activations), copies(module, case.batch())
    assert list(found) == list(wanted)
    for name, tensor in found.items():
        assert torch.equal(tensor, wanted[name]), name
        assert not tensor.requires_grad


def in_double(batch: Batch) -> Batch:
    def changed(tensor):
        return tensor.double() if tensor.is_floating_point() else tensor

    if isinstance(batch.inputs, dict):
        return Batch({name: changed(tensor) for name, tensor in batch.inputs.items()})
    return Batch(tuple(changed(tensor) for tensor in batch.inputs))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_errors_are_derivatives_by_differences(case: Case) -> None:
    """Along a direction v at a site: (loss(t + εv) − loss(t − εv)) / 2ε = ⟨δ, v⟩."""
    module, batch = case.module().double(), in_double(case.batch())
    activations, errors = captured(module, batch)
    missing = {site.name for site in activations} - {site.name for site in errors}
    assert missing == WITHOUT_ERROR.get(case.name, set())
    random_numbers = torch.Generator().manual_seed(5)
    for site, error in errors.items():
        if site.role in {"recurrent", "attention"}:
            continue  # their outputs are tuples, of which nothing can be replaced
        assert error.shape == activations[site].shape
        direction = torch.randn(error.shape, dtype=torch.float64, generator=random_numbers)
        losses = []
        for step in (1e-8, -1e-8):  # few of the kinks of ReLU lie so near

            def shift(seen, tensor, step=step, site=site, direction=direction):
                return tensor + step * direction if seen == site else None

            losses.append(loss_of(run_with(module, batch.inputs, shift)).item())
        slope = (losses[0] - losses[1]) / 2e-8
        assert math.isclose(slope, (error * direction).sum().item(), rel_tol=1e-4, abs_tol=1e-5)


def test_sites_of_lenet_and_their_roles() -> None:
    with capture(LeNet5()) as recorder:
        recorder.run(Batch(images(2, 1, 28, 28)))
    assert [(site.name, site.role) for site in recorder.sites] == [
        ("conv1", "linear map"),
        ("conv1.relu", "nonlinearity"),
        ("pool", "pooling"),
        ("conv2", "linear map"),
        ("conv2.relu", "nonlinearity"),
        ("pool#2", "pooling"),
        ("fc1", "linear map"),
        ("fc1.relu", "nonlinearity"),
        ("fc2", "linear map"),
        ("fc2.relu", "nonlinearity"),
        ("fc3", "linear map"),
    ]


def test_elements_of_outputs_have_names() -> None:
    with capture(Outputs(), errors=True) as recorder:
        output = recorder.run(Batch(images(4, 5, 4)))
        errors = recorder.errors(loss_of(output))
    names = [site.name for site in recorder.sites]
    assert names == ["lstm.0", "lstm.1.0", "lstm.1.1", "other", "head"]
    assert "other" not in by_name(errors)


def test_names_are_unique() -> None:
    class Pair(nn.Module):
        def forward(self, x):
            return x + 1, x * 2

    class Take(nn.Module):
        def forward(self, pair):
            return torch.relu(pair[0] - pair[1])

    network = nn.Sequential(nn.Sequential(nn.Linear(6, 6), Pair()), Take())
    with capture(network) as recorder:
        recorder.run(Batch(images(4, 6)))
    names = [site.name for site in recorder.sites]
    assert names == ["0.0", "0.1.0", "0.1.1", "1"]

    class Twice(nn.Sequential):
        def forward(self, x):
            return self[0](x), self[1](x) + 1

    with capture(Twice(nn.Linear(6, 6), nn.Linear(6, 6))) as recorder:
        recorder.run(Batch(images(4, 6)))
    assert [site.name for site in recorder.sites] == ["0", "1", "1#2"]


def test_networks_of_one_layer_and_of_none() -> None:
    activations, errors = captured(nn.Linear(6, 3), Batch(images(4, 6)))
    assert [(site.name, site.module_type) for site in activations] == [("output", "Linear")]
    assert list(errors) == list(activations)
    assert captured(nn.Identity(), Batch(images(4, 6))) == ({}, {})


def test_each_row_is_the_gradient_of_one_sample() -> None:
    module, (x,) = LeNet5(), images(3, 1, 28, 28)
    _, together = captured(module, Batch((x,)))
    for row in range(3):
        _, alone = captured(module, Batch((x[row : row + 1],)))
        for site, error in alone.items():
            assert torch.allclose(together[site][row : row + 1], error, atol=1e-5), site


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frozen_networks_have_the_same_errors(case: Case) -> None:
    module = case.module()
    _, wanted = captured(module, case.batch())
    module.requires_grad_(False)
    _, found = captured(module, case.batch())
    assert set(found) == set(wanted)
    for site, error in found.items():
        assert torch.allclose(error, wanted[site], atol=1e-6), site
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_frozen_tokens_by_name_with_a_mask() -> None:
    module = Tokens().requires_grad_(False)
    _, errors = captured(module, Batch(token_ids()))
    assert by_name(errors)["embedding"].shape == (4, 5, 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    case = CASES[2]
    module, batch = case.module(), case.batch()
    _, wanted = captured(module, batch)
    activations, errors = captured(module.to(dtype), Batch((batch.x.to(dtype),)))
    for site, error in errors.items():
        assert activations[site].dtype == dtype
        assert error.dtype == torch.float32
        assert torch.allclose(error, wanted[site], atol=0.1)


def test_small_errors_survive_float16() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    x = images(4, 4)[0]

    def errors(module, x):
        with capture(module, errors=True) as recorder:
            return by_name(recorder.errors(1e-8 * loss_of(recorder.run(Batch((x,))).float())))

    wanted = errors(module, x)["0"]
    found = errors(module.half(), x.half())["0"]
    assert wanted.abs().max() < 2.9e-8  # half of float16's smallest number rounds to zero
    assert torch.allclose(found, wanted, rtol=0.05, atol=1e-10)


def test_compiled_modules_inside_and_outside() -> None:
    module = Reused()
    _, wanted = captured(module, Batch(images(4, 6)))
    _, whole = captured(torch.compile(module), Batch(images(4, 6)))
    module.layer = torch.compile(module.layer)
    module.head.compile()
    _, inside = captured(module, Batch(images(4, 6)))
    for found in (whole, inside):
        assert [s.name for s in found] == [s.name for s in wanted]
        for site, error in found.items():
            assert torch.equal(error, wanted[site])


class Disturbing(nn.Module):
    """Changes what it can: buffers, attributes, random states; may raise."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.first = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.5)
        self.frozen = nn.BatchNorm1d(6).eval()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("last", torch.zeros(6))
        self.calls = 0
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        self.calls += 1
        self.count += 1
        self.last = x[0].detach()
        x += torch.randn_like(x)
        out = self.frozen(self.drop(self.norm(self.first(x))))
        if self.fails:
            raise ZeroDivisionError("on purpose")
        return self.head(out)


def everything(module: nn.Module) -> dict[str, object]:
    state: dict[str, object] = {
        "random": torch.get_rng_state().tolist(),
        "python": random.getstate(),
    }
    state["numpy"] = np.random.get_state()[1].tolist()
    for name, part in module.named_modules():
        state |= {f"{name} {k}": repr(v) for k, v in vars(part).items() if not k.startswith("__")}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        state[f"{name} number"] = (
            tensor.detach().clone().tolist(),
            tensor.requires_grad,
            id(tensor),
        )
        state[f"{name} gradient"] = None if tensor.grad is None else tensor.grad.tolist()
    return state


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_different_afterwards(fails: bool, errors: bool) -> None:
    module = Disturbing(fails=fails).train()
    module.frozen.eval()
    module.first.weight.grad = torch.ones(6, 6)
    module.first.bias.requires_grad_(False)
    (x,) = images(4, 6)
    before, input_before = everything(module), x.clone()
    apply = torch.utils.checkpoint.CheckpointFunction.apply
    if fails:
        with pytest.raises(CaptureError, match=r"in its own code.*on purpose"):
            captured(module, Batch((x,)))
    else:
        with capture(module, errors=errors) as recorder:
            output = recorder.run(Batch((x,)))
            if errors:
                recorder.errors(output.sum())
    assert everything(module) == before
    assert torch.equal(x, input_before)
    assert torch.is_grad_enabled()
    assert torch.utils.checkpoint.CheckpointFunction.apply == apply
    module.fails = False
    assert module(x.clone()).shape == (4, 3)


def test_the_state_shown_in_the_test_above_would_change() -> None:
    module = Disturbing().train()
    before = everything(module)
    module(images(4, 6)[0])
    after = everything(module)
    changed = {name for name in before if before[name] != after[name]}
    assert {"random", "count number", "last number", "norm.running_mean number"} <= changed


def test_interruption_puts_everything_back() -> None:
    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(2, 2)

        def forward(self, x):
            self.first(x)
            raise KeyboardInterrupt

    module = Interrupted()
    with pytest.raises(KeyboardInterrupt), capture(module) as recorder:
        recorder.run(Batch(images(2, 2)))
    assert module.training
    assert not module.first._forward_hooks
    assert not module.first._forward_pre_hooks


def test_only_named_sites_are_kept() -> None:
    with capture(LeNet5(), errors=True, names=["fc1", "pool#2"]) as recorder:
        output = recorder.run(Batch(images(2, 1, 28, 28)))
        errors = recorder.errors(output.sum())
    assert [site.name for site in errors] == ["pool#2", "fc1"] == [s.name for s in recorder.sites]


def test_passes_follow_each_other() -> None:
    case = CASES[0]
    with capture(case.module(), errors=True) as recorder:
        recorder.run(case.batch(1))
        output = recorder.run(case.batch(0))
        errors = recorder.errors(loss_of(output))
    _, wanted = captured(case.module(), case.batch(0))
    assert all(torch.equal(errors[site], wanted[site]) for site in wanted)


def test_own_hooks_see_and_change_what_they_did() -> None:
    module = Reused()
    module.head.register_forward_hook(lambda part, inputs, output: output * 2)
    with capture(module) as recorder:
        output = recorder.run(Batch(images(4, 6)))
    assert torch.equal(by_name(recorder.activations)["head"], output)
    assert len(module.head._forward_hooks) == 1


def test_lazy_layers_are_refused() -> None:
    lazy = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(CaptureError, match=r"0\.weight has no shape yet"), capture(lazy):
        pass


def test_a_network_that_cannot_run_backwards_is_one_sentence() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(6, 3)

        def forward(self, x):
            out = self.first(x).sigmoid()
            out += 1
            return out

    with pytest.raises(CaptureError, match="cannot be run backwards"):
        captured(Overwrites(), Batch(images(4, 6)))


def test_a_network_that_bears_no_modes_is_watched_by_modules() -> None:
    module, (x,) = Unwatched(), images(4, 6)
    with capture(module, errors=True) as recorder:
        output = recorder.run(Batch((x,)))
        errors = by_name(recorder.errors(output.sum()))
    found = by_name(recorder.activations)
    assert "modules alone were" in recorder.note
    assert "a mode is on" in recorder.note
    assert list(found) == ["first", "act", "head"] == list(errors)
    assert torch.equal(found["first"], module.first(x))  # before the activation in place


def test_errors_need_to_be_asked_for() -> None:
    with capture(Reused()) as recorder:
        output = recorder.run(Batch(images(4, 6)))
        with pytest.raises(CaptureError, match="without errors"):
            recorder.errors(output.sum())


def test_a_network_without_grad_says_so() -> None:
    class Closed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(6, 3)

        @torch.no_grad()
        def forward(self, x):
            return self.first(x)

    with pytest.raises(CaptureError, match="by a path autograd follows"):
        captured(Closed(), Batch(images(4, 6)))


def test_inside_inference_mode() -> None:
    module = Reused()
    with torch.inference_mode():
        _, errors = captured(module, Batch(images(4, 6)))
    assert len(errors) == 7


def test_named_inputs_are_passed_by_name() -> None:
    batch = Batch(token_ids())
    assert list(named(batch.inputs)) == ["ids", "mask"]
    with capture(Tokens()) as recorder:
        assert recorder.run(batch).shape == (4, 3)


def test_the_parts_of_attention_layers_speak_and_the_outputs_stay() -> None:
    """In evaluation mode torch runs the whole layer as one fused function."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = images(4, 5, 8)
    with torch.no_grad():
        fused = network(*x)
    with capture(network) as recorder:
        output = recorder.run(Batch(x))
    assert torch.allclose(output, fused, atol=1e-6)
    assert {"layers.0.norm1", "layers.0.linear1", "layers.1.linear2"} <= {
        site.name for site in recorder.sites
    }
    assert torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(CaptureError), capture(network) as recorder:
        recorder.run(Batch(images(4, 5, 7)))
    assert torch.backends.mha.get_fastpath_enabled()


def test_ids_outside_an_embedding_are_told() -> None:
    network = nn.Sequential(nn.Embedding(5, 3), nn.Flatten())
    words = r"embedding 0 .* ids 0 to 4, .*given 9 .row 2"
    with capture(network) as recorder, pytest.raises(CaptureError, match=words):
        recorder.run(Batch((torch.tensor([[1, 2], [3, 9]]),)))
