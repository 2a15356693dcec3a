"""What a checkpoint is: recognised by names and shapes, built from a name, or read off a module.

`recognise` and the table behind it need no torch. `build` of a listed network at its usual
input size needs none either; everything else imports it when called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infoflow.architectures import cifar_resnet, table
from infoflow.architectures.architecture import Architecture
from infoflow.architectures.spelling import modern, respelled
from infoflow.errors import ArchitectureError, MissingDependencyError
from infoflow.facts import Geometry, Initialisation, ParameterFacts
from infoflow.words import counted

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Geometry",
    "Initialisation",
    "ParameterFacts",
    "Rule",
    "build",
    "describe",
    "fit",
    "recognise",
    "resize",
]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Rule:
    """One way to know networks without torch; ``ARCHITECTURES`` lists them all.

    Args:
        name: For people.
        summary: One phrase: what it knows.
        names: Names of the networks that it knows; families give their pattern.
        recognise: The network that names and shapes are of, None if it knows none.
        named: The network of that name, None if it knows none.
    """

    name: str
    summary: str
    names: Callable[[], tuple[str, ...]]
    recognise: Callable[[Shapes], Architecture | None]
    named: Callable[[str], Architecture | None]


def _of_table(name: str) -> Architecture | None:
    return table.read(name).architecture if name in table.names() else None


ARCHITECTURES: tuple[Rule, ...] = (
    Rule(
        "ResNet (CIFAR)",
        "He et al.'s residual networks for CIFAR, of any depth 6n + 2, either shortcut",
        lambda: (f"{cifar_resnet.PREFIX}N",),
        cifar_resnet.recognise,
        cifar_resnet.build,
    ),
    Rule(
        "table",
        "torchvision's networks and the sample models, by a shipped table of names and shapes",
        table.names,
        table.recognise,
        _of_table,
    ),
)


def recognise(shapes: Shapes) -> Architecture | None:
    """The architecture that a state dict's names and shapes are of, None if none is known.

    Another number of classes or of input channels, another or no head, missing auxiliary
    heads and missing counters are allowed and noted; any other difference is not.
    """
    found = _recognise(shapes)
    if found is not None:
        return found
    spelled = {modern(name): name for name in shapes}
    if all(new == old for new, old in spelled.items()):
        return None
    found = _recognise({new: shapes[old] for new, old in spelled.items()})
    if found is None:
        return None
    return replace(
        respelled(found, spelled), note=f"{found.note}; names in torchvision's older spelling"
    )


def _recognise(shapes: Shapes) -> Architecture | None:
    found = (rule.recognise(shapes) for rule in ARCHITECTURES)
    return next((architecture for architecture in found if architecture is not None), None)


def build(spec: str, input_size: tuple[int, ...] | None = None) -> Architecture:
    """The architecture that a ``--arch`` specification names.

    Args:
        spec: ``torchvision:NAME``, ``timm:NAME``, ``infoflow:NAME`` or ``path/model.py:FACTORY``.
            Such a file is run, and nothing else is run for it: its folder is not on the import
            path.
        input_size: Spatial size of the input, where it is not the usual one.

    Raises:
        ArchitectureError: The specification names nothing, or what it names fails.
        MissingDependencyError: A package that it needs is not there.
    """
    known = (rule.named(spec) for rule in ARCHITECTURES)
    found = next((architecture for architecture in known if architecture is not None), None)
    if found is not None and input_size in (None, found.input_size):
        return found
    from infoflow.architectures.factories import blueprint

    if found is not None and found.name.startswith(cifar_resnet.PREFIX):
        return cifar_resnet.at_size(found, input_size)
    plan = blueprint(spec)
    from infoflow.architectures import live

    architecture, _ = live.build(spec, plan, input_size)
    return architecture


def describe(
    module: nn.Module, input_size: tuple[int, ...] | None = None, name: str = ""
) -> Architecture:
    """The architecture of a live module, which is neither changed nor run.

    Args:
        module: The network. A copy of it without its numbers is run on the meta device.
        input_size: Spatial size of its input (or its shape with channels, without the batch).
        name: Of the architecture; the class's name where none is given.

    Raises:
        ArchitectureError: The module has lazy layers that have no shape yet.
    """
    from infoflow.architectures.live import how_to_run
    from infoflow.architectures.trace import trace

    run_forward, fixed = how_to_run(module)
    return trace(module, input_size or fixed, name=name, run_forward=run_forward)


def resize(architecture: Architecture, input_size: tuple[int, ...]) -> Architecture:
    """The same architecture, each convolution's input at the size that this input gives it.

    Raises:
        ArchitectureError: The network does not take an input of that size.
        MissingDependencyError: The network has to be built for it, and torch is not there.
    """
    if architecture.input_size == input_size:
        return architecture
    if architecture.name.startswith(cifar_resnet.PREFIX):
        return cifar_resnet.at_size(architecture, input_size)
    try:
        other = build(architecture.name, input_size)
    except MissingDependencyError as error:
        raise MissingDependencyError(
            f"the layers' input sizes of {architecture.name} at another input than its usual one "
            f"are found by building it: {error}"
        ) from error
    sizes = {
        name: facts.geometry.input_size
        for name, facts in other.parameters.items()
        if facts.geometry is not None
    }
    if sizes and all(size is None for size in sizes.values()):
        raise ArchitectureError(
            f"{architecture.name} does not take an input of {'×'.join(map(str, input_size))}: "
            f"{other.note}"
        )
    parameters = {
        name: _with_size(facts, sizes.get(modern(name)))
        for name, facts in architecture.parameters.items()
    }
    return replace(architecture, input_size=input_size, parameters=parameters)


def _with_size(facts: ParameterFacts, size: tuple[int, ...] | None) -> ParameterFacts:
    if facts.geometry is None:
        return facts
    return replace(facts, geometry=replace(facts.geometry, input_size=size))


def fit(architecture: Architecture, shapes: Shapes) -> Architecture:
    """A named architecture as a file has it: what does not hold for the file is dropped and noted.

    Raises:
        ArchitectureError: No weight of the file is the architecture's.
    """
    expected = architecture.shapes
    weights = {name for name, shape in shapes.items() if len(shape) > 1}
    if weights and not any(expected.get(name) == shapes[name] for name in weights):
        name = min(weights)
        there = f"is {expected[name]} there" if name in expected else "does not exist there"
        raise ArchitectureError(
            f"the file does not fit {architecture.name}: none of its "
            f"{counted(len(weights), 'weight')} has the name and shape that it has there "
            f"({name}, {shapes[name]}, {there})"
        )
    wrong = {name for name in shapes.keys() & expected.keys() if shapes[name] != expected[name]}
    parameters = dict(architecture.parameters)
    for name in wrong & parameters.keys():
        parameters[name] = _reshaped(parameters[name], expected[name], shapes[name])
    notes = [architecture.note] if architecture.note else []
    for names, what in (
        (wrong, "with another shape than in"),
        (weights - expected.keys(), "not in"),
        ({name for name in expected if len(expected[name]) > 1} - weights, "missing, but in"),
    ):
        if names:
            notes.append(
                f"{counted(len(names), 'tensor')} {what} {architecture.name} (first: {min(names)})"
            )
    return replace(architecture, parameters=parameters, note="; ".join(notes))


def _reshaped(
    facts: ParameterFacts, expected: tuple[int, ...], shape: tuple[int, ...]
) -> ParameterFacts:
    """What still holds of a tensor of another shape: not its draw, and not every geometry."""
    same_kernel = len(shape) == len(expected) and shape[2:] == expected[2:]
    geometry = facts.geometry
    if geometry is not None and not (same_kernel and geometry.groups == 1):
        geometry = None
    return replace(facts, geometry=geometry, initialisation=None)
