"""Finds the network's tensors among everything else that a training script saved.

The rule, applied from the outside inwards:

1. A mapping with a usual key (``state_dict``, ``model``, …) that leads to tensors is
   entered there; the first of ``RAW_KEYS`` wins. Averaged weights lie under the keys
   ``EMA_KEYS``; they are taken when asked for, or when there are no others.
2. A mapping with tensors of its own is the state dict; mappings within it are joined
   with a dot, as in trees of parameters.
3. A mapping without tensors of its own, but with exactly one mapping that leads to
   some, is entered there; with several, all are joined with a dot.

Training state (optimizers, schedulers, random generators) is never entered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.words import with_article

RAW_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "weights",
    "module",
)
EMA_KEYS = (
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema_model",
    "model_ema_state_dict",
    "ema",
    "params_ema",
    "shadow",
)
_TRAINING = ("optim", "sched", "lr_sched", "compression_sched", "scaler", "callbacks", "loops")
_LIGHTNING = "pytorch-lightning_version"
_DEEPEST = 12
_MOST_TENSORS = 1_000_000
_LONGEST_TEXT = 500
_LONGEST_NAME = 4096
_MOST_CHARACTERS = 2**27
"""Of all names together, and 64 for each: mappings that share parts may have far more of them
than the file has bytes."""


@dataclass
class Found:
    """The tensors of a network, and what was passed on the way to them."""

    tensors: dict[str, object]
    metadata: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lightning: bool = False
    averaged: bool = False
    """Whether averaged (EMA) weights were taken."""


def is_text(value: object) -> bool:
    """Whether a value can stand in the metadata: a number, or text of reasonable length."""
    return isinstance(value, bool | int | float) or (
        isinstance(value, str) and len(value) <= _LONGEST_TEXT
    )


class Search:
    """A search through one object.

    Args:
        is_tensor: Whether a leaf is a tensor.
        number: The number in a tensor of one element as text, else None.
    """

    def __init__(
        self, is_tensor: Callable[[object], bool], number: Callable[[object], str | None]
    ) -> None:
        self.is_tensor = is_tensor
        self.number = number
        # By identity: the same mapping may stand in many places, and even within itself.
        self._leads: dict[int, bool] = {}
        self._characters = 0

    def leads(self, value: object, depth: int = 0) -> bool:
        """Whether a value is a mapping with tensors in it, or in mappings in it."""
        if not isinstance(value, Mapping) or depth > _DEEPEST:
            return False
        known = self._leads.get(id(value))
        if known is None:
            self._leads[id(value)] = False
            known = any(self.is_tensor(part) for part in value.values()) or any(
                self.leads(part, depth + 1)
                for key, part in value.items()
                if not is_training(key, part)
            )
            self._leads[id(value)] = known
        return known

    def run(self, root: object, weights: str, depth: int = 0) -> Found:
        """The tensors under ``root``.

        Raises:
            ReadError: where there are none.
        """
        if self.is_tensor(root):
            raise ReadError("holds a single tensor, not the state dict of a network")
        if not isinstance(root, Mapping):
            raise ReadError(
                f"holds {with_article(type(root).__name__)}, not the state dict of a network"
            )
        if not self.leads(root) or depth > _DEEPEST:
            raise ReadError(f"holds no tensors of a network{_keys_told(root)}")
        raw = [key for key in RAW_KEYS if self.leads(root.get(key))]
        averaged = [key for key in EMA_KEYS if self.leads(root.get(key))]
        if raw or averaged:
            return self._enter(root, raw, averaged, weights, depth)
        own = [key for key, part in root.items() if self.is_tensor(part)]
        inner = [k for k, part in root.items() if self.leads(part) and not is_training(k, part)]
        if not own and len(inner) == 1:
            return self._descend(root, inner[0], weights, depth)
        return self._flat(root, inner)

    def _enter(
        self,
        root: Mapping[object, object],
        raw: list[str],
        averaged: list[str],
        weights: str,
        depth: int,
    ) -> Found:
        takes_averaged = bool(averaged) and (weights == "ema" or (weights == "auto" and not raw))
        if weights == "raw" and not raw:
            raise ReadError(f"holds averaged (EMA) weights only, under {listed(averaged)}")
        taken = (averaged if takes_averaged else raw)[0]
        found = self._descend(root, taken, "auto" if takes_averaged else weights, depth)
        others = (averaged if takes_averaged else raw)[1:]
        if others:
            left = f"{listed(others)} {_were(others)} left out"
            found.notes.append(f"Beside {quoted(taken)}, {left}: it comes first.")
        if takes_averaged:
            found.averaged = True
            beside = f"; the raw ones are under {listed(raw)} (--weights raw)" if raw else ""
            found.notes.append(f"Averaged (EMA) weights were taken{beside}.")
        elif averaged:
            found.notes.append(
                "Raw weights were taken; averaged (EMA) ones are under "
                f"{listed(averaged)} (--weights ema)."
            )
        return found

    def _descend(
        self, root: Mapping[object, object], key: object, weights: str, depth: int
    ) -> Found:
        found = self.run(root[key], weights, depth + 1)
        found.notes.insert(0, f"The weights are those under {quoted(_told(key))}.")
        found.lightning |= _LIGHTNING in root
        ignored = []
        for name, value in root.items():
            if name == key or not isinstance(name, str):
                continue
            text = str(value) if is_text(value) else None
            if text is None and self.is_tensor(value):
                text = self.number(value)
            if text is not None:
                found.metadata.setdefault(name, text)
            elif name not in RAW_KEYS + EMA_KEYS or not self.leads(value):
                ignored.append(name)
        if ignored:
            found.notes.append(
                f"Beside {quoted(_told(key))}, {listed(ignored)} {_were(ignored)} ignored."
            )
        return found

    def _flat(self, root: Mapping[object, object], inner: list[object]) -> Found:
        found = Found({})
        ignored: list[str] = []
        self._collect(root, "", found.tensors, ignored, 0)
        if inner:
            names = listed(_told(key) for key in inner)
            found.notes.append(f"The tensors under {names} were joined into one state dict.")
        if ignored:
            found.notes.append(f"In the state dict, {listed(ignored)} {_were(ignored)} ignored.")
        found.metadata.update(
            (key, str(part)) for key, part in root.items() if isinstance(key, str) and is_text(part)
        )
        return found

    def _count(self, name: str) -> None:
        if len(name) > _LONGEST_NAME:
            raise ReadError(f"has a name of {len(name):,} characters, {quoted(name, 40)}")
        self._characters += 64 + len(name)
        if self._characters > _MOST_CHARACTERS:
            raise ReadError("has too many names, or repeats the same mappings again and again")

    def _collect(
        self,
        part: Mapping[object, object],
        prefix: str,
        tensors: dict[str, object],
        ignored: list[str],
        depth: int,
    ) -> None:
        for key, value in part.items():
            name = f"{prefix}{_told(key)}"
            self._count(name)
            if self.is_tensor(value) and isinstance(key, str | int):
                if name in tensors:
                    raise ReadError(f"two tensors have the name {quoted(name)}")
                tensors[name] = value
                if len(tensors) > _MOST_TENSORS:
                    raise ReadError(f"holds more than {_MOST_TENSORS:,} tensors")
            elif self.leads(value) and not is_training(key, value) and depth < _DEEPEST:
                assert isinstance(value, Mapping)
                self._collect(value, f"{name}.", tensors, ignored, depth + 1)
            elif not is_text(value):
                ignored.append(name)


def is_training(key: object, value: object) -> bool:
    """Whether an entry is the state of an optimizer, a schedule, or the training loop."""
    if isinstance(value, Mapping) and "param_groups" in value:
        return True
    return isinstance(key, str) and key.lower().startswith(_TRAINING) and "." not in key


def _told(key: object) -> str:
    """A key as text; of a tuple or a tensor its kind, since to spell it may take for ever."""
    return str(key) if isinstance(key, str | int) else type(key).__name__


def _were(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def _keys_told(root: Mapping[object, object]) -> str:
    names = [key for key in root if isinstance(key, str)]
    return f"; its keys are {listed(names)}" if names else ""
