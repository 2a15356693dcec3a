"""A restricted unpickler: containers, numbers, text and descriptions of tensors.

Its instructions are among those that ``torch.load(weights_only=True)`` knows; they only
ever append to lists and mappings that the pickle itself made.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from mmap import mmap

from infoflow.checkpoints.faults import ReadError, UnsafeReadError
from infoflow.checkpoints.pickle_names import NAMES, known, unsafe
from infoflow.checkpoints.pickle_scan import first_unknown
from infoflow.checkpoints.rebuilding import Known, Record, StorageReference, check_key
from infoflow.words import with_article

_MOST_INSTRUCTIONS = 20_000_000
_LONGEST_LINE = 1000
_LONGEST_SCAN = 2**20
_STOP = ord(".")
_MOST_MARKS = 1000
_MOST_MADE = 4_000_000
"""Containers, and objects remembered: each takes a hundred times the byte that asks for it."""
_MOST_TUPLE_KEYS = 10_000
"""Of mappings: tuples can be drawn so that all have one hash, and each costs those before it."""
_BYTE, _SHORT, _INT, _SIGNED, _DOUBLE = map(struct.Struct, ("<B", "<H", "<I", "<i", ">d"))


class Machine:
    """Runs the consecutive pickles of one buffer; ``position`` is where the next one begins.

    Nothing is imported by name and nothing of the file is called: ``INSTRUCTIONS`` and
    ``pickle_names`` are all that a pickle can reach.

    Args:
        data: The bytes.
        position: Of the first instruction.
        names: The stand-in for a name that a pickle uses, by module and name.
    """

    def __init__(
        self,
        data: bytes | mmap,
        position: int = 0,
        names: Callable[[str, str], Known] = known,
    ) -> None:
        self.data = data
        self.position = position
        self.names = names
        self.references: dict[str, StorageReference] = {}
        """The storages that the pickles name, by key."""
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.copies = len(data) + 1000
        """What calls may still copy: a pickle could copy one long list again and again."""
        self.containers = 0
        self._begin = position
        self.tuple_keys = 0

    def run(self) -> object:
        """The object of the pickle at ``position``.

        Raises:
            UnsafeReadError: for a name or an instruction that tensors do not need.
            ReadError: for anything damaged.
        """
        self.stack, self.marks, self.memo = [], [], {}
        self._begin = self.position
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
            raise self._damaged(f"makes {with_article(type(error).__name__)}") from None

    def _run(self) -> object:
        data, instructions = self.data, INSTRUCTIONS
        for _ in range(_MOST_INSTRUCTIONS):
            code = data[self.position]
            self.position += 1
            if code == _STOP:
                return self.stack.pop()
            instruction = instructions.get(code)
            if instruction is None:
                raise self._unknown(code)
            instruction(self)
        raise ReadError(f"its pickle has more than {_MOST_INSTRUCTIONS:,} instructions")

    def _unknown(self, code: int) -> UnsafeReadError:
        name = first_unknown(self.data[self._begin : self._begin + _LONGEST_SCAN], NAMES)
        if name:
            return unsafe(name)
        return UnsafeReadError(
            f"its pickle has the instruction 0x{code:02x}, which tensors do not need: it "
            "is damaged, or only --trust-pickle (trust_pickle=True) can read it"
        )

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


def _global(machine: Machine) -> None:
    module = machine.line()
    machine.stack.append(machine.names(module, machine.line()))


def _call(machine: Machine) -> None:
    arguments = machine.stack.pop()
    function = machine.stack[-1]
    if not isinstance(function, Known) or not isinstance(arguments, tuple):
        raise ReadError("damaged: its pickle calls what cannot be called")
    if function.call is None:
        raise UnsafeReadError(
            f"calls {function.name}, which is not read; if you trust where the file comes from, "
            "--trust-pickle (trust_pickle=True) lets torch load it"
        )
    machine.copies -= sum(len(a) for a in arguments if isinstance(a, list | tuple | dict | str))
    if machine.copies < 0:
        raise ReadError("damaged: its pickle copies the same data again and again")
    machine.stack[-1] = function.call(*arguments)


def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    if isinstance(machine.stack[-1], Record):
        machine.stack[-1].set_state(state)
        return
    # Attributes of a state dict (`_metadata`: the versions of its modules) are not needed.
    if not isinstance(machine.stack[-1], OrderedDict) or not isinstance(state, dict):
        raise UnsafeReadError(
            "sets attributes of an object that is not a state dict; if you trust where the file "
            "comes from, --trust-pickle (trust_pickle=True) lets torch load it"
        )


def _extend(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if type(target) is not list:
        raise ReadError("damaged: its pickle appends to what is no list")
    target.extend(items)


def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    _extend(machine, [item])


def _append_all(machine: Machine) -> None:
    items = machine.since_mark()
    _extend(machine, items)


def _set(machine: Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict):
        raise ReadError("damaged: its pickle sets items of what is no mapping")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str:
            check_key(key)
            machine.tuple_keys += type(key) is tuple
            if machine.tuple_keys > _MOST_TUPLE_KEYS:
                raise ReadError(f"its pickle has more than {_MOST_TUPLE_KEYS:,} tuples as keys")
        target[key] = value


def _set_one(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set(machine, [key, value])


def _set_all(machine: Machine) -> None:
    items = machine.since_mark()
    _set(machine, items)


def _mark(machine: Machine) -> None:
    if len(machine.marks) >= _MOST_MARKS:
        raise ReadError("damaged: its pickle is nested too deeply")
    machine.marks.append(machine.stack)
    machine.stack = []


def _tuple(machine: Machine) -> None:
    items = tuple(machine.since_mark())
    machine.stack.append(items)


def _tuple_of(count: int) -> Callable[[Machine], None]:
    def instruction(machine: Machine) -> None:
        items = tuple(machine.stack[-count:])
        if len(items) < count:
            raise IndexError
        del machine.stack[-count:]
        machine.stack.append(items)

    return instruction


def _push(make: Callable[[Machine], object]) -> Callable[[Machine], None]:
    def instruction(machine: Machine) -> None:
        machine.stack.append(make(machine))

    return instruction


def _container(kind: Callable[[], object]) -> Callable[[Machine], None]:
    def instruction(machine: Machine) -> None:
        machine.containers += 1
        if machine.containers > _MOST_MADE:
            raise ReadError(f"its pickle has more than {_MOST_MADE:,} containers")
        machine.stack.append(kind())

    return instruction


def _memorise(kind: struct.Struct) -> Callable[[Machine], None]:
    def instruction(machine: Machine) -> None:
        if len(machine.memo) > _MOST_MADE:
            raise ReadError(f"its pickle remembers more than {_MOST_MADE:,} objects")
        machine.memo[machine.number(kind)] = machine.stack[-1]

    return instruction


def _protocol(machine: Machine) -> None:
    machine.take(1)


INSTRUCTIONS: dict[int, Callable[[Machine], None]] = {
    0x80: _protocol,
    ord("("): _mark,
    ord("q"): _memorise(_BYTE),
    ord("r"): _memorise(_INT),
    ord("h"): _push(lambda m: m.memo[m.number(_BYTE)]),
    ord("j"): _push(lambda m: m.memo[m.number(_INT)]),
    ord("X"): _push(lambda m: m.take(m.number(_INT)).decode("utf-8", "surrogatepass")),
    ord("U"): _push(lambda m: m.take(m.number(_BYTE)).decode()),
    ord("K"): _push(lambda m: m.number(_BYTE)),
    ord("M"): _push(lambda m: m.number(_SHORT)),
    ord("J"): _push(lambda m: m.number(_SIGNED)),
    ord("G"): _push(lambda m: m.number(_DOUBLE)),
    0x8A: _push(lambda m: int.from_bytes(m.take(m.number(_BYTE)), "little", signed=True)),
    ord("N"): _push(lambda m: None),
    0x88: _push(lambda m: True),
    0x89: _push(lambda m: False),
    ord(")"): _push(lambda m: ()),
    ord("]"): _container(list),
    ord("}"): _container(dict),
    0x8F: _container(set),
    ord("t"): _tuple,
    0x85: _tuple_of(1),
    0x86: _tuple_of(2),
    0x87: _tuple_of(3),
    ord("a"): _append,
    ord("e"): _append_all,
    ord("s"): _set_one,
    ord("u"): _set_all,
    ord("Q"): _push(lambda m: m.reference(m.stack.pop())),
    ord("c"): _global,
    ord("R"): _call,
    0x81: _call,
    ord("b"): _build,
}
"""By their byte, all but the one that stops."""
