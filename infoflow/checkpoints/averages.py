"""Averaged (EMA) weights that lie in the same state dict as the raw ones."""

from __future__ import annotations

from dataclasses import dataclass

from infoflow.checkpoints.faults import ReadError, quoted
from infoflow.words import counted

_PREFIXES = ("model_ema.", "ema_model.", "module_ema.", "ema.")
_RAW_PREFIXES = ("online_model.",)
_FEWEST_MATCHES = 0.5


@dataclass(frozen=True)
class Chosen:
    """Old names by new ones, whether they are averaged weights, and what to say."""

    names: dict[str, str]
    averaged: bool
    notes: tuple[str, ...] = ()


def choose(names: dict[str, str], weights: str, *, averaged: bool) -> Chosen:
    """Chooses between raw and averaged weights of one state dict.

    Args:
        names: Names in the file by the names without wrappers.
        weights: ``auto`` (raw where both are there), ``ema`` or ``raw``.
        averaged: Whether everything is known to be averaged already.

    Raises:
        ReadError: where the weights asked for are not there.
    """
    if averaged:
        return Chosen(names, True)
    if "n_averaged" in names and any(old.startswith("module.") for old in names.values()):
        if weights == "raw":
            raise ReadError("holds averaged weights only (of torch's AveragedModel)")
        return Chosen(names, True, ("The weights are averaged (torch's AveragedModel).",))
    for prefix in _PREFIXES:
        pairs = _pairs(list(names), prefix)
        if pairs is not None:
            return _split(names, pairs, prefix, weights)
    if weights == "ema":
        raise ReadError("holds no averaged (EMA) weights; --weights raw or auto reads what it has")
    return Chosen(names, False)


def _pairs(names: list[str], prefix: str) -> dict[str, str] | None:
    """Raw names by averaged ones, None where the prefix is not one of averaged weights."""
    averaged = [name for name in names if name.startswith(prefix)]
    if not averaged or len(averaged) == len(names):
        return None
    raw: dict[str, str] = {}
    for name in names:
        if not name.startswith(prefix):
            # Some averages drop the dots of the names, or the name of the network around them.
            for known in (name, name.partition(".")[2]):
                raw.setdefault(known, name)
                raw.setdefault(known.replace(".", ""), name)
    pairs = {
        name: raw[name.removeprefix(prefix)] for name in averaged if name[len(prefix) :] in raw
    }
    return pairs if len(pairs) >= _FEWEST_MATCHES * len(averaged) else None


def _split(names: dict[str, str], pairs: dict[str, str], prefix: str, weights: str) -> Chosen:
    raw = {name: old for name, old in names.items() if not name.startswith(prefix)}
    if weights != "ema":
        note = f"Raw weights were taken; averaged (EMA) ones begin with {quoted(prefix)}"
        return Chosen(_shortened(raw), False, (f"{note} (--weights ema).",))
    # Averages seldom hold the buffers (running statistics): those stay the raw ones.
    taken = {**raw, **{plain: names[name] for name, plain in pairs.items()}}
    note = f"Averaged (EMA) weights {quoted(prefix)} were taken for {counted(len(pairs), 'tensor')}"
    kept = len(taken) - len(pairs)
    return Chosen(
        _shortened(taken),
        True,
        (f"{note}, raw ones for {kept} (--weights raw: raw ones for all).",),
    )


def _shortened(names: dict[str, str]) -> dict[str, str]:
    for prefix in _RAW_PREFIXES:
        if names and all(name.startswith(prefix) or "." not in name for name in names):
            return {name.removeprefix(prefix): old for name, old in names.items()}
    return names
