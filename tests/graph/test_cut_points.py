"""The chain, held against other inputs put at a site, against brute force, and against paper."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from infoflow.capture.batches import Batch, named
from infoflow.capture.undisturbed import undisturbed
from infoflow.errors import CaptureError
from infoflow.graph import cut_points
from infoflow.graph.chain import ANYTHING, _Trace
from infoflow.graph.computation import SOURCE
from infoflow.graph.cuts import crossings
from infoflow.zoo import LeNet5
from tests.networks import CASES, Case, Escapes, Reused, TwoInputs, Unwatched, images
from tests.patching import copies, run_with

CHAINS = {
    "functional resnet": "conv1 bn1 bn1.relu layer1.0 layer1.1 layer2.0 avg_pool2d linear",
    "u-net": "down.0 down.1 last last.relu head",
    "reused module": "layer act layer#3 act#3 head",
    "in place": "conv act norm hidden relu head",
    "dense": "head",
    "slices": "mix part head",
    "outputs": "lstm.0 head",
    "two inputs": "second second.relu head",
    "tokens": "embedding encoder.layers.0.norm1 encoder.layers.0 "
    "encoder.layers.1.norm1 encoder.layers.1 mean head",
    "reentrant checkpoint": "first segment.0 segment.1 segment.2 head",
    "checkpoint": "first segment.0 segment.1 segment.2 head",
    "own function": "first head",
    "mapped over samples": "first head",
    "recurrent cell": "cell#3 head",
}


def reachable(successors: list[list[int]], start: int, without: int) -> set[int]:
    seen, waiting = {start}, [start]
    while waiting:
        for node in successors[waiting.pop()]:
            if node not in seen and node != without:
                seen.add(node)
                waiting.append(node)
    return seen


def brute_force(successors: list[list[int]], source: int, sink: int) -> dict[int, bool]:
    """For each node on a path: whether the sink is cut off when the node is taken away."""
    forward = reachable(successors, source, -1)
    return {
        node: node in (source, sink) or sink not in reachable(successors, source, node)
        for node in forward
        if sink in reachable(successors, node, -1)
    }


def names(sites) -> list[str]:
    return [site.name for site in sites]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_chains_are_those_found_by_hand(case: Case) -> None:
    chain = cut_points(case.module(), case.batch())
    assert names(chain.points) == CHAINS[case.name].split()
    assert chain.note == ""
    everything = set(names(chain.points)) | {site.name for site, _ in chain.left_out}
    assert everything == set(copies(case.module(), case.batch()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_output_hangs_on_the_input_by_a_cut_point_alone(case: Case) -> None:
    """With a site's values from other inputs, the output is that of the other inputs."""
    module = case.module().eval()
    other = copies(module, case.batch(1))
    wanted = run_with(module, case.batch(1).inputs, lambda site, tensor: None)
    chain = cut_points(module, case.batch())
    points = set(names(chain.points))
    for name in other:
        if name.startswith("lstm"):
            continue  # elements of a tuple are not replaced

        def put(site, tensor, name=name):
            return other[name].clone() if site.name == name else None

        output = run_with(module, case.batch(0).inputs, put)
        assert torch.allclose(output, wanted, atol=1e-6) == (name in points), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sweep_equals_brute_force_on_networks(case: Case) -> None:
    module = case.module().eval()
    trace = _Trace(module)
    with undisturbed(trace.model), torch.no_grad():
        sink = trace.run(case.batch())
    successors = trace.computation.graph.successors
    swept = {n: way is None for n, way in crossings(successors, SOURCE, sink).items()}
    assert swept == brute_force(successors, SOURCE, sink)
    assert sum(swept.values()) > 2


@st.composite
def graphs(draw) -> list[list[int]]:
    count = draw(st.integers(2, 12))
    pairs = [(tail, head) for tail in range(count) for head in range(tail + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True))
    return [[head for tail, head in chosen if tail == node] for node in range(count)]


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_the_sweep_equals_brute_force_on_any_graph(successors: list[list[int]]) -> None:
    sink = len(successors) - 1
    found = crossings(successors, 0, sink)
    assert {n: way is None for n, way in found.items()} == brute_force(successors, 0, sink)
    for node, way in found.items():
        if way is not None:
            assert way.tail < node < way.head
            assert way.head in successors[way.tail]


