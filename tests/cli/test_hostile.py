"""Hostile files as a user meets them: the real command, one sentence, exit code 2, in bounds."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.checkpoints import making
from tests.checkpoints.test_hostile_pickles import calls, shared_mappings
from tests.checkpoints.test_hostile_zip import changed
from tests.checkpoints.test_safetensors import entry, write
from tests.checkpoints.test_safety import DATA, WEIGHT
from tests.render.test_to_html import Page

MEMORY = 4 * 2**30
SECONDS = 60
STATE = making.state(w=WEIGHT)
TRILLION = 10**6


def limited(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """``infoflow`` in a process that gets 4 GiB of addresses and a minute."""
    return subprocess.run(
        [sys.executable, "-m", "infoflow", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        timeout=SECONDS,
        env=os.environ
        | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        check=False,
    )


def zipped(folder: Path, body: bytes = STATE, **storages: bytes) -> Path:
    return making.write_zip(folder / "f.pt", body, {"0": DATA, **storages})


def folder_of_nothing(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "f.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", making.program(STATE))
        file.writestr("a/data/0", bytes(150_000_000))
    return folder / "f.pt"


def index(folder: Path, place: str) -> Path:
    save_file({"w.weight": np.ones((2, 2), np.float32)}, folder / "s.safetensors")
    (folder / "i.index.json").write_text(json.dumps({"weight_map": {"w.weight": place}}))
    return folder / "i.index.json"


def named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.pt", "there is no such file"),
    "folder": (folder_of_nothing, "folder without weights"),
    "device": (lambda _: Path("/dev/zero"), "not a regular file"),
    "pipe": (named_pipe, "not a regular file"),
    "encrypted": (lambda f: changed(zipped(f), "archive/data/0", 8, 1, 2), "is encrypted"),
    "bomb": (bomb, "zip bomb"),
    "overlap": (lambda f: changed(zipped(f), "archive/data/0", 42, 0), "overlap"),
    "code": (lambda f: zipped(f, making.state(w=WEIGHT, x=calls("touch ran")["REDUCE"])), "needs"),
    "mappings": (lambda f: zipped(f, shared_mappings(12, 12)), "too many names|tensors"),
    "strides": (
        lambda f: zipped(f, making.state(w=making.tensor(making.storage("0", 4), (9,), (9,)))),
        "ends at element",
    ),
    "repeated": (
        lambda f: zipped(
            f, making.state(w=making.tensor(making.storage("0", 4), (TRILLION,) * 2, (0, 0)))
        ),
        "repeated to shape",
    ),
    "sizes": (
        lambda f: write(f / "f", {"w": entry([TRILLION] * 2, 0, 4 * TRILLION**2)}, bytes(9)),
        "truncated",
    ),
    "overlapping tensors": (
        lambda f: write(f / "f", {"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
        "overlap",
    ),
    "deep header": (lambda f: write(f / "f", b'{"a":' + b"[" * 10**6), "not a JSON object"),
    "empty tensors": (lambda f: write(f / "f", {"w": entry([0, 4], 0, 0)}), "empty tensor"),
    "shard outside": (lambda f: index(f, "../../s.safetensors"), "own folder"),
    "shard missing": (lambda f: index(f, "t.safetensors"), "is missing"),
}  # fmt: skip


def test_paths_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """Tests run as root, who may look everywhere: a name too long fails in the same place."""
    run = limited(tmp_path, "analyze", "x" * 300)
    assert run.returncode == 2
    assert run.stderr == f"infoflow: {'x' * 300}: cannot be read (file name too long)\n"


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    make, message = REFUSED[case]
    path = make(tmp_path)
    turn = list(REFUSED).index(case) % 2
    command = ["layers"] if turn else ["analyze", "--out", "report"]
    run = limited(tmp_path, command[0], path, *command[1:])
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"infoflow: {path}")
    assert any(word in line for word in message.split("|"))
    assert not (tmp_path / "report").exists()
    assert not (tmp_path / "ran").exists()


NAMES = (
    *("<script>alert(1)</script>.weight", "a\x1b[31m\x1b]0;owned\x07.weight", "\u202egnp.weight"),
    *("../../up.weight", "/abs/olute.weight", "C:\\drive\\x.weight", "x" * 300 + ".weight"),
    *(
        "=cmd|' /C calc'!A0.weight",
        "+1.weight",
        "-1.weight",
        "@sum.weight",
        "a|b`c`*d*.weight",
        "c1\x9b2J.weight",
    ),
    *(
        "line\r\nfake: line.weight",
        "nul\0byte.weight",
        "\"quotes\" 'both'.weight",
        "{{7*7}}.weight",
    ),
    *("\ud800lone.weight", " .weight", ".weight", "[link](javascript:alert(1)).weight"),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A file of names that are attacks, and all that is written of it."""
    folder = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((4, 3, 3, 3)).astype(np.float32) for _ in NAMES]
    header, position = {}, 0
    for name, array in zip(NAMES, arrays, strict=True):
        header[name] = entry(list(array.shape), position, position + array.nbytes)
        position += array.nbytes
    write(folder / "f.safetensors", header, b"".join(array.tobytes() for array in arrays))
    run = limited(folder, "analyze", "f.safetensors", "--out", "report", "--verbose")
    assert run.returncode == 0, run.stderr
    layers = limited(folder, "layers", "f.safetensors")
    assert layers.returncode == 0, layers.stderr
    files = {path.suffix: path for path in (folder / "report").glob("report.*")}
    texts = {suffix: path.read_bytes().decode() for suffix, path in files.items()}
    listed = limited(folder, "layers", "f.safetensors", "--json")
    assert len(json.loads(listed.stdout)["layers"]) == len(NAMES)
    terminal = {"out": run.stdout, "err": run.stderr, "layers": layers.stdout}
    terminal["layers.json"] = listed.stdout
    return folder, texts | terminal


