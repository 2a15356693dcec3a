"""Zip archives that lie: bombs, overlapping members, names that lead elsewhere, two directories."""

from __future__ import annotations

import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint, zip_archive
from infoflow.checkpoints.source import Source
from infoflow.errors import CheckpointError
from tests.checkpoints import making
from tests.checkpoints.test_bad_input import STATE, refusal
from tests.checkpoints.test_safety import DATA


def central(content: bytes, name: bytes) -> int:
    """Where the directory's entry of a member begins."""
    at = content.find(b"PK\x01\x02")
    while content[at + 46 : at + 46 + len(name)] != name:
        at = content.find(b"PK\x01\x02", at + 1)
        assert at >= 0
    return at


def changed(path: Path, name: str, place: int, number: int, size: int = 4) -> Path:
    """A field of a member's entry in the directory overwritten."""
    content = bytearray(path.read_bytes())
    at = central(bytes(content), name.encode()) + place
    content[at : at + size] = number.to_bytes(size, "little")
    path.write_bytes(content)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return making.write_zip(tmp_path / "file.pt", STATE, {"0": DATA})


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "/etc/cron.d/evil",
        "archive/../../evil",
        "C:\\evil",
        "archive\\data\\1",
        "\x1b[2J",
    ],
)
def test_members_with_names_that_lead_elsewhere_are_not_extracted(
    tmp_path: Path, file: Path, name: str
) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"evil")
    before = sorted(tmp_path.rglob("*"))
    assert list(open_checkpoint(file).tensors) == ["w"]
    assert sorted(tmp_path.rglob("*")) == before


def test_names_cut_off_by_a_zero_byte_are_a_name_twice(file: Path) -> None:
    content = file.read_bytes()
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/data/0+evil", b"evil")
    content = file.read_bytes().replace(b"archive/data/0+evil", b"archive/data/0\0evil")
    file.write_bytes(content)
    assert "names a member twice" in refusal(file)


def test_a_storage_that_expands_without_end(tmp_path: Path) -> None:
    bomb = {"0": DATA, "1": bytes(150_000_000)}
    path = making.write_zip(tmp_path / "f", STATE, bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    assert "is a zip bomb" in refusal(path)


def test_a_pickle_that_expands_without_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"N" * 100_000_000 + b".")
    assert "is a zip bomb" in refusal(path)


def test_what_expands_honestly_is_read(tmp_path: Path) -> None:
    """A pruned layer compresses well; that alone is no bomb."""
    tensor = making.tensor(making.storage("0", 10**7), (10**4, 10**3), (10**3, 1))
    path = making.write_zip(
        tmp_path / "f", making.state(w=tensor), {"0": bytes(4 * 10**7)},
        compression=zipfile.ZIP_DEFLATED,
    )  # fmt: skip
    assert not open_checkpoint(path).tensors["w"].load().any()


