from __future__ import annotations

import pytest

from infoflow import memory
from infoflow.errors import SelectionError


@pytest.mark.parametrize(
    ("text", "count"),
    [("1000", 1000), ("2GB", 2 * 10**9), ("2 g", 2 * 10**9), ("1.5MiB", 1572864), ("3kb", 3000)],
)
def test_amounts_are_read(text, count):
    assert memory.parse_bytes(text, "--max-memory") == count


@pytest.mark.parametrize("text", ["", "much", "-1GB", "2 GB RAM", "1e9", "iB", "9" * 40])
def test_others_are_refused(text):
    with pytest.raises(SelectionError, match="--max-memory"):
        memory.parse_bytes(text, "--max-memory")


def test_amounts_are_said():
    said = [memory.bytes_text(n) for n in (0, 999, 1000, 999_949, 999_950, 5 * 10**21)]
    assert said == ["0 bytes", "999 bytes", "1.0 kB", "999.9 kB", "1.0 MB", "5,000.0 EB"]


def test_the_system_and_its_control_group(tmp_path, monkeypatch):
    proc, group = tmp_path / "meminfo", tmp_path / "group"
    group.mkdir()
    proc.write_text("MemTotal: 9 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr(memory, "_PROC", proc)
    monkeypatch.setattr(memory, "_GROUP", group)
    assert memory.available_memory() == 5000 * 1024
    (group / "memory.current").write_text("300\n")
    (group / "memory.max").write_text("max\n")
    assert memory.available_memory() == 5000 * 1024
    (group / "memory.max").write_text("1000\n")
    assert memory.available_memory() == 700
    (group / "memory.max").write_text("200\n")
    assert memory.available_memory() == 0
    monkeypatch.setattr(memory, "_PROC", tmp_path / "none")
    assert memory.available_memory() is None
