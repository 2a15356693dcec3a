"""The Markov chain of a network: sites through which every path from the input leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infoflow.capture.batches import Batch, mapped, named
from infoflow.capture.nesting import main_output
from infoflow.capture.recorder import capture, run_watched
from infoflow.capture.site import Site
from infoflow.capture.survey import no_rows
from infoflow.capture.undisturbed import uncompiled, undisturbed
from infoflow.capture.watch import Watch
from infoflow.errors import CaptureError
from infoflow.graph.computation import SOURCE, Computation
from infoflow.graph.cuts import Crossing, crossings

NOT_FOLLOWED = "the computation could not be followed"
ANYTHING = "a number computed from the input was used by Python, and what came of it is not known"


@dataclass(frozen=True)
class Chain:
    """X → T₁ → T₂ → … → output.

    Args:
        points: The sites that every path from the inputs to the output passes, in order: X, the
            first, the second, … are a Markov chain.
        left_out: The other sites, each with the reason.
        note: What the reader must know; ``""`` where there is nothing.
    """

    points: tuple[Site, ...]
    left_out: tuple[tuple[Site, str], ...]
    note: str = ""


def cut_points(model: nn.Module, batch: Batch) -> Chain:
    """Find the chain from one forward pass; the model is left as it was.

    The graph is that of the operations really carried out, so that additions in functional form,
    writes in place, views and modules used twice are in it. Paths begin at every input of the
    model (a second input that goes around a site carries information around it) and end at the
    output that the network is read by, see :func:`~infoflow.capture.nesting.main_output`.

    Args:
        model: The network.
        batch: A few samples, at least two: with one a batch dimension cannot be told from others.

    Raises:
        CaptureError: The network raises on this batch, or gives no tensor.
    """
    model = uncompiled(model)
    try:
        with undisturbed(model), torch.no_grad():
            trace = _Trace(model)
            output = trace.run(batch)
    except CaptureError as error:
        return _unknown(model, batch, error)
    return trace.chain(output, batch.size)


def _unknown(model: nn.Module, batch: Batch, failure: CaptureError) -> Chain:
    """No chain, of a network that runs, but not while its operations are recorded."""
    with capture(model) as recorder:
        try:
            output = main_output(recorder.run(batch))
        except CaptureError:
            output = None
        if output is None:
            raise failure from failure.__cause__
        left_out = tuple((site, NOT_FOLLOWED) for site in recorder.sites)
    return Chain((), left_out, f"{NOT_FOLLOWED}: {failure}")


class _Trace:
    """One forward pass: the graph, and the nodes of the sites."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.computation = Computation()
        self.nodes: dict[Site, int | None] = {}
        self.shapes: dict[Site, tuple[int, ...]] = {}

    def run(self, batch: Batch) -> int:
        """Run the model; the node of its output."""
        watch = Watch(self.model, self._receive, self.computation.escape)
        inputs = mapped(batch.inputs, torch.clone)
        computation = self.computation
        for tensor in named(inputs).values():
            computation.memory.write(tensor, computation.graph.add([SOURCE]))
        with watch.over([*named(inputs).values()]), computation:
            output = main_output(run_watched(self.model, inputs, watch))
        if output is None:
            raise CaptureError("The network gives no tensor, so that it has no chain of layers.")
        return computation.graph.add(computation.memory.read(output) | computation.escaped)

    def _receive(self, site: Site, tensor: Tensor, instead_of: Site | None) -> None:
        if instead_of is not None:
            self.nodes.pop(instead_of, None)
        self.nodes[site] = self.computation.mark(tensor)
        self.shapes[site] = tuple(tensor.shape)

    def chain(self, sink: int, size: int) -> Chain:
        """The chain, and why the other sites are not in it."""
        found = crossings(self.computation.graph.successors, SOURCE, sink)
        cuts = {
            node: site
            for site, node in self.nodes.items()
            if node is not None and node in found and found[node] is None
        }
        points: list[Site] = []
        left_out: list[tuple[Site, str]] = []
        for site, node in self.nodes.items():
            if node is None:
                left_out.append((site, "it does not depend on the input"))
            elif node not in found:
                left_out.append((site, "the output does not depend on it"))
            elif (crossing := found[node]) is not None:
                left_out.append((site, self._way_round(crossing, cuts, sink)))
            elif self.shapes[site][:1] != (size,):
                left_out.append((site, no_rows(self.shapes[site], size)))
            else:
                points.append(site)
        return Chain(tuple(points), tuple(left_out), ANYTHING if self.computation.escaped else "")

    def _way_round(self, crossing: Crossing, cuts: Mapping[int, Site], sink: int) -> str:
        before = [site.name for node, site in cuts.items() if node <= crossing.tail]
        after = [site.name for node, site in cuts.items() if node >= crossing.head]
        begin = before[-1] if before else "the input"
        return f"a path from {begin} to {after[0] if after else 'the output'} leads around it"
