"""The name of the code that a pickle wants, found without running the pickle."""

from __future__ import annotations

from collections.abc import Container

_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE")


def first_unknown(data: bytes, known: Container[str]) -> str:
    """The first name in a pickle that is not known, or ``""``.

    The pickle is read until it is none any more. A name that
    the pickle keeps in two texts (``STACK_GLOBAL``) is taken from the last two before it, as
    every pickler writes it, whether said now or remembered.
    """
    import pickletools

    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            name = ""
            if opcode.name in _TEXTS:
                texts.append(str(argument))
            elif opcode.name == "MEMOIZE" or opcode.name.endswith("PUT"):
                place = len(memo) if argument is None else int(argument)
                memo[place] = texts[-1] if texts else ""
            elif opcode.name.endswith("GET"):
                texts.append(memo.get(int(argument or 0), ""))
            elif opcode.name in ("GLOBAL", "INST"):
                name = ".".join(str(argument).split(" ", 1))
            elif opcode.name == "STACK_GLOBAL":
                name = ".".join(texts[-2:])
            if name and name not in known:
                return name
    except Exception:  # noqa: BLE001, RUF100  (whatever it raises, no more is known)
        return ""
    return ""
