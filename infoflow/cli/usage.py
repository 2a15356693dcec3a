"""Mistakes in the words of a command line, each told in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import typer

from infoflow.errors import SelectionError

# The class that click calls UsageError; a typer that brings a click of its own has its own.
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])


def sentence(error: Exception) -> str:
    """What is wrong, and where help is; the whole help for a command that was given nothing."""
    told = cast(Any, error)
    message: str = told.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        return message
    path = told.ctx.command_path if told.ctx else "infoflow"
    message = message.replace("Value error, ", "").replace(". Did you mean", "; did you mean")
    message = message.replace(" (Possible options: ", "; nearest: ")
    if "; nearest: " in message or "did you mean" in message:
        message = message.rstrip(")?")
    return f"infoflow: {message[:1].lower()}{message[1:].rstrip('.')} (`{path} --help` says more)."


def refuse_empty(words: Sequence[str]) -> None:
    """Refuse an empty word, such as a shell's variable that is not set.

    A path made of it would be the current folder, which nobody asked for.

    Raises:
        SelectionError: One is empty, or the value of an option written ``--option=``.
    """
    for index, word in enumerate(words):
        if not word:
            after = f"after {words[index - 1]}" if index else "first"
            raise SelectionError(
                f"An empty word ('') comes {after}; leave it out or say what is meant, such as "
                "a file's name."
            )
        if word.startswith("--") and word.endswith("=") and word.count("=") == 1:
            raise SelectionError(f"{word} has no value; leave it out or say what is meant.")
