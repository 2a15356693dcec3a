"""Removes what wrappers put in front of the names of a network's tensors."""

from __future__ import annotations

from collections.abc import Iterable

_ANYWHERE = ("_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of a name that only a wrapper makes (torch.compile, Fabric, …), wherever they stand."""

_IN_FRONT = ("module",)
_IN_FRONT_LIGHTNING = ("module", "model", "net")
"""Also names of ordinary modules, hence removed only where every tensor has them in front."""

_MOST_WRAPPERS = 20

COUNTERS = frozenset({"n_averaged"})
"""Tensors of a wrapper itself, which stand beside those of the wrapped module."""


def stripped(names: Iterable[str], *, lightning: bool = False) -> tuple[dict[str, str], list[str]]:
    """New names by old ones, and the prefixes that were removed.

    Repeats until no wrapper is left, a compiled module in a distributed one in Lightning's, but
    not for ever: a name may repeat a prefix a thousand times.

    >>> stripped(["module._orig_mod.a.weight", "module._orig_mod.b.weight"])
    ({'module._orig_mod.a.weight': 'a.weight', 'module._orig_mod.b.weight': 'b.weight'}, \
['_orig_mod.', 'module.'])
    """
    current = {name: name for name in names}
    removed: list[str] = []
    in_front = _IN_FRONT_LIGHTNING if lightning else _IN_FRONT
    for _ in range(_MOST_WRAPPERS):
        for part in (*_ANYWHERE, *in_front):
            shorter = {
                old: _without(new, part, everywhere=part in _ANYWHERE)
                for old, new in current.items()
            }
            if _may_replace(current, shorter, everywhere=part in _ANYWHERE):
                current = shorter
                removed.append(f"{part}.")
                break
        else:
            break
    return current, list(dict.fromkeys(removed))


def _without(name: str, part: str, *, everywhere: bool) -> str:
    if everywhere:
        return ".".join(piece for piece in name.split(".") if piece != part)
    return name.removeprefix(f"{part}.")


def _may_replace(current: dict[str, str], shorter: dict[str, str], *, everywhere: bool) -> bool:
    new = set(shorter.values())
    if len(new) < len(shorter) or "" in new:
        return False  # two tensors would get one name
    if everywhere:
        return current != shorter
    unchanged = [old for old, name in shorter.items() if name == current[old]]
    return len(unchanged) < len(shorter) and all(old in COUNTERS for old in unchanged)
