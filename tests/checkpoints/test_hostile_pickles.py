"""Every pickle instruction that calls or imports: refused, with a name and the flag; none runs."""

from __future__ import annotations

import pickle
import pickletools
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infoflow.checkpoints import nesting, open_checkpoint
from infoflow.checkpoints.pickle_names import NAMES
from infoflow.checkpoints.pickle_scan import first_unknown
from infoflow.checkpoints.pickles import INSTRUCTIONS
from infoflow.errors import CheckpointError, UnsafeCheckpointError
from tests.checkpoints import making
from tests.checkpoints.test_safety import DATA, WEIGHT, zipped

CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}


def short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def calls(command: str) -> dict[str, bytes]:
    """By instruction, a body that runs a shell command in an unrestricted pickle."""
    text, system = making.text(command), making.name("os.system")
    module = making.name("subprocess.Popen")
    shell = making.tuple_of(making.text("sh"), making.text("-c"), text)
    return {
        "GLOBAL": system + text + b"\x85R",
        "STACK_GLOBAL": short("os") + short("system") + b"\x93" + text + b"\x85R",
        "INST": b"(" + text + b"ios\nsystem\n",
        "OBJ": b"(" + system + text + b"o",
        "REDUCE": system + text + b"\x85R",
        "NEWOBJ": module + b"(" + shell + b"t\x81",
        "NEWOBJ_EX": module + b"(" + shell + b"t}\x92",
        "BUILD": making.name("argparse.Namespace") + b")\x81}" + making.text("a") + b"Nsb",
        "EXT1": b"\x82\x01",
        "EXT2": b"\x83\x01\x00",
        "EXT4": b"\x84\x01\x00\x00\x00",
        "PERSID": b"Pos.system\n",
        "BINPERSID": text + b"Q",
        "NEXT_BUFFER": b"\x97",
        "READONLY_BUFFER": b"\x97\x98",
    }


RUNS = ("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX")


@pytest.mark.parametrize("instruction", list(calls("")))
def test_instructions_that_call_run_nothing(tmp_path: Path, instruction: str) -> None:
    marker = tmp_path / "marker"
    body = calls(f"touch {marker}")[instruction]
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(zipped(tmp_path, making.state(w=WEIGHT, bad=body)))
    message = str(error.value)
    assert "\n" not in message
    if instruction != "BINPERSID":
        assert isinstance(error.value, UnsafeCheckpointError)
        assert "--trust-pickle" in message
    if instruction in RUNS:
        wanted = "subprocess.Popen" if instruction.startswith("NEWOBJ") else "os.system"
        assert f"needs '{wanted}'" in message
    time.sleep(0.01)
    assert not marker.exists()


@pytest.mark.parametrize("instruction", RUNS[:5])  # the others call a class's __new__
def test_an_unrestricted_pickle_would_run_them(tmp_path: Path, instruction: str) -> None:
    """The bodies above are no blanks."""
    marker = tmp_path / "marker"
    body = making.program(calls(f"touch {marker}")[instruction])
    script = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", script], input=body, check=True)
    assert marker.exists()


def test_every_instruction_is_known_or_refused(tmp_path: Path) -> None:
    """Nothing but what stands in ``INSTRUCTIONS`` is ever done."""
    for name, code in CODES.items():
        if code[0] in INSTRUCTIONS or name == "STOP":
            continue
        with pytest.raises(UnsafeCheckpointError, match="--trust-pickle"):
            open_checkpoint(zipped(tmp_path, making.state(w=WEIGHT, x=code)))
    assert len(CODES) - len(INSTRUCTIONS) > 20


@pytest.mark.parametrize("instruction", list(calls("")))
def test_torch_refuses_them_too(tmp_path: Path, instruction: str) -> None:
    torch = pytest.importorskip("torch")
    path = zipped(tmp_path, making.state(w=WEIGHT, bad=calls("true")[instruction]))
    with pytest.raises((pickle.UnpicklingError, RuntimeError, ValueError)):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_the_class_is_named_whatever_the_protocol(tmp_path: Path, protocol: int) -> None:
    body = pickle.dumps({"net": Path("x"), "list": [1]}, protocol)
    with pytest.raises(UnsafeCheckpointError, match=r"needs 'pathlib\.\w*Path'"):
        open_checkpoint(zipped(tmp_path, body[2 * (protocol > 1) : -1]))


