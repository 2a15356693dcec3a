"""Activations and error signals of unmodified modules."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from infoflow.capture.batches import Batch, Inputs, call, mapped, named
from infoflow.capture.gradients import site_gradients
from infoflow.capture.keeping import Keeping
from infoflow.capture.site import Site
from infoflow.capture.undisturbed import uncompiled, undisturbed
from infoflow.capture.watch import Watch
from infoflow.errors import CaptureError, first_line

MODULES_ONLY = "the network does not run while its functions are watched: modules alone were"


class Recorder:
    """What a network's sites hold, pass by pass; made by :func:`capture`.

    Args:
        module: The network.
        errors: Whether error signals will be asked for.
        names: Sites to keep, None for all.
    """

    def __init__(
        self, module: nn.Module, *, errors: bool = False, names: Collection[str] | None = None
    ) -> None:
        self.module = module
        self.errors_wanted = errors
        self.names = None if names is None else frozenset(names)
        self.activations: dict[Site, Tensor] = {}
        self._edges: dict[Site, GradientEdge] = {}
        self._keeping = Keeping(self.activations)
        self._copies = False
        self.note = ""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites of the last pass, in the order of execution."""
        return tuple(self.activations)

    def run(self, batch: Batch) -> Any:
        """Run the network; afterwards ``sites`` and ``activations`` are those of this batch.

        Activations are detached and hold the values that the site had when it was computed, also
        where the network changed the tensor in place later.

        A network that does not run while its functions are watched is run with its modules watched
        alone, and ``note`` says so.

        Returns:
            The network's output; with error signals wanted, attached to the autograd graph.

        Raises:
            CaptureError: The network raises.
        """
        try:
            return self._run(batch, self._keeping, functions=True)
        except CaptureError as error:
            failure = error
        # Does the network itself raise, or does it not bear being watched so closely?
        self._copies = True
        try:
            output = self._run(batch, nullcontext(), functions=False)
        except CaptureError:
            raise failure from failure.__cause__
        finally:
            self._copies = False
        self.note = f"{MODULES_ONLY}: {failure}"
        return output

    def _run(self, batch: Batch, keeping: AbstractContextManager[Any], *, functions: bool) -> Any:
        self.clear()
        watch = Watch(self.module, self._receive)
        inputs = mapped(batch.inputs, self._input)
        grad = torch.set_grad_enabled(self.errors_wanted)
        with grad, watch.over([*named(inputs).values()], functions=functions), keeping:
            return run_watched(self.module, inputs, watch)

    def clear(self) -> None:
        """Let go of the last pass."""
        self.note = ""
        self.activations.clear()
        self._edges.clear()

    def errors(self, loss: Tensor) -> dict[Site, Tensor]:
        """δ: the gradient of the loss with respect to each site's tensor, as it was used.

        Sum the loss over samples (not the mean): each row is then the sample's own gradient, the
        samples being independent in evaluation mode. No parameter's ``grad`` is touched.

        Args:
            loss: A number, computed from the output of the last :meth:`run`.

        Returns:
            One tensor a site, of the shape of its activation; in float32 where that is of half
            precision. Sites that the loss does not depend on by a path that autograd follows
            (an unused head, a ``no_grad`` block, a function called in place on a view that is not
            used further) are missing.

        Raises:
            CaptureError: The pass was made without errors, or the loss depends on no site.
        """
        if not self.errors_wanted:
            raise CaptureError("The activations were captured without errors=True.")
        return site_gradients(loss, self._edges)

    def _input(self, tensor: Tensor) -> Tensor:
        """A copy to run with; one that autograd follows reaches every site of frozen networks."""
        copy = tensor.detach().clone()
        if not (self.errors_wanted and tensor.is_floating_point()):
            return copy
        # A second copy is no leaf, so that it may be changed in place.
        return copy.requires_grad_().clone()

    def _receive(self, site: Site, tensor: Tensor, instead_of: Site | None) -> Tensor | None:
        if instead_of is not None:
            self.activations.pop(instead_of, None)
            self._edges.pop(instead_of, None)
        if self.names is not None and site.name not in self.names:
            return None
        replaced = None
        if self.errors_wanted and not tensor.requires_grad and torch.is_grad_enabled():
            # A frozen embedding: autograd starts here.
            replaced = tensor.detach().requires_grad_().clone()
        used = tensor if replaced is None else replaced
        if used.requires_grad:
            self._edges[site] = get_gradient_edge(used)
        self.activations[site] = used.detach().clone() if self._copies else used.detach()
        return replaced


def run_watched(module: nn.Module, inputs: Inputs, watch: Watch) -> Any:
    """Run a module; what it raises becomes one sentence that names the module it came from."""
    try:
        output = call(module, inputs)
        watch.finished(output)
        return output
    except (torch.OutOfMemoryError, CaptureError):
        raise
    except Exception as error:
        if "can't allocate memory" in str(error):  # what the CPU's allocator says
            raise torch.OutOfMemoryError(str(error)) from error
        where = f"in {watch.running}" if watch.running else "in its own code"
        shapes = ", ".join("×".join(map(str, tensor.shape)) for tensor in named(inputs).values())
        raise CaptureError(
            f"The network stopped {where} on a batch of shape {shapes}: {first_line(error)}"
        ) from error


@contextmanager
def capture(
    module: nn.Module, *, errors: bool = False, names: Collection[str] | None = None
) -> Iterator[Recorder]:
    """Watch the sites of an unmodified network, which is put back afterwards whatever happens.

    The network runs in evaluation mode; see :func:`~infoflow.capture.undisturbed.undisturbed`.

    Args:
        module: Any module.
        errors: Whether the recorder is to give error signals.
        names: Sites to keep, None for all.

    Yields:
        A recorder, for any number of passes.

    Raises:
        CaptureError: The network cannot be run without changing it.

    >>> from infoflow.capture.batches import Batch
    >>> network = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> with capture(network) as recorder:
    ...     output = recorder.run(Batch((torch.ones(4, 3),)))
    >>> [(site.name, tuple(recorder.activations[site].shape)) for site in recorder.sites]
    [('0', (4, 2)), ('1', (4, 2))]
    """
    module = uncompiled(module)
    with undisturbed(module):
        yield Recorder(module, errors=errors, names=names)
