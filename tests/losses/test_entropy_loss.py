import pytest
import torch
from torch import nn
from torch.nn import functional

from infoflow.errors import CaptureError, SelectionError
from infoflow.losses import EntropyLoss
from tests.losses.networks import Repeated, batch, gradients, mlp, task

SPEC = "batch-entropy=2"


def test_the_model_stays_as_it_is():
    model = mlp()
    keys, modules = list(model.state_dict()), list(model.named_modules())
    entropy = EntropyLoss(model, SPEC, "dense=0.01")
    assert list(model.state_dict()) == keys
    assert list(model.named_modules()) == modules
    assert [name for name, _ in entropy.named_parameters()] == ["terms.0.alpha"]
    entropy.close()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_values_are_logged_by_the_text_of_the_request():
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, SPEC, "dense=0.01:first")
    parts = entropy.contributions(task(model, x, y))
    assert list(parts) == ["task", SPEC, "dense=0.01:first"]
    assert set(entropy.values) == {SPEC, "dense=0.01:first"}
    assert EntropyLoss(model, "dense=1").parameter_groups() == []


def test_evaluation_leaves_nothing_stale():
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, SPEC)
    loss = task(model, x, y)
    model.eval()
    with torch.no_grad():
        model(x[:3] * 100)
    model.train()
    one = float(entropy(loss).detach())
    again = EntropyLoss(mlp(), SPEC)
    model.eval()
    with pytest.raises(CaptureError, match="no forward pass"):
        entropy(task(model, x, y))
    model.train()
    with torch.no_grad(), pytest.raises(CaptureError, match="no forward pass"):
        entropy(task(model, x, y))
    assert float(entropy(task(model, x, y)).detach()) == one
    with pytest.raises(CaptureError, match="no forward pass"):
        entropy(loss)
    again.close()


def test_a_forward_that_raises_leaves_nothing():
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, SPEC)
    with pytest.raises(RuntimeError):
        model(x[:, :3])
    with pytest.raises(CaptureError, match="no forward pass"):
        entropy(torch.tensor(1.0))
    entropy(task(model, x, y))


# The compiler looks at .grad of what it traces, and torch warns of that.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize("way", ["plain", "checkpointed", "compiled", "compiled whole"])
def test_repeated_checkpointed_and_compiled_modules_give_the_same(way):
    x, y = batch()
    reference = Repeated()
    entropy = EntropyLoss(reference, SPEC)
    entropy(task(reference, x, y)).backward()
    names = [f"entropy of {n}" for n in ("first", "inner", "inner#2", "inner#3")]
    assert list(entropy.details[SPEC]) == names
    model = Repeated(False if way == "checkpointed" else None)
    other = EntropyLoss(model, SPEC)
    run = model
    if way.startswith("compiled"):
        torch._dynamo.reset()
        run = torch.compile(model, backend="aot_eager", fullgraph=way == "compiled whole")
    for _ in range(3):
        model.zero_grad()
        other(task(run, x, y)).backward()
        assert other.details[SPEC] == pytest.approx(entropy.details[SPEC], rel=1e-9)
        for ours, theirs in zip(gradients(model), gradients(reference), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_compiled_network_with_changes_in_place():
    x, y = batch()
    reference, model = mlp(), mlp(inplace=True)
    plain, entropy = EntropyLoss(reference, SPEC), EntropyLoss(model, SPEC)
    plain(task(reference, x, y)).backward()
    torch._dynamo.reset()
    run = torch.compile(model, backend="aot_eager")
    for _ in range(3):
        model.zero_grad()
        entropy(task(run, x, y)).backward()
        assert entropy.details[SPEC] == pytest.approx(plain.details[SPEC], rel=1e-9)
        for ours, theirs in zip(gradients(model), gradients(reference), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_what_cannot_be_watched_stops_with_a_sentence():
    x, y = batch()
    model = Repeated(True)
    entropy = EntropyLoss(model, SPEC)
    with pytest.raises(CaptureError, match="use_reentrant=False"):
        task(model, x.requires_grad_(), y)
    entropy.close()
    with pytest.raises(CaptureError, match="compiled already"):
        EntropyLoss(torch.compile(mlp(), backend="eager"), SPEC)
    in_place = mlp()
    in_place.compile(backend="eager")
    with pytest.raises(CaptureError, match="compiled already"):
        EntropyLoss(in_place, SPEC)


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.skip = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4), False

    def forward(self, x):
        x = self.a(x)
        return self.c(x if self.skip else self.b(x))


def test_a_layer_that_is_not_reached_any_more_stops():
    x, y = batch()
    model = Skipping().double()
    entropy = EntropyLoss(model, SPEC)
    entropy(task(model, x, y))
    model.skip = True
    with pytest.raises(CaptureError, match="did not reach b"):
        entropy(task(model, x, y))


class InPlaceLater(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c, self.change = nn.Linear(8, 8), nn.Linear(8, 4), False

    def forward(self, x):
        x = self.a(x)
        return self.c(x.mul_(2) if self.change else x * 2)


def test_a_change_in_place_that_comes_later_stops():
    x, y = batch()
    model = InPlaceLater().double()
    entropy = EntropyLoss(model, SPEC)
    entropy(task(model, x, y))
    model.change = True
    with pytest.raises(CaptureError, match="in place"):
        entropy(task(model, x, y))


def test_requests_of_nothing_or_of_the_same_twice():
    with pytest.raises(SelectionError, match="No entropy loss"):
        EntropyLoss(mlp())
    with pytest.raises(SelectionError, match="twice"):
        EntropyLoss(mlp(), "dense=1", "dense=1.0")


def test_the_total_keeps_the_type_of_the_task_loss():
    model = mlp().float()
    x, y = batch()
    entropy = EntropyLoss(model, "log-volume=0.1", "information-bottleneck=0.1")
    loss = functional.cross_entropy(model(x.float()), y)
    assert entropy(loss, targets=y).dtype == torch.float32


def test_a_strength_of_zero_only_measures():
    model, (x, y) = mlp(), batch()
    watched = EntropyLoss(model, "batch-entropy=0")
    loss = task(model, x, y)
    assert torch.equal(watched(loss), loss)
    measured = watched.values["batch-entropy=0"]
    other = EntropyLoss(model, SPEC)
    other(task(model, x, y))
    assert measured == other.values[SPEC]


def test_state_goes_through_a_file(tmp_path):
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, SPEC)
    optimizer = torch.optim.Adam([{"params": model.parameters()}, *entropy.parameter_groups()], 0.1)
    entropy(task(model, x, y)).backward()
    optimizer.step()
    torch.save(entropy.state_dict(), tmp_path / "alpha.pt")
    other = EntropyLoss(mlp(), SPEC)
    other.load_state_dict(torch.load(tmp_path / "alpha.pt", weights_only=True))
    assert torch.equal(other.terms[0].alpha, entropy.terms[0].alpha)
    assert not torch.equal(other.terms[0].alpha, torch.full((3,), 0.5))