@pytest.mark.parametrize(
    ("name", "place", "number", "size", "message"),
    [
        ("archive/data/0", 8, 1, 2, "encrypted or compressed"),
        ("archive/data.pkl", 8, 1, 2, "encrypted or compressed"),
        ("archive/data/0", 10, 12, 2, "encrypted or compressed"),
        ("archive/data/0", 24, 2**31, 4, "instead of 16"),
        ("archive/data/0", 20, 15, 4, "two sizes"),
        ("archive/data/0", 20, 2**31, 4, "truncated"),
        ("archive/data/0", 42, 2**31, 4, "truncated|damaged"),
        ("archive/data/0", 42, 0, 4, "overlap"),
        ("archive/byteorder", 20, 60, 4, "overlap"),
        ("archive/data.pkl", 16, 1, 4, "check sum"),
        ("archive/data/0", 46, ord("b"), 1, "not in the file"),
    ],
)
def test_directories_that_lie(
    file: Path, name: str, place: int, number: int, size: int, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(changed(file, name, place, number, size))


def test_a_member_with_another_name_in_its_own_header(file: Path) -> None:
    content = file.read_bytes()
    at = content.find(b"archive/data/0")
    file.write_bytes(content[:at] + b"archive/data/1" + content[at + 14 :])
    assert "'archive/data/0' has another name in its header" in refusal(file)


def test_two_members_over_the_same_bytes(tmp_path: Path) -> None:
    """Forty names for one member make of a megabyte as many layers as one likes."""
    path = making.write_zip(tmp_path / "f", STATE, {"0": DATA, "1": DATA})
    content = path.read_bytes()
    first = central(content, b"archive/data/0")
    offset = int.from_bytes(content[first + 42 : first + 46], "little")
    assert "overlap" in refusal(changed(path, "archive/data/1", 42, offset))


def test_data_descriptors_are_no_contradiction(tmp_path: Path) -> None:
    """A stream is zipped with sizes behind the data, and zeros in the member's own header."""
    path = tmp_path / "f"
    whole = making.write_zip(tmp_path / "whole", STATE, {"0": DATA})

    class Stream:
        def __init__(self) -> None:
            self.file = path.open("wb")

        def write(self, data: bytes) -> int:
            return self.file.write(data)

        def flush(self) -> None:
            self.file.flush()

    stream = Stream()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(stream, "w") as target:  # type: ignore[arg-type]
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
    stream.file.close()
    assert open_checkpoint(path).tensors["w"].load().tolist() == np.zeros((2, 2)).tolist()


def test_zip64_sizes_that_lie(file: Path) -> None:
    content = file.read_bytes()
    at = central(content, b"archive/data/0")
    extra = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    entry = bytearray(content[at : at + 46 + 14])
    entry[20:28] = b"\xff" * 8
    entry[30:32] = len(extra).to_bytes(2, "little")
    end = bytearray(content[at + 60 :])
    size = int.from_bytes(end[12:16], "little") + len(extra)
    end[12:16] = size.to_bytes(4, "little")
    file.write_bytes(content[:at] + entry + extra + end)
    assert "truncated" in refusal(file) or "damaged" in refusal(file)


def test_a_directory_that_claims_gigabytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_archive, "_LONGEST_DIRECTORY", 100)
    assert "its zip directory claims" in refusal(file)


def test_many_members_are_read_in_a_moment(tmp_path: Path) -> None:
    path = making.write_zip(tmp_path / "f", STATE, {"0": DATA})
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"archive/data/x{number}", b"")
    assert list(open_checkpoint(path).tensors) == ["w"]


def test_a_member_named_twice_is_not_chosen_from(file: Path) -> None:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/data.pkl", making.program(making.name("os.system")))
    assert "names a member twice" in refusal(file)


def test_the_directory_of_a_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four formats look into a zip archive before one of them opens it."""
    calls: list[int] = []
    real = zip_archive._members
    monkeypatch.setattr(zip_archive, "_members", lambda *given: calls.append(1) or real(*given))
    assert open_checkpoint(file).tensors
    assert len(calls) == 1
    with zipfile.ZipFile(file, "a") as zipped:
        zipped.writestr("archive/more", b"")
    assert open_checkpoint(file).tensors
    assert len(calls) == 2


def test_an_archive_within_another_is_not_read_whole_to_list_it(tmp_path: Path) -> None:
    inner = tmp_path / "inner.pt"
    with zipfile.ZipFile(inner, "w") as zipped:
        zipped.writestr("a/data.pkl", b"N.")
        zipped.writestr("a/data/0", bytes(2**24))
    with zipfile.ZipFile(tmp_path / "outer", "w") as zipped:
        zipped.writestr("version", b"1")
        zipped.write(inner, "inner.pt")
    source = Source(tmp_path / "outer")
    outer = zip_archive.archive_of(source, zip_archive.directory(source))
    tracemalloc.start()
    try:
        every = zip_archive.nested(outer, "inner.pt")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    archive = zip_archive.archive_of(source, every, "a/")
    assert archive.read(archive.members["data.pkl"]) == b"N."
    assert archive.read(archive.members["data/0"]) == bytes(2**24)
