"""Writing files: whole or not at all, nothing left over, one sentence for what cannot be."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from infoflow.errors import OutputError
from infoflow.render.files import make_folder, write_all, write_bytes, write_text

as_root = hasattr(os, "geteuid") and os.geteuid() == 0


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_text_as_it_is_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "report.csv"
    write_text(path, "a\r\nlog|c₁₁|\n")
    assert path.read_bytes() == "a\r\nlog|c₁₁|\n".encode()
    write_text(str(path), "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["report.csv"]


def test_lone_surrogates_are_spelt_out(tmp_path):
    write_text(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_text() == "a\\ud800b"


def test_permissions_are_those_of_the_process_or_of_the_file(tmp_path):
    path = tmp_path / "x"
    before = os.umask(0o027)
    try:
        write_bytes(path, b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o606)
    write_bytes(path, b"2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o606


def test_symbolic_links_are_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "x")
    write_text(link, "1")
    write_text(link, "2")
    assert link.is_symlink()
    assert (tmp_path / "real" / "x").read_text() == "2"
    assert names(tmp_path / "real") == ["x"]


def test_devices_and_pipes_are_written_to_and_not_replaced(tmp_path):
    write_text("/dev/null", "gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_text(pipe, "through")
    reader.join(5)
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("missing/x", "because there is no folder .*missing"),
        ("folder", "because it is a folder"),
        ("file/x", "not a directory"),
        ("a" * 300, "file name too long"),
        ("loop", "symbolic links"),
        ("evil\x1b[31m/x", r"evil\\x1b\[31m"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(tmp_path, place, sentence):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=sentence) as refusal:
        write_text(tmp_path / place, "new")
    assert str(refusal.value).endswith(".")
    assert not {"\n", "\x1b"} & set(str(refusal.value))
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_protected_files_and_folders(tmp_path):
    (tmp_path / "x").write_text("old")
    (tmp_path / "x").chmod(0o400)
    with pytest.raises(OutputError, match="write-protected"):
        write_text(tmp_path / "x", "new")
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="permission denied"):
        write_text(tmp_path / "shut" / "y", "new")


def test_refused_permissions_as_the_system_reports_them(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"x: cannot be written: permission denied\."):
        write_text(tmp_path / "x", "new")
    monkeypatch.undo()
    (tmp_path / "x").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="write-protected"):
        write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_over_when_writing_stops_half_way(tmp_path, monkeypatch, fault):
    (tmp_path / "b").write_text("old")
    opened = os.fdopen
    calls = []

    def failing(descriptor, mode):
        calls.append(descriptor)
        if len(calls) == 2:
            os.close(descriptor)
            raise fault
        return opened(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", failing)
    contents = {tmp_path / name: b"new" for name in "abc"}
    with pytest.raises((OutputError, KeyboardInterrupt)) as stop:
        write_all(contents)
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "old"
    if isinstance(fault, OSError):
        assert "no space left on device" in str(stop.value)


def test_a_failing_rename_leaves_no_temporary_file(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match="cross-device"):
        write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert names(tmp_path) == []


def test_all_or_none(tmp_path):
    with pytest.raises(OutputError, match="no folder"):
        write_all({tmp_path / "a": b"1", tmp_path / "missing" / "b": b"2"})
    assert names(tmp_path) == []
    write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert names(tmp_path) == ["a", "b"]


def test_folders_are_made_with_their_parents(tmp_path):
    made = make_folder(tmp_path / "a" / "b")
    assert made.is_dir()
    assert make_folder(made) == made
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="it is a file and not a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="not a directory"):
        make_folder(tmp_path / "file" / "below")
