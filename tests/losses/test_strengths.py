import pytest
import torch

from infoflow.errors import SelectionError
from infoflow.losses import EntropyLoss, find_lambda, gradient_shares
from infoflow.losses.strengths import GradientShare
from tests.losses.networks import batch, mlp, task

SPECS = ("dense=-0.5", "batch-entropy=0.2")


def test_a_proposal_gives_a_tenth_of_the_tasks_gradient():
    model, (x, y) = mlp(), batch()
    entropy = EntropyLoss(model, *SPECS)
    proposed = find_lambda(model, entropy, [lambda: task(model, x, y)] * 2)
    assert proposed["dense=-0.5"] < 0 < proposed["batch-entropy=0.2"]
    entropy.close()
    again = EntropyLoss(model, *(f"{s.split('=')[0]}={proposed[s]!r}" for s in SPECS))
    for share in gradient_shares(model, again, again.contributions(task(model, x, y))):
        assert share.ratio == pytest.approx(0.1, rel=1e-4)
        assert share.warning == ""
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.filterwarnings("ignore:dense with form=inverse")
def test_inert_and_exceeding_terms_are_told():
    model, (x, y) = mlp(2, 60), batch()
    entropy = EntropyLoss(model, "dense=1,form=inverse:2", "dense=100")
    inert, exceeds = gradient_shares(model, entropy, entropy.contributions(task(model, x, y)))
    assert "is inert" in inert.warning
    assert "exceeds the task" in exceeds.warning
    assert "not finite" in GradientShare("a", 1, 1.0, float("nan")).warning
    assert GradientShare("a", 1, 0.0, 0.0).ratio == 0


def test_what_has_no_proposal():
    model, (x, y) = mlp(), batch()
    with pytest.raises(SelectionError, match="strength of 0"):
        find_lambda(model, EntropyLoss(model, "dense=0"), [lambda: task(model, x, y)])
    frozen = mlp().requires_grad_(requires_grad=False)
    frozen[-1].requires_grad_()
    entropy = EntropyLoss(frozen, "dense=1:first")
    with pytest.raises(SelectionError, match="no strength can be proposed"):
        find_lambda(frozen, entropy, [lambda: task(frozen, x, y)])
    assert torch.is_grad_enabled()
