"""From a request to one layer of a file and one form of it; nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from infoflow.errors import OperatorError, SelectionError
from infoflow.extraction.forms import FLAT, FORMS, Estimate, Form, Subject, Wanted, kind_of
from infoflow.layers import Layer, PlannedLayer
from infoflow.nearest import nearest
from infoflow.network import Opened
from infoflow.selection import select
from infoflow.words import cut, with_article


@dataclass(frozen=True)
class Choice:
    """One matrix of one layer, not yet read.

    Args:
        layer: The layer.
        wanted: What of it.
        input_size: Of the layer's input, None where unknown or not needed.
        others: All layers of the file that have matrices.
    """

    layer: PlannedLayer
    wanted: Wanted
    input_size: tuple[int, ...] | None
    others: tuple[PlannedLayer, ...] = ()

    @property
    def kind(self) -> str:
        """Of the layer, as ``FORMS`` names it."""
        return kind_of(self.layer.summary)

    @property
    def form(self) -> Form:
        """The row of ``FORMS``."""
        return FORMS[self.wanted.what]

    @cached_property
    def estimate(self) -> Estimate:
        """Its size, from shapes alone.

        Raises:
            OperatorError: The layer has no such matrix at this input size.
            SelectionError: There is no such filter slice.
        """
        stand_in = np.broadcast_to(np.float32(0), self.layer.summary.shape)
        try:
            subject = Subject(stand_in, self.layer.geometry, self.input_size)
            return self.form.estimate(subject, self.wanted)
        except OperatorError as error:
            name = self.layer.summary.name
            raise OperatorError(f"{name}, {self.wanted.what}: {error}") from error

    def subject(self, layer: Layer) -> Subject:
        """The layer that was read, as ``form.build`` takes it."""
        return Subject(layer.weight, self.layer.geometry, self.input_size)


def choose(
    opened: Opened, layer: str, wanted: Wanted, input_size: tuple[int, ...] | None = None
) -> Choice:
    """The one layer that is meant, and whether it has the matrix that is wanted.

    Args:
        opened: The network.
        layer: Name of the layer, or a pattern that only one matches.
        wanted: What of it.
        input_size: As the user gave it: of the network, or without an architecture of the layer.

    Raises:
        SelectionError: No layer or several match; the layer has no such matrix; the size of its
            input is needed and not known.
    """
    layers = tuple(one for one in opened.plan.layers if one.summary.kind != "normalisation")
    planned = one_layer(layers, layer, opened)
    name, kind = planned.summary.name, kind_of(planned.summary)
    form = FORMS[wanted.what]
    if kind not in form.kinds:
        able = [word for word, other in FORMS.items() if kind in other.kinds]
        has = f"it has {', '.join(able)}" if able else "extract has no form of it"
        what = f"{kind} layer" if kind == "dense" else kind
        raise SelectionError(
            f"{name} is {with_article(what)} and has no {wanted.what} ({form.says}); {has}."
        )
    if wanted.what.startswith("C_M") and len(planned.summary.shape) > 4:
        raise SelectionError(
            f"{name} has {len(planned.summary.shape) - 2} spatial dimensions and {wanted.what} is "
            "of images; --what layer is the whole layer's matrix in any number of dimensions."
        )
    size = _own_size(planned, input_size, known=opened.architecture is not None)
    if form.needs_size and kind not in FLAT and size is None:
        raise SelectionError(_size_wanted(planned, opened, input_size))
    return Choice(planned, wanted, size, layers)


def one_layer(layers: Sequence[PlannedLayer], word: str, opened: Opened) -> PlannedLayer:
    """The layer of that name, or the only one that matches the pattern.

    Raises:
        SelectionError: None or several match; names the nearest, or why it is no layer.
    """
    named = [layer for layer in layers if layer.summary.name == word]
    if named:
        return named[0]
    every = {layer.summary.name: layer.summary.kind for layer in opened.plan.layers}
    if every.get(word) == "normalisation":
        raise SelectionError(f"{word} is a normalisation, a scale for each channel: no matrix.")
    for record in opened.plan.records:
        if word in {record.name, record.name.removesuffix(".weight")} and word not in every:
            taken = [one.summary.name for one in layers if record.name in one.tensors]
            reason = f"its layers are {', '.join(taken)}" if taken else record.reason
            raise SelectionError(f"{word} is no layer that has a matrix: {reason}.")
    try:
        found = select(layers, [word])
    except SelectionError as error:
        names = [layer.summary.name for layer in layers]
        raise SelectionError(
            f"No layer that has a matrix matches {word!r}; {nearest(word, names)} "
            "(`infoflow layers` lists them all)."
        ) from error
    if len(found) > 1:
        names = [layer.summary.name for layer in found]
        raise SelectionError(f"{word!r} matches {len(names)} layers ({cut(names, 3)}); name one.")
    return found[0]


def _own_size(
    planned: PlannedLayer, given: tuple[int, ...] | None, *, known: bool
) -> tuple[int, ...] | None:
    """Of the layer's input; one number serves every dimension where nothing else is known."""
    geometry = planned.geometry
    if geometry is None:
        return None
    if geometry.input_size is None and given and not known and len(set(given)) == 1:
        return (given[0],) * len(geometry.stride)
    return geometry.input_size


def _size_wanted(planned: PlannedLayer, opened: Opened, given: tuple[int, ...] | None) -> str:
    name, dimensions = planned.summary.name, len(planned.summary.shape) - 2
    example = "x".join(["32"] * dimensions) if dimensions != 1 else "32"
    if opened.architecture is not None:
        return (
            f"{name}: the size of its input is not known for {opened.architecture.title}"
            f"{'' if given else f' without --input-size (such as --input-size {example})'}; "
            "--what symbol needs none."
        )
    if given:
        return (
            f"{name} has {dimensions} spatial dimensions and --input-size gives {len(given)} "
            f"different numbers; give one number for all, or {dimensions} such as {example}."
        )
    return (
        f"{name}: the size of its input is not known; give it, such as --input-size {example}, "
        "or take --what symbol, which needs none."
    )


def smaller_choices(choice: Choice) -> list[tuple[str, Choice]]:
    """Other choices in words, the nearest to what is wanted first; some are no smaller."""
    wanted, kind = choice.wanted, choice.kind
    found: list[tuple[str, Choice]] = []
    if wanted.what == "W-square":
        found.append(("--what W", replace(choice, wanted=Wanted("W"))))
    if wanted.what == "layer" and kind not in FLAT:
        if kind in FORMS["C_M"].kinds and len(choice.layer.summary.shape) <= 4:
            found.append(("--what C_M", replace(choice, wanted=Wanted("C_M"))))
        found.append(("--what symbol", replace(choice, wanted=Wanted("symbol"))))
    if kind not in FLAT:
        for grid in (8, 4, 2, 1):
            words = f"--what symbol --grid {grid}"
            found.append((words, replace(choice, wanted=Wanted("symbol", grid=grid))))
    by_size = sorted(choice.others, key=lambda one: -one.summary.parameters)
    for layer in by_size:
        if kind_of(layer.summary) == kind and layer is not choice.layer:
            words = f"--layer {layer.summary.name}"
            size = layer.geometry.input_size if layer.geometry else None
            if kind in FLAT or size or not choice.form.needs_size:
                found.append((words, Choice(layer, wanted, size)))
    return found
