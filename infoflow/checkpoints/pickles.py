"""A restricted unpickler: containers, numbers, text and descriptions of tensors."""

from __future__ import annotations

import struct
from mmap import mmap

from infoflow.checkpoints.faults import ReadError, UnsafeReadError
from infoflow.checkpoints.instructions import INSTRUCTIONS, STOP
from infoflow.checkpoints.rebuilding import Known, StorageReference

_MOST_INSTRUCTIONS = 20_000_000
_LONGEST_LINE = 1000


class Machine:
    """Runs the consecutive pickles of one buffer; ``position`` is where the next one begins.

    Nothing is imported by name and nothing of the file is called: ``instructions`` and
    ``pickle_names`` are all that a pickle can reach.

    Args:
        data: The bytes.
        position: Of the first instruction.
    """

    def __init__(self, data: bytes | mmap, position: int = 0) -> None:
        self.data = data
        self.position = position
        self.references: dict[str, StorageReference] = {}
        """The storages that the pickles name, by key."""
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.copies = len(data) + 1000
        """What calls may still copy: a pickle could copy one long list again and again."""

    def run(self) -> object:
        """The object of the pickle at ``position``.

        Raises:
            UnsafeReadError: for a name or an instruction that tensors do not need.
            ReadError: for anything damaged.
        """
        self.stack, self.marks, self.memo = [], [], {}
        try:
            return self._run()
        except (IndexError, struct.error):
            if self.position >= len(self.data):
                raise _truncated() from None
            raise self._damaged("takes more than it has made") from None
        except KeyError:
            raise self._damaged("recalls what it has not stored") from None
        except UnicodeDecodeError:
            raise self._damaged("has text that is not UTF-8") from None
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise self._damaged(f"makes a {type(error).__name__}") from None

    def _run(self) -> object:
        data, instructions = self.data, INSTRUCTIONS
        for _ in range(_MOST_INSTRUCTIONS):
            code = data[self.position]
            self.position += 1
            if code == STOP:
                return self.stack.pop()
            instruction = instructions.get(code)
            if instruction is None:
                raise UnsafeReadError(
                    f"its pickle has the instruction 0x{code:02x}, which tensors do not need: it "
                    "is damaged, or only --trust-pickle (trust_pickle=True) can read it"
                )
            instruction(self)
        raise ReadError(f"its pickle has more than {_MOST_INSTRUCTIONS:,} instructions")

    def _damaged(self, what: str) -> ReadError:
        return ReadError(f"damaged: its pickle {what} before byte {self.position:,}")

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise _truncated()
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, kind: struct.Struct) -> int:
        """The next number."""
        (value,) = kind.unpack_from(self.data, self.position)
        self.position += kind.size
        found: int = value
        return found

    def line(self) -> str:
        """The rest of the line."""
        end = self.data.find(b"\n", self.position, self.position + _LONGEST_LINE)
        if end < 0:
            raise ReadError("damaged: a name in its pickle has no end")
        taken = self.data[self.position : end]
        self.position = end + 1
        return taken.decode()

    def since_mark(self) -> list[object]:
        """Everything pushed since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def reference(self, identity: object) -> StorageReference:
        """The storage that a persistent identity names.

        It is ``("storage", type, key, location, count)``; in legacy files with a sixth part,
        None or the ``(key, start, length)`` of a view.
        """
        if not isinstance(identity, tuple) or len(identity) not in (5, 6):
            raise ReadError("damaged: a persistent object that is not a storage")
        kind, storage, key, _, count = identity[:5]
        if kind not in ("storage", b"storage") or not isinstance(storage, Known):
            raise ReadError("damaged: a persistent object that is not a storage")
        if not storage.dtype or type(count) is not int or count < 0:
            raise ReadError("damaged: a storage without a type or a size")
        if type(key) not in (str, int):
            raise ReadError("damaged: a storage without a key")
        start, length = 0, count
        if len(identity) == 6 and identity[5] is not None:
            _, start, length = identity[5]
            if type(start) is not int or type(length) is not int or min(start, length) < 0:
                raise ReadError("damaged: a view of a storage without a place")
            if start + length > count:
                raise ReadError("damaged: a view leaves its storage")
        found = StorageReference(str(key), storage.dtype, count, start, length)
        self.references.setdefault(found.key, found)
        return found


def _truncated() -> ReadError:
    return ReadError("is truncated: it ends inside a pickle")
