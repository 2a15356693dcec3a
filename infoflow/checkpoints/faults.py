"""Facts found deep inside a reader, told once with the path at the public edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from infoflow.errors import CheckpointError, UnsafeCheckpointError

_T = TypeVar("_T")


class ReadError(Exception):
    """A file cannot be read: the fact, without the path."""


class UnsafeReadError(ReadError):
    """A file needs code to load: the fact, without the path."""


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Turns every failure of reading ``path`` into one sentence that names it.

    Raises:
        CheckpointError: for a fault, a failure of the operating system, or a file that asks for
            more memory or nesting than there is.
        UnsafeCheckpointError: for a file that needs code to load.
    """
    try:
        yield
    except UnsafeReadError as fault:
        raise UnsafeCheckpointError(f"{path}: {fault}") from None
    except ReadError as fault:
        raise CheckpointError(f"{path}: {fault}") from None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file or folder") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CheckpointError(f"{path}: cannot be read ({reason})") from None
    except MemoryError:
        raise CheckpointError(f"{path}: asks for more memory than there is") from None
    except RecursionError:
        raise CheckpointError(f"{path}: damaged: nested without end") from None


def naming(path: object, function: Callable[[], _T]) -> Callable[[], _T]:
    """The function, with its failures told as those of reading ``path``."""

    def call() -> _T:
        with reading(path):
            return function()

    return call


def quoted(text: str, length: int = 80) -> str:
    """A name out of a file, safe to print: control characters escaped, shortened."""
    return repr(text if len(text) <= length else text[: length - 1] + "…")


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names out of a file as ``'a', 'b' and 3 more``."""
    every = list(names)
    told = [quoted(name) for name in every[:most]]
    if len(every) > most:
        told.append(f"{len(every) - most} more")
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
