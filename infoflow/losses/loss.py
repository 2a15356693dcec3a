"""What a loss is: its name, what it does, its settings, and where its term is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

Value = float | int | str
"""Of a setting."""


@dataclass(frozen=True)
class Setting:
    """A setting of a loss.

    Args:
        default: Its value where nobody gives one; its type is the setting's.
        meaning: One phrase.
        choices: The words that are allowed; any of the default's type where empty.
        low: The smallest number that is allowed, None for any.
        words: Whether a number may also be given as a word, or the reverse (a rule or a σ).
    """

    default: Value
    meaning: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    words: bool = False


@dataclass(frozen=True)
class Loss:
    """A descriptor; `infoflow.losses.LOSSES` lists them all.

    Args:
        name: Stable name, as in ``--entropy-loss NAME=λ``.
        summary: One sentence: what it does.
        sign: What a positive strength does.
        layers: The layers that it applies to, in words.
        source: Paper and equation.
        needs_activations: Whether it looks at activations, not weights alone.
        term: ``module:Class`` of the term, imported on use.
        settings: By name.
    """

    name: str
    summary: str
    sign: str
    layers: str
    source: str
    needs_activations: bool
    term: str
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def factory(self) -> Any:
        """The class of the term: ``factory(request, model)``. Imports torch."""
        module, name = self.term.split(":")
        return getattr(import_module(module), name)