def test_files_stay_in_their_folder(told: tuple[Path, dict[str, str]]) -> None:
    folder, _ = told
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    plots = {name for name in files if name.startswith("report/plots/")}
    endings = {f"report/report.{ending}" for ending in ("json", "csv", "md", "html")}
    assert files - plots == {"f.safetensors"} | endings
    assert all(name.removeprefix("report/plots/").replace("-", "").replace(".", "").isalnum()
               for name in plots)  # fmt: skip
    assert not list(folder.parent.glob("up*"))


@pytest.mark.parametrize(
    "output", ["out", "err", "layers", "layers.json", ".json", ".csv", ".md", ".html"]
)
def test_no_output_has_characters_that_command(
    told: tuple[Path, dict[str, str]], output: str
) -> None:
    text = told[1][output].replace("\r\n", "\n") if output == ".csv" else told[1][output]
    assert [char for char in "\x1b\x07\r\0\u202e\x9b" if char in text] == []
    assert len(text) > 100 or output == "err"


def test_every_layer_is_told(told: tuple[Path, dict[str, str]]) -> None:
    report = json.loads(told[1][".json"])
    assert len(report["layers"]) == len(NAMES)
    assert {layer["name"] for layer in report["layers"]} >= {"x" * 300, "=cmd|' /C calc'!A0"}


def test_the_page_has_no_markup_of_a_name(told: tuple[Path, dict[str, str]]) -> None:
    page = Page(told[1][".html"])
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert len(scripts) == 1
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not str(attributes.get("href", "")).startswith("javascript")
    assert "{{7*7}}" in told[1][".html"]


def test_no_cell_of_the_csv_is_a_formula(told: tuple[Path, dict[str, str]]) -> None:
    rows = list(csv.reader(io.StringIO(told[1][".csv"])))
    names = {row[0] for row in rows[1:]}
    assert {"'=cmd|' /C calc'!A0", "'+1", "'-1", "'@sum"} <= names
    assert not [name for name in names if name.startswith(("=", "+", "-", "@"))]
    assert {len(row) for row in rows} == {len(rows[0])}


def test_the_terminal_is_as_wide_as_ever(told: tuple[Path, dict[str, str]]) -> None:
    assert max(len(line) for line in told[1]["out"].splitlines()) <= 80
