"""Files of other libraries on the command line, their extras, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints.extras import PACKAGES
from tests.cases import gaussian
from tests.conftest import Run


def onnx_file(path: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    entry, end = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy"
    )
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "graph",
        [entry],
        [end],
        [onnx.numpy_helper.from_array(gaussian(6, 4), "w")],
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def keras_file(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"w"]
        file.create_group("w").attrs["weight_names"] = [b"w/kernel:0"]
        file["w"].create_dataset("w/kernel:0", data=gaussian(6, 4))
    return path


MAKERS = {"onnx": onnx_file, "keras": keras_file}


@pytest.mark.parametrize("extra", MAKERS)
def test_analyze_gives_the_figures_of_the_matrix(run: Run, tmp_path: Path, extra: str) -> None:
    path = MAKERS[extra](tmp_path / f"model.{extra}")
    done = run("analyze", path, "--json", "-")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    rows = json.loads(done.stdout)["measurements"]
    (volume,) = (
        row["value"] for row in rows if (row["layer"], row["measure"]) == ("w", "log-volume")
    )
    singular = np.linalg.svd(gaussian(6, 4).astype(float), compute_uv=False)
    assert volume == pytest.approx(np.log(singular).sum(), rel=1e-9)


@pytest.mark.parametrize("extra", MAKERS)
def test_a_missing_extra_is_named_with_its_command(run: Run, tmp_path: Path, extra: str) -> None:
    path, package = MAKERS[extra](tmp_path / "model"), PACKAGES[extra]
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})\n")
    done = run(
        "analyze", path, PYTHONPATH=f"{hidden}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"needs the package {package}, which is not installed" in line
    assert f"pip install 'infoflow[{extra}]'" in line


def test_recognising_a_file_imports_no_extra(run: Run, small_file: Path) -> None:
    code = "import sys; sys.argv = ['infoflow', 'layers', sys.argv[1]]\n"
    code += "import infoflow.cli\n"
    code += "try: infoflow.cli.main()\n"
    code += "except SystemExit: pass\n"
    code += f"assert not set({sorted(PACKAGES.values())!r}) & set(sys.modules)\n"

    done = subprocess.run(
        [sys.executable, "-c", code, str(small_file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_formats_and_info_tell_the_extras(run: Run) -> None:
    listed = {row["name"]: row for row in json.loads(run("formats", "--json").stdout)}
    for name, extra in (("ONNX", "onnx"), ("Keras HDF5 file", "keras"), ("GGUF", "gguf")):
        assert listed[name]["extra"].partition(",")[0] == extra
    assert listed["TorchScript archive"]["extra"] == ""
    told = json.loads(run("info", "--json").stdout)
    assert set(PACKAGES.values()) <= set(told)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.onnx", b"\x08\x08\x12\x07pytorch\x1a"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(600)),
        ("a.gguf", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16),
        ("a.keras", b"PK\x03\x04model.weights.h5"),
    ],
)
def test_damaged_files_are_one_sentence(
    run: Run, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("analyze", name)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert name in line


def test_a_folder_with_a_model_of_onnx(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    onnx_file(tmp_path / "model" / "model.onnx")
    done = run("layers", "model")
    assert done.returncode == 0
    assert "model folder, ONNX" in done.stdout
