"""A family of networks, its options, and how a member is spelled."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn

Option = int | float | str | bool | tuple[int, ...]
Task = Literal["classification", "reconstruction", "segmentation"]

LARGEST = 1_000_000
"""Of one number of a member: a file's metadata must not ask for what no machine can hold."""

MOST = {"depth": 2000, "blocks": 16}
"""Of options that count layers."""

FIXED = ("inputs", "classes")
"""Options that come from the data, not from whoever trains."""


@dataclass(frozen=True)
class Family:
    """A family; its options are the parameters of its class.

    Args:
        make: Builds a member from its options.
        summary: One phrase.
        task: What its members are for.
        pictures: Whether a sample is a picture: channels, height and width.
    """

    make: Callable[..., nn.Module]
    summary: str
    task: Task = "classification"
    pictures: bool = True

    @property
    def options(self) -> dict[str, Option]:
        """Every option with its default."""
        known = inspect.signature(self.make).parameters
        return {name: parameter.default for name, parameter in known.items()}

    @property
    def chosen(self) -> dict[str, Option]:
        """Those that whoever trains may choose."""
        return {name: value for name, value in self.options.items() if name not in FIXED}


def spelled(name: str, options: Mapping[str, Option]) -> str:
    """A member with its options.

    >>> spelled("fnn", {"depth": 3, "inputs": (1, 28, 28), "bias": True})
    'fnn(depth=3,inputs=1x28x28,bias=true)'
    """
    return f"{name}({','.join(f'{key}={_text(value)}' for key, value in options.items())})"


def read(text: str) -> tuple[str, dict[str, Option]]:
    """The family and the options of a spelled member.

    >>> read("fnn(depth=3,inputs=1x28x28,bias=true)")
    ('fnn', {'depth': 3, 'inputs': (1, 28, 28), 'bias': True})
    >>> read("fnn")
    ('fnn', {})

    Raises:
        ValueError: It is not of that form.
    """
    found = re.fullmatch(r"([\w-]+)(?:\((.*)\))?", text)
    if found is None:
        raise ValueError(f"{text!r} is not written as NAME(option=value,…)")
    name, inside = found.groups()
    options: dict[str, Option] = {}
    for part in (inside or "").split(",") if inside else ():
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier():
            raise ValueError(f"{part!r} in {text!r} is not of the form option=value")
        options[key] = _value(value)
    return name, options


def member(family: Family, name: str, options: Mapping[str, Option]) -> dict[str, Option]:
    """Every option of a member: those given, and the family's own.

    Raises:
        ValueError: There is no such option, or its value is of another kind.
    """
    known = family.options
    found = dict(known)
    for key, given in options.items():
        if key not in known:
            raise ValueError(f"{name} has no option {key!r}; it has {', '.join(known)}")
        default = known[key]
        # A shape of one number is spelled like that number.
        value = (given,) if isinstance(default, tuple) and type(given) is int else given
        found[key] = value
        fits = isinstance(value, type(default)) or (
            isinstance(default, float) and isinstance(value, int)
        )
        if not fits or (isinstance(value, bool) and not isinstance(default, bool)):
            raise ValueError(f"{key} of {name} is like {_text(default)}, not {_text(value)}")
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            if isinstance(number, int | float) and not 0 <= number <= MOST.get(key, LARGEST):
                raise ValueError(f"{key} of {name} cannot be {_text(value)}")
    inputs = found["inputs"]
    if family.pictures and (not isinstance(inputs, tuple) or len(inputs) != 3):
        raise ValueError(f"{name} takes pictures (channels, height, width), not {_text(inputs)}")
    return found


def built(family: Family, name: str, options: Mapping[str, Option]) -> nn.Module:
    """A member, freshly drawn.

    Raises:
        ValueError: Its options are unknown, or make no network.
    """
    return family.make(**member(family, name, options))


def _text(value: Option) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value)


def _value(text: str) -> Option:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"\d+(x\d+)+", text):
        return tuple(int(part) for part in text.split("x"))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
