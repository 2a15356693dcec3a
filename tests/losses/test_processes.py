"""Two real processes that talk through gloo, with uneven parts of each batch."""

from __future__ import annotations

import socket

import pytest
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from infoflow.losses import EntropyLoss
from tests.losses.networks import batch, mlp, task

SPECS = ("batch-entropy=0.5", "confidence-penalty=0.1", "dense=0.01")
CUTS = ((slice(0, 17), slice(17, 24)), (slice(0, 5), slice(5, 24)), (slice(0, 12), slice(12, 24)))
"""Parts of a batch of 24, step by step; the uneven ones stand for last batches."""
STEPS = 6


def trained(parts):
    """Weights, α and totals after some steps of SGD; ``parts`` gives this process's of each."""
    x, y = batch(24)
    model = mlp()
    entropy = EntropyLoss(model, *SPECS)
    run = DistributedDataParallel(model) if distributed.is_initialized() else model
    optimizer = torch.optim.SGD(
        [{"params": model.parameters()}, *entropy.parameter_groups()], 0.05, momentum=0.9
    )
    totals = []
    for step in range(STEPS):
        part = parts[step % len(parts)]
        inputs, labels = x[part] + 0.1 * step, y[part]
        optimizer.zero_grad()
        total = entropy(task(run, inputs, labels))
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    weights = [p.detach().clone() for p in model.parameters()]
    return weights, entropy.terms[0].alpha.detach().clone(), totals


def worker(rank, port, folder):
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    torch.set_num_threads(1)
    found = trained([cut[rank] for cut in CUTS])
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(worker, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_two_processes_are_one_big_batch(of_two):
    weights, alpha, totals = trained([slice(None)])
    for found_weights, found_alpha, found_totals in of_two:
        assert found_totals == pytest.approx(totals, rel=1e-6)
        torch.testing.assert_close(found_alpha, alpha, rtol=0, atol=1e-6)
        for ours, theirs in zip(found_weights, weights, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_that_comparison_can_fail(of_two):
    """One process's part alone gives other weights."""
    weights, _, _ = trained([cut[0] for cut in CUTS])
    assert any(
        float((ours - theirs).abs().max()) > 1e-3
        for ours, theirs in zip(weights, of_two[0][0], strict=True)
    )
