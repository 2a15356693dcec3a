"""Files that are cut off, replaced or written to while they are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import infoflow
from infoflow.checkpoints import open_checkpoint, torn_maps
from infoflow.checkpoints.source import Source
from infoflow.errors import CheckpointError
from infoflow.sharing import Step

LAYERS = {f"l{n}.weight": np.full((300, 300), n + 1, np.float32) for n in range(3)}


def saved(path: Path, kind: str) -> Path:
    if kind == "safetensors":
        save_file(LAYERS, path)
    else:
        torch = pytest.importorskip("torch")
        state = {name: torch.from_numpy(array) for name, array in LAYERS.items()}
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    return path


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def overwrite(path: Path) -> None:
    facts = path.stat()
    with path.open("r+b") as file:
        file.seek(facts.st_size // 2)
        file.write(b"other numbers")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


def remove(path: Path) -> None:
    path.unlink()


KINDS = pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
CHANGES = pytest.mark.parametrize("change", [cut, append, replace, overwrite, remove])


@KINDS
@CHANGES
@pytest.mark.parametrize("when", [0, 2])
def test_a_change_between_layers_is_told(tmp_path: Path, kind: str, change, when: int) -> None:
    path = saved(tmp_path / "file", kind)

    def at(step: Step) -> None:
        if step.done == when:
            change(path)

    with pytest.raises(CheckpointError, match=r"has changed since it was opened|no such file"):
        infoflow.analyze(path, measures="zeros", progress=at, complete=False)


@CHANGES
def test_a_change_after_the_last_layer_was_loaded_is_told(tmp_path: Path, change) -> None:
    path = saved(tmp_path / "file", "safetensors")
    opened = open_checkpoint(path)
    held = opened.tensors["l0.weight"].load()
    opened.check()
    change(path)
    with pytest.raises(CheckpointError, match=r"has changed since it was opened|no such file"):
        opened.check()
    assert held.shape == (300, 300)


def test_what_was_mapped_until_after_a_check_is_asked_for_by_the_next(tmp_path: Path) -> None:
    path = saved(tmp_path / "file", "safetensors")
    opened = open_checkpoint(path)
    held = opened.tensors["l0.weight"].load()
    opened.check()
    append(path)
    del held
    with pytest.raises(CheckpointError, match="has changed since it was opened"):
        opened.check()


def test_a_check_opens_only_the_shards_that_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (name, array) in enumerate(LAYERS.items()):
        save_file({name: array}, tmp_path / f"model-{number}.safetensors")
    places = {name: f"model-{number}.safetensors" for number, name in enumerate(LAYERS)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    opened = open_checkpoint(tmp_path)
    opened.check()
    names: list[str] = []
    real = Source._open
    monkeypatch.setattr(Source, "_open", lambda one: names.append(one.path.name) or real(one))
    opened.check()
    assert names == []
    held = opened.tensors["l1.weight"].load()
    opened.check()
    assert set(names) == {"model-1.safetensors"}
    assert held[0, 0] == 2
    append(tmp_path / "model-2.safetensors")
    with pytest.raises(CheckpointError, match="has changed"):
        opened.digest()  # all of them, whatever was read


def test_maps_are_given_back_layer_by_layer(tmp_path: Path) -> None:
    path = saved(tmp_path / "file", "safetensors")
    opened = open_checkpoint(path)
    before = set(torn_maps._extents)  # of other tests, whose arrays somebody still holds
    first = opened.tensors["l0.weight"].load()
    second = opened.tensors["l1.weight"].load()
    assert len(torn_maps._extents - before) == 1  # one map, while an array lives on it
    del first, second
    assert torn_maps._extents <= before


def test_a_shard_that_changes(tmp_path: Path) -> None:
    save_file(LAYERS, tmp_path / "model-1.safetensors")
    places = ", ".join(f'"{name}": "model-1.safetensors"' for name in LAYERS)
    (tmp_path / "model.safetensors.index.json").write_text(f'{{"weight_map": {{{places}}}}}')
    opened = open_checkpoint(tmp_path)
    held = opened.tensors["l0.weight"].load()
    opened.check()
    cut(tmp_path / "model-1.safetensors")
    with pytest.raises(CheckpointError, match="has changed"):
        opened.check()
    assert held.shape == (300, 300)


def test_a_reading_that_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10_000))
    source = Source(tmp_path / "file")
    with pytest.raises(Exception, match="is truncated"):
        source.read(9_000, 2_000)
    with pytest.raises(Exception, match="has changed"), source.reopened():
        append(tmp_path / "file")


CUT_UNDER_THE_ARRAY = """
import os, sys
from infoflow.checkpoints.layout import Layout
from infoflow.cli import main

view = Layout.view

def cut_and_view(self, buffer, start, **options):
    array = view(self, buffer, start, **options)
    os.truncate(PATH, 4096)
    return array

