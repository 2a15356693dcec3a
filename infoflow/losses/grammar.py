"""``NAME=λ[,setting=value…][:LAYERS]`` read into a request; nothing unknown gets through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from infoflow.errors import SelectionError
from infoflow.losses.catalogue import LOSSES
from infoflow.losses.loss import Loss, Setting, Value
from infoflow.nearest import nearest


@dataclass(frozen=True)
class LossRequest:
    """A loss as it is asked for.

    Args:
        name: One of `infoflow.losses.LOSSES`.
        strength: λ (β of batch-entropy), of either sign.
        settings: Those that were given; ``setting`` adds the defaults.
        layers: ``all``, ``first``, or patterns of names separated by commas (``layer1.*``,
            ``!*.downsample.*``).

    Raises:
        SelectionError: The loss, a setting or a value is unknown.
    """

    name: str
    strength: float
    settings: Mapping[str, Value] = field(default_factory=dict)
    layers: str = "all"

    def __post_init__(self) -> None:
        loss = _loss(self.name)
        if not (isinstance(self.strength, int | float) and math.isfinite(self.strength)):
            raise SelectionError(f"{self.name} needs a finite strength, not {self.strength!r}.")
        for name, value in self.settings.items():
            if name not in loss.settings:
                raise SelectionError(
                    f"The loss {self.name} has no setting {name!r}; {nearest(name, loss.settings)} "
                    "(`infoflow losses` lists them all)."
                )
            _value(loss, name, loss.settings[name], str(value))

    def setting(self, name: str) -> Value:
        """The value that was given, in its right type, or the default."""
        loss = LOSSES[self.name]
        if name not in self.settings:
            return loss.settings[name].default
        return _value(loss, name, loss.settings[name], str(self.settings[name]))

    def number(self, name: str) -> float:
        """A setting that is a number."""
        return float(self.setting(name))

    def __str__(self) -> str:
        """The request as `read` takes it.

        >>> str(LossRequest("conv", 0.01, {"form": "inverse"}, "first"))
        'conv=0.01,form=inverse:first'
        """
        settings = "".join(f",{name}={value}" for name, value in self.settings.items())
        layers = "" if self.layers == "all" else f":{self.layers}"
        return f"{self.name}={self.strength:g}{settings}{layers}"


def read(text: str) -> LossRequest:
    """The request in a text ``NAME=λ[,setting=value…][:LAYERS]``.

    >>> read("batch-entropy=0.2,alpha-min=0.1:layer*")
    LossRequest(name='batch-entropy', strength=0.2, settings={'alpha-min': 0.1}, layers='layer*')

    Raises:
        SelectionError: It cannot be read; the nearest names are given.
    """
    head, colon, layers = text.partition(":")
    first, *others = head.split(",")
    name, equals, strength = (part.strip() for part in first.partition("="))
    loss = _loss(name)
    if not equals:
        raise SelectionError(f"{text!r} says no strength; write {name}=0.1, for example.")
    if colon and not layers.strip():
        raise SelectionError(f"{text!r} names no layer after the colon.")
    settings: dict[str, Value] = {}
    for part in others:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise SelectionError(f"{part.strip()!r} in {text!r} is not of the form setting=value.")
        if key in settings:
            raise SelectionError(f"{text!r} gives {key} twice.")
        known = loss.settings.get(key)
        settings[key] = value if known is None else _value(loss, key, known, value)
    number = _number(strength)
    if number is None:
        raise SelectionError(f"The strength of {name} in {text!r} is no number: {strength!r}.")
    return LossRequest(name, number, settings, layers.strip() or "all")


def _loss(name: str) -> Loss:
    if name not in LOSSES:
        raise SelectionError(
            f"No loss is called {name!r}; {nearest(name, LOSSES)} "
            "(`infoflow losses` lists them all)."
        )
    return LOSSES[name]


def _value(loss: Loss, name: str, setting: Setting, text: str) -> Value:
    if setting.choices:
        if text not in setting.choices:
            raise SelectionError(
                f"{name} of {loss.name} cannot be {text!r}; {nearest(text, setting.choices)}."
            )
        return text
    number = _number(text)
    if isinstance(setting.default, str):
        return number if setting.words and number is not None else text
    whole = isinstance(setting.default, int)
    fits = number is not None and (not whole or number == int(number))
    if number is None or not fits or (setting.low is not None and number < setting.low):
        kind = "a whole number" if whole else "a number"
        least = "" if setting.low is None else f" of at least {setting.low:g}"
        raise SelectionError(f"{name} of {loss.name} must be {kind}{least}, not {text!r}.")
    return int(number) if whole else number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
