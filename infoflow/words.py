"""Lists, counts and shapes as they stand in a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence


def joined(parts: Sequence[str]) -> str:
    """Parts as in a sentence.

    >>> joined([]), joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])
    ('', 'a', 'a and b', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names as in a sentence, the first ``most`` of them where there are more.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], 2)
    ('a, b and c', 'a, b and 1 more')
    """
    left = len(names) - most
    return joined([*names[:most], f"{left:,} more"] if left > 0 else names)


def cut(names: Sequence[str], most: int = 4) -> str:
    """Names with commas between them, the first ``most`` of them where there are more.

    >>> cut(["a", "b", "c"]), cut(["a", "b", "c"], 2)
    ('a, b, c', 'a, b and 1 more')
    """
    return listed(names, most) if len(names) > most else ", ".join(names)


def and_more(left: int) -> str:
    """The end of a list that was cut; nothing where it was not.

    >>> and_more(1200), and_more(0)
    ('and 1,200 more', '')
    """
    return f"and {left:,} more" if left > 0 else ""


def plural(count: float, one: str, many: str = "") -> str:
    """The noun for so many; ``many`` where its plural is not formed with an s.

    >>> plural(1, "layer"), plural(0, "layer"), plural(2, "copy", "copies")
    ('layer', 'layers', 'copies')
    """
    return one if count == 1 else many or f"{one}s"


def counted(count: float, one: str, many: str = "") -> str:
    """A count and its noun.

    >>> counted(1, "tensor"), counted(2048.0, "tensor")
    ('1 tensor', '2,048 tensors')
    """
    return f"{count:,.0f} {plural(count, one, many)}"


def with_article(noun: str) -> str:
    """The noun after a or an, as it is spoken.

    >>> with_article("int"), with_article("list"), with_article("8 × 8 filter")
    ('an int', 'a list', 'an 8 × 8 filter')
    >>> with_article("11 × 3 filter"), with_article("UserDict"), with_article("one-hot")
    ('an 11 × 3 filter', 'a UserDict', 'a one-hot')
    """
    vowel = re.match(r"[aeio]|u(?!se|ni)|8|1[18]\b", noun, re.I) and not re.match(
        r"one|eu", noun, re.I
    )
    return f"{'an' if vowel else 'a'} {noun}"


def shape_text(shape: Sequence[int]) -> str:
    """The shape of a tensor, a kernel or an input: ``64×3×7×7``.

    >>> shape_text((64, 3, 7, 7)), shape_text(())
    ('64×3×7×7', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def sides_text(sides: Sequence[int]) -> str:
    """The sides of a matrix or a grid, which may be long.

    >>> sides_text((1024, 65536))
    '1,024 × 65,536'
    """
    return " × ".join(f"{side:,}" for side in sides)