PATH = sys.argv[2]
Layout.view = cut_and_view
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the watch over maps is Linux's")
@pytest.mark.parametrize("measures", ["paper", "default"])
def test_a_file_cut_off_under_an_array_is_a_sentence(tmp_path: Path, measures: str) -> None:
    """The pages are gone while a measure reads them, which by itself is a bus error."""
    path = saved(tmp_path / "file", "safetensors")
    run = subprocess.run(
        [sys.executable, "-c", CUT_UNDER_THE_ARRAY, "analyze", str(path), "--measures", measures],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"infoflow: {path}")
    assert "has changed" in line


@pytest.mark.skipif(sys.platform != "linux", reason="the watch over maps is Linux's")
@pytest.mark.parametrize("command", ["diff", "extract"])
def test_every_command_that_reads_weights_asks_at_the_end(tmp_path: Path, command: str) -> None:
    path = saved(tmp_path / "file", "safetensors")
    out = tmp_path / "out.npy"
    options = {
        "diff": [str(path), str(path), "--measures", "zeros"],
        "extract": [str(path), "--layer", "l0", "--what", "W", "--out", str(out)],
    }[command]
    # Of diff, the analyses have read both files by then; the weights are read once more.
    script = CUT_UNDER_THE_ARRAY
    if command == "diff":
        script = script.replace("Layout.view = cut_and_view", CUT_WHILE_COMPARED)
    run = subprocess.run(
        [sys.executable, "-c", script, command, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    assert "has changed" in run.stderr.splitlines()[-1]
    assert not out.exists()


CUT_WHILE_COMPARED = """
from infoflow import comparing
rows = comparing.weight_rows

def cut_and_rows(files):
    yield from rows(files[:1])
    if files[0].summary.name == "l2":
        Layout.view = cut_and_view
    yield from rows(files[1:])

comparing.weight_rows = cut_and_rows
"""


def test_a_map_that_is_torn_is_told_where_the_file_looks_the_same(tmp_path: Path) -> None:
    """As when the disk fails: size and time of change are what they were."""
    path = saved(tmp_path / "file", "safetensors")
    opened = open_checkpoint(path)
    before = set(torn_maps._extents)
    held = opened.tensors["l0.weight"].load()
    (extent,) = torn_maps._extents - before
    opened.check()
    extent.torn = True
    with pytest.raises(CheckpointError, match="could not be read to its end"):
        opened.check()
    del held


MAPS_BY_ITSELF = """
import mmap, os, sys
file = open(sys.argv[1], "rb")
held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
if sys.argv[2] == "watched":
    from infoflow.checkpoints.torn_maps import watch
    extent = watch(held)
elif sys.argv[2] == "other":
    from infoflow.checkpoints.torn_maps import watch
    other = open(__import__("infoflow").__file__, "rb")
    kept = mmap.mmap(other.fileno(), 0, access=mmap.ACCESS_READ)
    watch(kept)
os.truncate(sys.argv[1], 0)
last = held[-1]
assert sys.argv[2] == "watched" and extent.torn and last == 0
del held
from infoflow.checkpoints import torn_maps
import gc; gc.collect()
assert not torn_maps._extents
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the watch over maps is Linux's")
@pytest.mark.parametrize("whose", ["watched", "other", "nobody"])
def test_only_watched_maps_are_mended(tmp_path: Path, whose: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    run = subprocess.run(
        [sys.executable, "-c", MAPS_BY_ITSELF, str(path), whose], capture_output=True, check=False
    )
    assert run.returncode == (0 if whose == "watched" else -7), run.stderr


SENT = """
import faulthandler, mmap, os, signal, sys
if "faulthandler" in sys.argv:
    faulthandler.enable()
from infoflow.checkpoints.torn_maps import watch
file = open(sys.argv[1], "rb")
kept = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
watch(kept)
if "sent" in sys.argv:
    os.kill(os.getpid(), signal.SIGBUS)
    print("swallowed", flush=True)
other = open(sys.argv[1] + "2", "rb")
held = mmap.mmap(other.fileno(), 0, access=mmap.ACCESS_READ)
os.truncate(sys.argv[1] + "2", 0)
held[-1]
print("still here", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the watch over maps is Linux's")
@pytest.mark.parametrize("handler", ["faulthandler", "none"])
@pytest.mark.parametrize("cause", ["sent", "foreign"])
def test_bus_errors_of_others_go_to_the_handler_before_ours(
    tmp_path: Path, handler: str, cause: str
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    (tmp_path / "file2").write_bytes(b"x" * 10_000)
    run = subprocess.run(
        [sys.executable, "-c", SENT, str(tmp_path / "file"), handler, cause],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (-7, "")
    assert ("Fatal Python error: Bus error" in run.stderr) == (handler == "faulthandler")


UNMENDED = """
import mmap, os, sys
from infoflow.checkpoints import torn_maps
class Libc:
    real = torn_maps._libc()
    sigaction = real.sigaction
    def mmap(*_):
        return torn_maps._FAILED
torn_maps._libc = Libc
file = open(sys.argv[1], "rb")
held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
extent = torn_maps.watch(held)
os.truncate(sys.argv[1], 0)
held[-1]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the watch over maps is Linux's")
def test_a_map_that_cannot_be_mended_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    run = subprocess.run(
        [sys.executable, "-c", UNMENDED, str(tmp_path / "file")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == -7, run.stderr
