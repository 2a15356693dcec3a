"""The entropy budget as rows: what each layer adds, and whether the layers add up to the whole."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infoflow.activations.rows import number
from infoflow.capture import Site, capture
from infoflow.capture.nesting import main_output
from infoflow.capture.undisturbed import uncompiled
from infoflow.data.batch import Batch
from infoflow.errors import InfoflowError
from infoflow.graph import Chain
from infoflow.measures.activations.budget import (
    LARGEST_JACOBIAN,
    SLOPES,
    UNDEFINED,
    Term,
    log_determinants,
    term,
)
from infoflow.report import Measurement
from infoflow.statistics.intervals import interval

NETWORK = ""
SAMPLES = 16
"""Samples of which a term is the mean: a Jacobian is computed for each."""
LARGEST_WHOLE = 1024
"""Inputs of a network beyond which the Jacobian of the whole is not computed."""
TOLERANCE = 1e-3
"""Relative difference up to which the sum is the Jacobian's, in a run in float32."""
MEASURE = "entropy-budget"

FUNCTIONS: Mapping[str, nn.Module] = {
    "relu": nn.ReLU(), "relu6": nn.ReLU6(), "hardtanh": nn.Hardtanh(), "gelu": nn.GELU(),
    "silu": nn.SiLU(), "mish": nn.Mish(), "hardswish": nn.Hardswish(), "softmax": nn.Softmax(-1),
    "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "logsigmoid": nn.LogSigmoid(),
}  # fmt: skip
"""Functions of a forward method that have no settings, as modules."""


@dataclass(frozen=True)
class Budget:
    """What each layer adds at the first samples.

    Args:
        terms: Of each site, in order.
        whole: (n,) log|det J| of the whole network by autograd, None where there is none.
        reason: Why there is none.
        samples: n.
    """

    terms: Mapping[Site, Term]
    whole: Tensor | None
    reason: str
    samples: int


def rows(
    module: nn.Module, batch: Batch, sites: Sequence[Site], chain: Chain
) -> Iterator[Measurement]:
    """A row a site, and of the whole network the sums by kind and the Jacobian's log-determinant.

    Args:
        module: The network, where and as it runs.
        batch: The first `SAMPLES` samples, prepared for it.
        sites: Those to look at.
        chain: Whose sites the whole network consists of.
    """
    with torch.no_grad():
        terms = _terms(module, batch, sites)
    found = _whole(module, batch, terms, chain)
    for site, one in found.terms.items():
        yield _row(site.name, "value", one, found.samples)
    yield from _network(found, chain)


def _terms(module: nn.Module, batch: Batch, sites: Sequence[Site]) -> dict[Site, Term]:
    """What each site's module, or function, adds; a module is looked at while it runs."""
    module = uncompiled(module)
    parts = dict(module.named_modules())
    by_module = {(site.name.partition("#")[0], site.call): site for site in sites}
    found: dict[Site, Term] = {}
    owners = {site: _owner(site) for site in sites if site.name.partition("#")[0] not in parts}
    with capture(module, names=set(owners.values())) as recorder, ExitStack() as stack:
        for name in {name for name, _ in by_module if name in parts}:
            stack.enter_context(_watched(parts[name], name, by_module, found))
        recorder.run(batch)
        values = {site.name: one for site, one in recorder.activations.items()}
    for site, owner in owners.items():
        found[site] = _of_function(site, values.get(owner))
    return {site: found[site] for site in sites if site in found}


@contextmanager
def _watched(
    part: nn.Module, name: str, sites: Mapping[tuple[str, int], Site], found: dict[Site, Term]
) -> Iterator[None]:
    calls = 0

    def look(module: nn.Module, given: tuple[Any, ...]) -> None:
        nonlocal calls
        calls += 1
        site = sites.get((name, calls))
        if site is not None:
            found[site] = _of_module(module, given)

    handle = part.register_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


def _of_module(module: nn.Module, given: tuple[Any, ...]) -> Term:
    tensors = [one for one in given if isinstance(one, Tensor)]
    if len(tensors) != 1 or not tensors[0].is_floating_point():
        return Term("other", None, "not defined: its input is not one tensor of real numbers")
    values = tensors[0].detach()
    if type(module) in UNDEFINED or (
        isinstance(module, nn.Linear) and module.in_features != module.out_features
    ):
        return term(module, values[:1])  # says why; nothing is copied for that
    if not _closed(module) and values[0].numel() > LARGEST_JACOBIAN:
        values = values[:1]  # what is too large is told from one
    values = values.clone()
    layer = copy.deepcopy(module).to(values.device, torch.float64)
    for one in layer.modules():  # those of the watch, and of this function
        one._forward_hooks.clear()
        one._forward_pre_hooks.clear()
    try:
        return term(layer, values)
    except (InfoflowError, RuntimeError) as error:
        return Term(
            "other", None, f"not computed: {next(iter(str(error).splitlines()), 'it fails')}"
        )


