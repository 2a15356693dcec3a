"""The instructions of a pickle: those that ``torch.load(weights_only=True)`` knows, no others.

They only ever append to lists and mappings that the pickle itself made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from infoflow.checkpoints.faults import ReadError, UnsafeReadError
from infoflow.checkpoints.pickle_names import known
from infoflow.checkpoints.rebuilding import Known, check_key

if TYPE_CHECKING:
    from infoflow.checkpoints.pickles import Machine

STOP = ord(".")
_MOST_MARKS = 1000
_BYTE, _SHORT, _INT, _SIGNED, _DOUBLE = map(Struct, ("<B", "<H", "<I", "<i", ">d"))


def _global(machine: Machine) -> None:
    module = machine.line()
    machine.stack.append(known(module, machine.line()))


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


def _memorise(kind: Struct) -> Callable[[Machine], None]:
    def instruction(machine: Machine) -> None:
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
    ord("]"): _push(lambda m: []),
    ord("}"): _push(lambda m: {}),
    0x8F: _push(lambda m: set()),
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
"""By their byte, all but STOP."""
