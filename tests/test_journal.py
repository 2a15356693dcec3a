"""The file of layers that are done: whose it is, what it holds, what damages it."""

from __future__ import annotations

import errno
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

import infoflow
from infoflow.errors import OutputError, SelectionError
from infoflow.journal import Journal, stamps
from infoflow.report import Measurement, Series
from tests.cases import SAMPLES

ROWS = (
    Measurement("a", "rank", "value", 3.0, "count", method="m"),
    Measurement("a", "log-volume", "value", None, "nats", note="−∞: x"),
    Measurement("a", "log-volume.density", "value", 0.1 + 0.2, "nats", low=0.1, high=1e300),
)
SERIES = (Series("a", "spectrum", "ratio", (2, 2), (1.0, None, 0.5, 2.0)),)


def test_layers_come_back_as_they_were(tmp_path):
    path = tmp_path / "done.jsonl"
    with closing(Journal(path, {"seed": "0"})) as journal:
        assert journal.done == {}
        journal.add("a", ROWS, SERIES)
    with closing(Journal(path, {"seed": "0"})) as journal:
        assert journal.done == {"a": (ROWS, SERIES)}
        journal.add("b", (), ())
    with closing(Journal(path, {"seed": "0"})) as journal:
        assert set(journal.done) == {"a", "b"}


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_line_that_was_cut_off_is_left_out(tmp_path, cut):
    path = tmp_path / "done.jsonl"
    with closing(Journal(path, {})) as journal:
        journal.add("a", ROWS, SERIES)
        journal.add("b", ROWS, ())
    path.write_bytes(path.read_bytes()[:-cut])
    with closing(Journal(path, {})) as journal:
        assert set(journal.done) == {"a"}
        journal.add("b", ROWS, ())
    with closing(Journal(path, {})) as journal:
        assert journal.done["b"] == (ROWS, ())


def test_a_first_line_that_was_cut_off_begins_anew(tmp_path):
    path = tmp_path / "done.jsonl"
    path.write_bytes(b'{"infoflow": "jour')
    with closing(Journal(path, {})) as journal:
        journal.add("a", (), ())
    with closing(Journal(path, {})) as journal:
        assert set(journal.done) == {"a"}


def test_another_run_s_journal_is_refused_by_what_differs(tmp_path):
    path = tmp_path / "done.jsonl"
    Journal(path, {"seed": "0", "measures": "rank"}).close()
    before = path.read_bytes()
    with pytest.raises(SelectionError, match=r"another run \(not the same: seed\)"):
        Journal(path, {"seed": "1", "measures": "rank"})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"layer;rows\n1;2\n", b"{}\n", b"\x89PNG\r\n\x1a\n", b"text", b'{"a": 1}'],
)
def test_a_file_that_is_no_journal_is_left_alone(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(SelectionError, match="no file that --resume made"):
        Journal(path, {})
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line", ['{"layer": "a"}', "[]", "nonsense", '{"layer":1,"rows":[{}],"series":[]}']
)
def test_a_damaged_line_is_refused(tmp_path, line):
    path = tmp_path / "done.jsonl"
    Journal(path, {}).close()
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SelectionError, match="damaged"):
        Journal(path, {})


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match="no such file"):
        Journal(tmp_path / "no" / "done.jsonl", {})
    with pytest.raises(OutputError, match="directory"):
        Journal(tmp_path, {})


def test_a_changed_checkpoint_is_another_run(tmp_path):
    source = tmp_path / "model.pt"
    source.write_bytes((SAMPLES / "lenet5-mnist.pt").read_bytes())
    journal = tmp_path / "done.jsonl"
    infoflow.analyze(source, measures="paper", resume=journal)
    infoflow.analyze(source, measures="paper", resume=journal)
    os.utime(source, (1, 1))
    with pytest.raises(SelectionError, match="checkpoint"):
        infoflow.analyze(source, measures="paper", resume=journal)


def test_an_index_is_known_by_its_shards(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({}))
    shard = tmp_path / "model-1.safetensors"
    shard.write_bytes(b"1")
    before = stamps(tmp_path / "model.safetensors.index.json")
    (tmp_path / "report.json").write_text("{}")
    assert stamps(tmp_path / "model.safetensors.index.json") == before
    shard.write_bytes(b"22")
    assert stamps(tmp_path / "model.safetensors.index.json") != before
    assert stamps(tmp_path) != before


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "m.GGUF", "m.h5", "m.keras", "m.pt2", "m.ts", "config.json",
     "adapter_config.json", "quantize_config.json", "model.safetensors.index.json"],
)  # fmt: skip
def test_a_folder_is_known_by_every_file_that_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"1")
    before = stamps(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    assert stamps(tmp_path) == before
    (tmp_path / name).write_bytes(b"22")
    assert stamps(tmp_path) != before


def test_an_onnx_file_is_known_by_its_data_beside_it(tmp_path):
    model, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    model.write_bytes(b"1")
    data.write_bytes(b"1")
    journal = tmp_path / "done"
    before = stamps(model, journal=journal)
    journal.write_text("a line")
    (tmp_path / "report.json").write_text("{}")
    assert stamps(model, journal=journal) == before
    data.write_bytes(b"22")
    assert stamps(model, journal=journal) != before


def test_a_factory_is_known_by_its_file(tmp_path):
    model, factory = tmp_path / "model.pt", tmp_path / "net.py"
    model.write_bytes(b"1")
    factory.write_text("a")
    before = stamps(model, f"{factory}:net")
    factory.write_text("ab")
    assert stamps(model, f"{factory}:net") != before


class Full:
    """A file on a disk that is full."""

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_sentence(tmp_path):
    path = tmp_path / "done.jsonl"
    journal = Journal(path, {})
    journal._file.close()
    journal._file = Full()
    with pytest.raises(OutputError, match=r"done.jsonl: cannot keep .*: no space left"):
        journal.add("a", ROWS, SERIES)
    with pytest.raises(OutputError, match=r"done.jsonl: cannot keep .*: no space left"):
        journal.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux's")  # noqa: PTH110
def test_a_device_keeps_nothing():
    with pytest.raises(SelectionError, match="no regular file"):
        Journal(Path("/dev/full"), {})
