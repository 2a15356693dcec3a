"""What the maps of a convolution repeat of each other, as rows and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from infoflow.activations.papers import PAPERS_SAMPLES, alpha_text
from infoflow.activations.rows import number
from infoflow.activations.variables import Variable
from infoflow.capture import Site
from infoflow.kernels import gram
from infoflow.measures.activations.redundancy import (
    copy_invariant_of_grams,
    dependence,
    map_kernels,
    ren_redundancy,
    unexplained,
)
from infoflow.measures.activations.removal import COPY
from infoflow.report import Measurement, Series
from infoflow.words import counted, cut

SAMPLES = 256
"""The first ones, at most: C Gram matrices of n² numbers are held at once."""
FILTERS = 64
"""Of a layer, at most; more are thinned evenly."""
POSITIONS = 1024
"""Of a map, at most."""
OBSERVATIONS = 2**15
"""Samples times positions of the regression of a map on the others, at most."""
COMBINED = 0.01
"""1 − R² below which a map counts as a combination of the others."""
TOLD = 8
"""Filters, or pairs of them, that a note names."""


def of_maps(site: Site, shape: Sequence[int]) -> bool:
    """Whether a site is a convolution's output, (C, …) of a sample, before any nonlinearity."""
    return "conv" in site.module_type.lower() and site.role == "linear map" and len(shape) > 1


def maps_need(samples: int, shape: tuple[int, ...]) -> int:
    """Bytes that `report` takes for a site of this shape of a sample, at most."""
    few, filters = min(samples, SAMPLES), min(shape[0], FILTERS)
    positions = min(math.prod(shape[1:]), POSITIONS)
    kernels = 8 * filters * few**2
    regression = 8 * filters * min(few * positions, OBSERVATIONS)
    return 3 * kernels + 4 * few * filters * positions + 3 * regression


def thinned(maps: Tensor, positions: int = POSITIONS) -> Tensor:
    """Maps (n, C, …) as (n, C, p) with p evenly spaced positions, no more than asked for."""
    flat = maps.flatten(2)
    return flat[..., :: -(-flat.shape[2] // positions)]


def evenly(filters: int, wanted: int) -> Tensor:
    """Numbers of at most ``wanted`` filters, evenly spaced."""
    return torch.linspace(0, filters - 1, min(filters, wanted)).round().long()


def report(
    site: Site,
    values: Tensor,
    x: Variable,
    alpha: float,
    rows: list[Measurement],
    series: list[Series],
) -> None:
    """Append what the maps of a convolution say; nothing for a site of another kind.

    Args:
        site: Any site.
        values: (n, C, …), its activations.
        x: The input, with at least as many samples.
        alpha: Of the papers' functional.
        rows: Of the report so far.
        series: Likewise.
    """
    if not of_maps(site, values.shape[1:]) or values.shape[1] < 2:
        return
    chosen = evenly(values.shape[1], FILTERS)
    maps = thinned(values[:SAMPLES])[:, chosen]  # in this order: large maps are not copied
    kernels = map_kernels(maps)
    words = _words(values, maps)
    pairs = dependence(kernels.grams)
    rows += _sums(site.name, kernels.grams, x, alpha, words)
    rows.append(_copies(site.name, pairs, kernels.dead, chosen, words))
    rows.append(_combinations(site.name, maps, chosen, words))
    shown = (
        float(f"{one:.5g}") if math.isfinite(one) else None for one in pairs.flatten().tolist()
    )
    note = f"I₂(i;j)/√(I₂(i;i)·I₂(j;j)); {words}"
    series.append(Series(site.name, "filter-dependence", "share", pairs.shape, tuple(shown), note))


def _words(values: Tensor, maps: Tensor) -> str:
    """Of what the figures are, where it is less than everything."""
    found = [f"σ half-median of each map; n = {len(maps)}"]
    if maps.shape[1] < values.shape[1]:
        found.append(f"{maps.shape[1]} of {values.shape[1]:,} filters, evenly spaced")
    whole = values[0, 0].numel()
    if maps.shape[2] < whole:
        found.append(f"{maps.shape[2]:,} of {whole:,} positions")
    return "; ".join(found)


def _sums(name: str, grams: Tensor, x: Variable, alpha: float, words: str) -> Iterator[Measurement]:
    count = grams.shape[1]
    own = gram(x.part(torch.arange(count)))
    few = min(count, PAPERS_SAMPLES)
    papers = float(ren_redundancy(own[:few, :few], grams[:, :few, :few], alpha))
    method = (
        f"Σ I(X;Tⁱ) − I(X;{{T¹ … Tᶜ}}) over {len(grams)} maps, matrix-based Rényi, "
        f"α = {alpha_text(alpha)}, of the first {few}; product of the kernels; {words}"
    )
    note = "mostly a count of the maps: a product of kernels gets sharper with each"
    yield number(name, "redundancy", "papers", papers, method=method, note=note)
    method = (
        f"Σ I₂(X;Tⁱ) − I₂(X; minimum of the kernels) over {len(grams)} maps, without diagonal; "
        f"{words}"
    )
    value = float(copy_invariant_of_grams(own, grams))
    yield number(name, "redundancy", "copy-invariant", value, method=method)


def _copies(name: str, pairs: Tensor, dead: Tensor, chosen: Tensor, words: str) -> Measurement:
    found = torch.nonzero(torch.triu(pairs >= COPY, diagonal=1))
    told = cut([f"{chosen[i]} = {chosen[j]}" for i, j in found.tolist()], TOLD)
    constant = int(dead.sum())
    without = f"without {counted(constant, 'constant map')}" if constant else ""
    method = f"pairs with a normalised dependence of 1 within {1 - COPY:.0e}; {words}"
    return number(
        name, "duplicate-filters", "activations", float(len(found)), unit="count",
        method=method, note="; ".join(filter(None, [told, without])),
    )  # fmt: skip


def _combinations(name: str, maps: Tensor, chosen: Tensor, words: str) -> Measurement:
    samples, filters, _ = maps.shape
    part = thinned(maps, max(1, OBSERVATIONS // samples))
    observations = samples * part.shape[2]
    method = (
        f"share of maps with R² > {1 - COMBINED:g} on the layer's others, before the "
        f"nonlinearity; {observations:,} observations; {words}"
    )
    row = partial(number, name, "linear-redundancy", "value", unit="share", method=method)
    if observations < 2 * filters:
        return row(float("nan"), note=f"{observations} observations of {filters} maps explain any")
    found = torch.nonzero(unexplained(part) < COMBINED).flatten()
    return row(len(found) / filters, note=cut([str(int(chosen[i])) for i in found], TOLD))
