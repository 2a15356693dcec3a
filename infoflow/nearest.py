"""The nearest valid words, for sentences about words that are not."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """A phrase that names up to three words like the given one, or the first few there are.

    >>> nearest("defualt", ["paper", "default", "all"])
    "nearest: 'default'"
    """
    words = list(known)
    close = get_close_matches(word, words, n=3, cutoff=0.5)
    lead = "nearest" if close else "there are"
    shown = close or words[:5]
    more = "" if close or len(words) <= len(shown) else f" and {len(words) - len(shown)} more"
    return f"{lead}: {', '.join(map(repr, shown))}{more}" if shown else "there are none"