def _closed(module: nn.Module) -> bool:
    """Whether a module's term has a closed form."""
    normalisations = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
    return type(module) in SLOPES or isinstance(module, nn.Linear | normalisations)


def _of_function(site: Site, values: Tensor | None) -> Term:
    known = FUNCTIONS.get(site.module_type)
    if known is None:
        said = f"{site.module_type} is a function in a forward method, whose settings are not seen"
        return Term("other", None, f"not computed: {said}")
    if values is None:
        return Term("activation", None, "not computed: what it is applied to was not watched")
    return term(known, values)


def _owner(site: Site) -> str:
    """The site that a function was applied to: ``conv1`` of ``conv1.relu``."""
    return site.name.partition("#")[0].rpartition(".")[0]


def _whole(module: nn.Module, batch: Batch, terms: dict[Site, Term], chain: Chain) -> Budget:
    x = batch.x
    count = len(x)
    known = [terms.get(site) for site in chain.points]
    if not known or any(one is None or one.values is None for one in known):
        return Budget(terms, None, "a layer of the chain has no term", count)
    size = x[0].numel()
    if size > LARGEST_WHOLE:
        return Budget(terms, None, f"its Jacobian has {size} × {size} entries", count)
    network = copy.deepcopy(uncompiled(module)).to(torch.float64).eval()

    def run(one: Tensor) -> Tensor:
        output = main_output(network(one))
        assert output is not None
        return output

    try:
        return Budget(terms, log_determinants(run, x).detach(), "", count)
    except (InfoflowError, RuntimeError, TypeError) as error:
        said = next(iter(str(error).splitlines()), "it fails")
        return Budget(terms, None, said.removesuffix("."), count)


def _row(layer: str, statistic: str, one: Term, samples: int) -> Measurement:
    method = f"{one.kind} term, mean of log|det J|; n = {samples}"
    if one.values is None:
        return number(layer, MEASURE, statistic, math.nan, unit="nats", method=method,
                      note=one.reason)  # fmt: skip
    return _mean(layer, statistic, one.values, method)


def _mean(layer: str, statistic: str, values: Tensor, method: str, note: str = "") -> Measurement:
    mean = float(values.mean())
    within = interval(mean, values - mean) if math.isfinite(mean) and len(values) > 1 else None
    return number(
        layer, MEASURE, statistic, mean, unit="nats", method=method, note=note,
        low=within.low if within else None, high=within.high if within else None,
    )  # fmt: skip


def _network(found: Budget, chain: Chain) -> Iterator[Measurement]:
    """The sum over the chain where every layer has a term; else a sentence for each reason."""
    terms = [(site, found.terms[site]) for site in chain.points if site in found.terms]
    undefined = [(site, one.reason) for site, one in terms if one.values is None]
    if undefined or len(terms) < len(chain.points) or not terms:
        site, reason = undefined[0] if undefined else (None, "a site of the chain was left out")
        where = (
            f" ({len(undefined)} of {len(terms)} sites of the chain; first {site.name})"
            if site
            else ""
        )
        yield number(NETWORK, MEASURE, "value", math.nan, unit="nats", note=f"{reason}{where}")
        return
    method = f"mean of log|det J|, sums over the chain; n = {found.samples}"
    kinds = {one.kind for _, one in terms}
    for kind in sorted(kinds):
        part = [one.values for _, one in terms if one.kind == kind and one.values is not None]
        yield _mean(NETWORK, kind, torch.stack(part).sum(dim=0), method)
    total = torch.stack([one.values for _, one in terms if one.values is not None]).sum(dim=0)
    yield _mean(NETWORK, "value", total, method)
    jacobian = f"log|det| of the whole network's Jacobian by autograd; n = {found.samples}"
    if found.whole is None:
        yield number(NETWORK, MEASURE, "jacobian", math.nan, unit="nats", method=jacobian,
                     note=f"not computed: {found.reason}")  # fmt: skip
        return
    yield _mean(NETWORK, "jacobian", found.whole, jacobian)
    apart = float((total.cpu() - found.whole.cpu()).abs().max())
    scale = max(1.0, float(found.whole.abs().max()))
    note = "" if apart <= TOLERANCE * scale else "the network does more than its sites show"
    if not math.isfinite(apart):
        note = "a determinant is 0 in rounding: the two cannot be compared"
    words = "largest difference of a sample between the sum and the Jacobian"
    yield number(NETWORK, MEASURE, "difference", apart, unit="nats", method=words, note=note)