def test_a_scan_of_what_is_no_pickle_finds_nothing() -> None:
    assert first_unknown(b"", NAMES) == ""
    assert first_unknown(b"\xff" * 100, NAMES) == ""
    assert first_unknown(b"\x8b\xff\xff\xff\x7f", NAMES) == ""
    assert first_unknown(b"I" + b"9" * 100_000 + b"\n.", NAMES) == ""


def binget(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def binput(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"]q\x00h\x00a", "holds a list"),
        (b"}q\x00" + making.text("a") + b"h\x00s", "no tensors"),
        (b"\x8b\xff\xff\xff\x7f" + bytes(9), "instruction 0x8b"),
        (b"\x8d" + b"\xff" * 8, "instruction 0x8d"),
        (b"\x8e" + b"\xff" * 8, "instruction 0x8e"),
        (b"X\xff\xff\xff\xff" + bytes(100), "truncated"),
        (b"N" + b"\x85" * 100_000, "holds a tuple"),
        (b"}" + b"".join(making.whole(n * (2**61 - 1)) + b"Ns" for n in range(9, 99)), "a key of"),
        (b"}" + b"".join(b"M" + struct.pack("<H", n) + b"\x85Ns" for n in range(10_001)), "tuples"),
        (making.name("builtins.set") + b"]K\x01\x85a\x85R", "set or an ordered mapping of tuples"),
    ],
    ids=range(10),
)
def test_pickles_that_ask_for_too_much(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(zipped(tmp_path, body))


def test_limits_of_what_a_pickle_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infoflow.checkpoints import pickles

    monkeypatch.setattr(pickles, "_MOST_MADE", 1000)
    for one, message in ((b"]", "containers"), (b"}", "containers"), (b"\x8f", "containers")):
        with pytest.raises(CheckpointError, match=f"more than 1,000 {message}"):
            open_checkpoint(zipped(tmp_path, one * 1001))
    memo = b"N" + b"".join(binput(n) for n in range(1002))
    with pytest.raises(CheckpointError, match="remembers more than 1,000"):
        open_checkpoint(zipped(tmp_path, memo))
    monkeypatch.setattr(pickles, "_MOST_INSTRUCTIONS", 500)
    with pytest.raises(CheckpointError, match="more than 500 instructions"):
        open_checkpoint(zipped(tmp_path, b"N" * 501))


def shared_mappings(levels: int, width: int) -> bytes:
    """Mappings that each hold the one before ``width`` times, a tensor in the innermost one."""
    made = b"}" + making.text("w") + WEIGHT + b"s" + binput(1000)
    for level in range(levels):
        keys = b"".join(making.text(str(n)) + binget(1000 + level) for n in range(width))
        made += b"}(" + keys + b"u" + binput(1001 + level)
    return made


def test_a_billion_tensors_out_of_a_hundred_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nesting, "_MOST_TENSORS", 20_000)
    with pytest.raises(CheckpointError, match="more than 20,000 tensors"):
        open_checkpoint(zipped(tmp_path, shared_mappings(10, 10)))


def test_a_long_key_before_many_tensors(tmp_path: Path) -> None:
    entries = making.text("w") + WEIGHT + making.text("k" * 5000) + binget(1002)
    with pytest.raises(CheckpointError, match=r"a name of 5,00\d characters"):
        open_checkpoint(zipped(tmp_path, shared_mappings(2, 10) + b"}(" + entries + b"u"))


def test_ignored_entries_that_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand lists beside one tensor, in one mapping that stands in a million places."""
    monkeypatch.setattr(nesting, "_MOST_CHARACTERS", 2**22)
    many = b"".join(making.text(f"k{n}") + b"]" for n in range(1000))
    inner = b"}" + making.text("w") + WEIGHT + b"s(" + many + b"u" + binput(1000)
    keys = b"".join(making.text(str(n)) + binget(1000) for n in range(2000))
    with pytest.raises(CheckpointError, match="repeats the same mappings"):
        open_checkpoint(zipped(tmp_path, inner + b"}(" + keys + b"u"))


def test_shared_mappings_of_honest_size_are_read(tmp_path: Path) -> None:
    opened = open_checkpoint(zipped(tmp_path, shared_mappings(3, 3)))
    assert len(opened.tensors) == 27
    assert len(DATA) == 16