def test_lenet_is_a_chain() -> None:
    chain = cut_points(LeNet5(), Batch(images(2, 1, 28, 28)))
    assert " ".join(names(chain.points)) == (
        "conv1 conv1.relu pool conv2 conv2.relu pool#2 fc1 fc1.relu fc2 fc2.relu fc3"
    )
    assert chain.left_out == ()


def test_reasons_name_the_way_around() -> None:
    chain = cut_points(Reused(), Batch(images(4, 6)))
    reasons = {site.name: reason for site, reason in chain.left_out}
    assert reasons == {
        "layer#2": "a path from act to layer#3 leads around it",
        "act#2": "a path from act to layer#3 leads around it",
    }
    chain = cut_points(TwoInputs(), Batch(images(4, 6) + images(4, 4)))
    assert dict(chain.left_out)[chain.left_out[0][0]] == (
        "a path from the input to second leads around it"
    )


def test_sites_beside_the_path_and_without_the_input() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.aside = nn.Linear(6, 6), nn.Linear(6, 6)
            self.table = nn.Embedding(4, 6)
            self.last = nn.Linear(6, 3)

        def forward(self, x):
            hidden = self.first(x)
            self.aside(hidden)
            return self.last(hidden + self.table(torch.arange(4)))

    chain = cut_points(Beside(), Batch(images(4, 6)))
    assert names(chain.points) == ["first", "last"]
    assert {site.name: reason for site, reason in chain.left_out} == {
        "aside": "the output does not depend on it",
        "table": "it does not depend on the input",
    }


def test_a_cut_point_without_one_row_a_sample_is_left_out() -> None:
    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.last(self.first(x.reshape(-1, 3)).reshape(len(x), 6))

    chain = cut_points(Windows(), Batch(images(4, 6)))
    assert names(chain.points) == ["last"]
    assert "8×3 for a batch of 4" in chain.left_out[0][1]


@pytest.mark.parametrize("how", ["item", "numpy"])
def test_numbers_that_leave_torch_end_the_chain(how: str) -> None:
    chain = cut_points(Escapes(how), Batch(images(4, 6)))
    assert chain.points == ()
    assert chain.note == ANYTHING


def test_a_mask_is_an_input_like_any_other() -> None:
    case = next(case for case in CASES if case.name == "tokens")
    batch = case.batch()
    mask = torch.ones(named(batch.inputs)["ids"].shape, dtype=torch.bool)
    chain = cut_points(case.module(), Batch({**named(batch.inputs), "mask": mask}))
    # Attention of every layer reads the mask: only what comes after the last one is a cut point.
    assert "encoder.layers.0" not in names(chain.points)
    assert names(chain.points)[-1] == "head"


def test_compiled_and_scripted_networks() -> None:
    chain = cut_points(torch.compile(Reused()), Batch(images(4, 6)))
    assert names(chain.points) == CHAINS["reused module"].split()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_scripted_network_has_an_output_at_least() -> None:
    scripted = torch.jit.trace(Reused().eval(), images(4, 6)).train()
    chain = cut_points(scripted, Batch(images(4, 6)))
    assert names(chain.points) == ["output"]
    assert scripted.training
    assert scripted.layer.training


def test_a_network_that_raises_is_one_sentence() -> None:
    with pytest.raises(
        CaptureError, match=r"^The network stopped in layer on a batch of shape 4×5"
    ):
        cut_points(Reused(), Batch(images(4, 5)))


def test_a_network_that_cannot_be_followed_has_no_chain() -> None:
    chain = cut_points(Unwatched(), Batch(images(4, 6)))
    assert chain.points == ()
    assert [site.name for site, _ in chain.left_out] == ["first", "act", "head"]
    assert "could not be followed: The network stopped in its own code" in chain.note


def test_torchvision_residual_network() -> None:
    torchvision = pytest.importorskip("torchvision")
    network = torchvision.models.resnet18(num_classes=3).eval()
    trace = _Trace(network)
    with undisturbed(trace.model), torch.no_grad():
        sink = trace.run(Batch(images(2, 3, 32, 32)))
    successors = trace.computation.graph.successors
    swept = {n: way is None for n, way in crossings(successors, SOURCE, sink).items()}
    assert swept == brute_force(successors, SOURCE, sink)
    assert " ".join(names(trace.chain(sink, 2).points)) == (
        "conv1 bn1 relu maxpool layer1.0 layer1.1 layer2.0 layer2.1 layer3.0 layer3.1 "
        "layer4.0 layer4.1 avgpool fc"
    )
