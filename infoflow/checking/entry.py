"""One table of a settings file, read key by key; what is wrong with it is one sentence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import NoReturn

from infoflow.errors import CheckError
from infoflow.nearest import nearest
from infoflow.patterns import words


class Entry:
    """A table, and where it stands.

    Args:
        table: What TOML made of it.
        where: Its place in the sentences: file and entry.
        keys: Every key that it may have.

    Raises:
        CheckError: It is no table, or has a key that is not known (the nearest are named).
    """

    def __init__(self, table: object, where: str, keys: Collection[str]) -> None:
        self.where = where
        if not isinstance(table, Mapping):
            self.refuse("is not a table")
        self._table: Mapping[str, object] = table
        for key in table:
            if key not in keys:
                self.refuse(f"{key!r} is not a key; {nearest(key, keys)}")

    def refuse(self, complaint: str) -> NoReturn:
        """Raise a sentence that names the place."""
        raise CheckError(f"{self.where}: {complaint.rstrip('.')}.")

    def text(self, key: str) -> str | None:
        """A text that is not empty, or None where the key is not there."""
        value = self._table.get(key)
        if value is None:
            return None
        if not _is_text(value):
            self.refuse(f"{key} = {_shown(value)} is not a text with something in it")
        return str(value).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A text, or a list of texts; none where the key is not there."""
        value = self._table.get(key, ())
        values = [value] if isinstance(value, str) else value
        if key in self._table and not isinstance(values, list):
            self.refuse(f"{key} = {_shown(value)} is not a text or a list of texts")
        if key in self._table and not values:
            self.refuse(f"{key} = [] names nothing; leave {key} out or name something")
        assert isinstance(values, (list, tuple))
        for item in values:
            if not _is_text(item):
                self.refuse(f"{key} holds {_shown(item)}, which is not a text with something in it")
        return tuple(item.strip() for item in values)

    def patterns(self, key: str = "layers") -> tuple[str, ...]:
        """Patterns of layers; none where the key is not there."""
        found = words(self.texts(key))
        for word in found:
            if not word.lstrip("!").removeprefix("type:") or word.startswith("!!"):
                self.refuse(f"{key} holds {word!r}, which is no pattern of layers")
        if key in self._table and not found:
            self.refuse(f"{key} names no layers")
        return tuple(found)

    def choice(self, key: str, known: Collection[str], what: str) -> str | None:
        """One of the known words, or None where the key is not there."""
        value = self.text(key)
        if value is not None and value not in known:
            self.refuse(f"{what} {value!r} is not known; {nearest(value, known)}")
        return value

    def number(self, key: str) -> float | None:
        """A finite number; true and false are none."""
        value = self._table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(f"{key} = {_shown(value)} is not a number")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            self.refuse(f"{key} = {_shown(value)} is not a finite number")
        return found

    def whole(self, key: str) -> int | None:
        """A whole number from 0 on."""
        value = self._table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.refuse(f"{key} = {_shown(value)} is not a whole number from 0 on")
        return value

    def size(self, key: str) -> tuple[int, ...] | None:
        """A spatial size: one whole number for a square, or a list of one to three."""
        value = self._table.get(key)
        if value is None:
            return None
        numbers = [value, value] if isinstance(value, int) else value
        if (
            not isinstance(numbers, list)
            or not 1 <= len(numbers) <= 3
            or any(type(item) is not int or not 1 <= item < 10**7 for item in numbers)
            or math.prod(numbers) > 10**15
        ):
            self.refuse(f"{key} = {_shown(value)} is not a size such as 224 or [224, 320]")
        return tuple(numbers)

    def flag(self, key: str) -> bool:
        """True or false; false where the key is not there."""
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            self.refuse(f"{key} = {_shown(value)} is neither true nor false")
        return value

    def day(self, key: str) -> date | None:
        """A date without quotes, such as 2027-01-31."""
        value = self._table.get(key)
        if value is None:
            return None
        if not isinstance(value, date) or isinstance(value, datetime):
            self.refuse(f"{key} = {_shown(value)} is not a date such as 2027-01-31, unquoted")
        return value

    def entries(self, key: str, heading: str, keys: Collection[str]) -> list[Entry]:
        """The tables of an array of tables, each with its place: ``heading`` and number."""
        value = self._table.get(key, [])
        if not isinstance(value, list):
            raise CheckError(f"{self.where}: {key} is not an array of tables; write {heading}.")
        return [
            Entry(item, f"{self.where}, {heading} number {place}", keys)
            for place, item in enumerate(value, start=1)
        ]


def _is_text(value: object) -> bool:
    """Whether it is a text that names something: not blank, and without NUL, which no file has."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ""
    if not text:
        try:
            text = value.isoformat() if isinstance(value, date) else repr(value)
        except ValueError:  # a whole number of thousands of digits
            text = "a number"
    return text if len(text) <= 60 else f"{text[:59]}…"
