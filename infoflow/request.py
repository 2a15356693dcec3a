"""What to measure of which network, and how a report says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING

from infoflow.measures import choose

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Request:
    """What to measure of which network: plain data, which another process can be sent.

    See `infoflow.analyze` for the fields; a live module as the source cannot be sent.
    """

    source: str | nn.Module
    measures: tuple[str, ...]
    """The names of all of them."""
    asked: str = "all"
    """The measures as they were asked for."""
    layers: tuple[str, ...] = ()
    arch: str | None = None
    input_size: tuple[int, ...] | None = None
    weights: str = "auto"
    trust_pickle: bool = False
    device: str = "cpu"
    fast: bool = False
    seed: int = 0
    complete: bool = True

    @property
    def settings(self) -> dict[str, str]:
        """What was asked for, in the words of a report's and of a comparison's settings."""
        return {
            "measures": self.asked,
            "layers": ",".join(self.layers) or "all",
            "weights": self.weights,
            "fast": "yes: tolerances ten times coarser" if self.fast else "no",
            "seed": str(self.seed),
        }


def request_of(
    source: str | PathLike[str] | nn.Module,
    *,
    measures: str | Sequence[str],
    layers: str | Sequence[str],
    arch: str | None,
    input_size: int | tuple[int, ...] | None,
    weights: str,
    trust_pickle: bool,
    fast: bool,
    seed: int,
    complete: bool,
    device: str = "cpu",
) -> Request:
    """The request of a caller, who may name a set of measures, one pattern, or a square's side.

    Raises:
        SelectionError: No measure has one of the names.
    """
    return Request(
        fspath(source) if isinstance(source, (str, PathLike)) else source,
        measures=tuple(measure.name for measure in choose(measures)),
        asked=measures if isinstance(measures, str) else ",".join(measures),
        layers=(layers,) if isinstance(layers, str) else tuple(layers),
        arch=arch,
        input_size=(input_size, input_size) if isinstance(input_size, int) else input_size,
        weights=weights,
        trust_pickle=trust_pickle,
        device=device,
        fast=fast,
        seed=seed,
        complete=complete,
    )
