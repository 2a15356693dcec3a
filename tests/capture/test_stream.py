"""What is gathered does not depend on batches, passes, spools, or too little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from infoflow.capture import capture
from infoflow.capture.batches import Batch
from infoflow.capture.losses import summed_loss
from infoflow.capture.plan import Plan, plan
from infoflow.capture.rooms import Room, Spool
from infoflow.capture.stream import gather, stream
from infoflow.capture.survey import survey
from infoflow.errors import CaptureError
from tests.networks import CASES, images


class Memory:
    """Data in memory, by position or by name."""

    def __init__(self, samples: Batch) -> None:
        self.samples = samples

    def batches(self, batch_size: int) -> Iterator[Batch]:
        for start in range(0, self.samples.size, batch_size):
            yield self.samples.part(start, start + batch_size)


NETWORK = CASES[0].module()
SAMPLES = Batch(images(11, 1, 8, 8), torch.arange(11) % 3)


def loss_of(output: Tensor, batch: Batch) -> Tensor:
    return summed_loss(output, batch.targets)


def a_plan(**changes: object) -> Plan:
    sizes = survey(NETWORK, next(Memory(SAMPLES).batches(2))).sizes
    return replace(plan(sizes, 11, 10**9, errors=True), **changes)


def whole() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    with capture(NETWORK, errors=True) as recorder:
        errors = recorder.errors(loss_of(recorder.run(SAMPLES), SAMPLES))
    names = {site.name: tensor for site, tensor in recorder.activations.items()}
    return names, {site.name: tensor for site, tensor in errors.items()}


@pytest.mark.parametrize("batch_size", [1, 3, 11, 64])
@pytest.mark.parametrize("spooled", [False, True])
def test_gathering(batch_size: int, spooled: bool, tmp_path: Path) -> None:
    in_one = a_plan(batch_size=batch_size, spooled=spooled)
    sites = in_one.passes[0]
    in_two = replace(in_one, passes=(sites[:5], sites[5:]))
    wanted, wanted_errors = whole()
    for chosen in (in_one, in_two):
        seen: set[str] = set()
        parts = gather(NETWORK, Memory(SAMPLES), chosen, loss=loss_of, spool=tmp_path)
        groups = [(s,) for group in chosen.passes for s in group] if spooled else chosen.passes
        for group, found in zip(groups, parts, strict=True):
            assert tuple(found.activations) == group
            assert found.non_finite == {}
            for site, tensor in found.activations.items():
                seen.add(site.name)
                assert torch.allclose(tensor, wanted[site.name], atol=1e-5)
            for site, tensor in found.errors.items():
                assert torch.allclose(tensor, wanted_errors[site.name], atol=1e-5)
            assert set(found.errors) == set(found.activations)
            assert any(tmp_path.rglob("*.values")) == spooled
        assert seen == set(wanted)
        assert not list(tmp_path.iterdir())


class Collect:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int, int]] = []

    def activation(self, site, values, rows, batch) -> None:
        assert len(values) == batch.size == rows.stop - rows.start
        self.rows.append(("activation", site.name, rows.start, rows.stop))

    def error(self, site, values, rows, batch) -> None:
        self.rows.append(("error", site.name, rows.start, rows.stop))


def test_streaming_gives_each_row_once() -> None:
    consumer, done = Collect(), []
    count = stream(
        NETWORK,
        Memory(SAMPLES),
        consumer,
        names=["conv1", "linear"],
        batch_size=4,
        loss=loss_of,
        done=done.append,
    )
    assert count == 11
    assert done == [4, 8, 11]
    pieces = [(0, 4), (4, 8), (8, 11)]
    assert sorted(consumer.rows) == sorted(
        (kind, name, *piece)
        for kind in ("activation", "error")
        for name in ("conv1", "linear")
        for piece in pieces
    )


class Narrow(nn.Module):
    """Has memory for few samples only."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.first = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("too many")
        return self.first(x)


def test_too_little_memory_halves_the_batch() -> None:
    samples, consumer = Batch(images(11, 6)), Collect()
    assert stream(Narrow(2), Memory(samples), consumer, batch_size=8) == 11
    ends = [row[2:] for row in consumer.rows]
    assert ends[0][0] == 0
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    assert ends[-1][1] == 11
    with pytest.raises(CaptureError, match="does not suffice to run a single sample"):
        stream(Narrow(0), Memory(samples), consumer, batch_size=8)


def test_the_cpu_allocator_counts_as_memory() -> None:
    class Greedy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.empty(10**16)[0]

    with pytest.raises(torch.OutOfMemoryError), capture(Greedy()) as recorder:
        recorder.run(Batch(images(2, 6)))


def test_the_first_row_that_is_not_finite_is_told() -> None:
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    (x,) = images(11, 6)
    x[7, 2] = torch.nan
    samples = Batch((x,))
    chosen = plan(survey(module, samples).sizes, 11, 10**9, batch_size=4)
    (found,) = gather(module, Memory(samples), chosen)
    assert {site.name: row for site, row in found.non_finite.items()} == {"0": 7, "1": 7}


def test_a_survey_leaves_out_what_has_no_rows() -> None:
    class Scalar(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(6, 3)
            self.table = nn.Embedding(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) + self.table(torch.arange(5)).sum(0)

    found = survey(Scalar(), Batch(images(4, 6)))
    assert [size.site.name for size in found.sizes] == ["first", "output"]
    assert found.seconds > 0
    assert [(site.name, reason[:12]) for site, reason in found.left_out] == [
        ("table", "its shape is")
    ]


class Slow(nn.Module):
    """Notes how many samples come at once; has no room for more than 16."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > 16:
            raise torch.OutOfMemoryError("no room")
        return torch.relu(x)


@pytest.mark.parametrize(("batch_size", "largest"), [(12, 8), (64, 32)])
def test_a_survey_times_a_larger_batch(batch_size: int, largest: int) -> None:
    """Up to the batch that will be run; what the device has no room for is not timed."""
    network = Slow()
    found = survey(network, Batch(images(2, 6)), batch_size)
    assert found.sizes[0].shape == (6,)
    assert max(network.seen) == largest
    assert 0 < found.seconds < 1


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_rows_that_no_batch_brought_are_no_numbers(kind: str, tmp_path: Path) -> None:
    sizes = {size.site: size for size in survey(NETWORK, SAMPLES).sizes[:1]}
    (site,) = sizes
    room = Room(6, sizes) if kind == "memory" else Spool(6, sizes, tmp_path)
    shape = sizes[site].shape
    for rows in (slice(1, 2), slice(3, 5)):
        room.activation(site, torch.ones(rows.stop - rows.start, *shape), rows, SAMPLES)
    found = next(room.taken())
    absent = found.activations[site].flatten(1).isnan().all(dim=1)
    assert absent.tolist() == [True, False, True, False, False, True]
