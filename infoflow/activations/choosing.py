"""Which sites somebody wants to see: by the patterns of their layers, or by their own names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from infoflow.capture import Site
from infoflow.errors import SelectionError
from infoflow.nearest import nearest
from infoflow.patterns import matches, words
from infoflow.report import LayerSummary


def site_patterns(patterns: Iterable[str], layers: Sequence[LayerSummary]) -> tuple[str, ...]:
    """Patterns of layers as patterns of sites: a kind (``type:dense``) becomes its layers' names.

    Args:
        patterns: As of `infoflow.selection.select`.
        layers: All layers of the network.
    """
    found: list[str] = []
    for word in words(patterns):
        sign, plain = ("!", word[1:]) if word.startswith("!") else ("", word)
        if plain.startswith("type:"):
            found += [f"{sign}{layer.name}" for layer in layers if matches(layer, plain)]
        else:
            found.append(word)
    return tuple(found)


def chosen_sites(sites: Sequence[Site], patterns: Sequence[str]) -> tuple[Site, ...]:
    """The sites that patterns choose, in order; all without patterns.

    ``conv1`` takes what the module of that name returned in every call (``conv1``, ``conv1#2``) and
    what functions made of it (``conv1.relu``); ``conv1.relu`` that alone; ``!pool`` takes a site
    out.

    Raises:
        SelectionError: The patterns choose none.
    """
    wanted = [word for word in patterns if not word.startswith("!")] or ["*"]
    unwanted = [word[1:] for word in patterns if word.startswith("!")]
    found = tuple(
        site
        for site in sites
        if any(is_named(site, word) for word in wanted)
        and not any(is_named(site, word) for word in unwanted)
    )
    if not found:
        raise SelectionError(
            f"No activations match {', '.join(patterns)}; "
            f"{nearest(wanted[0], [site.name for site in sites])}."
        )
    return found


def is_named(site: Site, word: str) -> bool:
    """Whether a pattern names the site, its module, or the module whose output it is made of."""
    plain = site.name.partition("#")[0]
    owner, _, last = plain.rpartition(".")
    names = {site.name, plain}
    if owner and last == site.module_type:
        names.add(owner)
    return word in names or any(fnmatchcase(name, word) for name in names)
