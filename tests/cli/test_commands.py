"""The small commands, the start-up, and what must not be imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires, version

import pytest

from tests.cases import SAMPLES

LOADED = (
    "import sys; sys.argv = ['infoflow', *{arguments!r}]\n"
    "import infoflow.cli\n"
    "try: infoflow.cli.main()\n"
    "except SystemExit: pass\n"
    "print('LOADED', *sorted(m for m in ('torch', 'matplotlib', 'torchvision', 'scipy', 'numpy')"
    " if m in sys.modules), file=sys.stderr)"
)


def loaded(*arguments):
    """Which heavy packages a command has imported when it ends."""
    code = LOADED.format(arguments=list(map(str, arguments)))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(result.stderr.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["analyze", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    assert loaded(*arguments) == set()


def test_the_test_of_imports_can_fail():
    code = LOADED.format(arguments=["--version"]).replace(
        "import infoflow.cli", "import torch, infoflow.cli"
    )
    pytest.importorskip("torch")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "torch" in result.stderr


def test_analyze_loads_no_torch(small_file):
    assert loaded("analyze", small_file) & {"torch", "matplotlib", "torchvision"} == set()


def test_version(run):
    assert run("--version").stdout.startswith("infoflow 0.")


def test_completion_is_offered(run):
    assert "--install-completion" in run("--help").stdout


def test_measures_have_units_and_sources(run):
    rows = json.loads(run("measures", "--json").stdout)
    assert {"log-volume", "entropy-change.c11", "random-twin.z-mean"} <= {r["name"] for r in rows}
    assert all(row["unit"] and row["source"] and row["summary"] and row["symbol"] for row in rows)
    assert "log-volume.density" in run("measures", columns=160).stdout


def test_formats(run):
    names = " ".join(row["name"] for row in json.loads(run("formats", "--json").stdout))
    assert "safetensors" in names
    assert "legacy" in names
    assert run("formats").returncode == 0


def test_layers(run, small_file):
    found = json.loads(run("layers", small_file, "--json").stdout)
    assert [layer["name"] for layer in found["layers"]] == ["features.0", "features.1", "head"]
    assert len(found["tensors"]) == 4
    text = run("layers", small_file, columns=100).stdout
    assert "assumed stride 1, groups 1" in " ".join(text.split())


def test_schema_describes_a_real_report(run, small_file):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(run("schema").stdout)
    report = json.loads(run("analyze", small_file, "--json", "-").stdout)
    jsonschema.validate(report, schema)
    report["measurements"][0]["value"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema)


def test_info_says_what_is_here(run):
    rows = json.loads(run("info", "--json").stdout)
    assert {"infoflow", "python", "numpy", "torch"} <= set(rows)


def test_info_tells_every_declared_package_and_no_others(run):
    rows = json.loads(run("info", "--json").stdout)
    declared = [line for line in requires("infoflow") if "extra" not in line]
    names = {re.match(r"[\w.-]+", line)[0] for line in declared}
    assert {"numpy", "ml-dtypes", "typer"} <= names <= set(rows)
    assert {"onnx", "h5py", "gguf", "timm", "ray"} <= set(rows)  # what extras bring
    assert not {"pytest", "ruff"} & set(rows)


def test_info_where_packages_are_missing(run, tmp_path):
    """A distribution found first, which needs what is not there."""
    folder = tmp_path / "path" / "infoflow-9.9.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: infoflow\nVersion: 9.9\nRequires-Dist: numpy>=2.0\n"
        "Requires-Dist: no-such.package_1>=3,<4; python_version >= '3.8'\n"
        "Requires-Dist: no-such-extra; extra == 'test'\n"
    )
    result = run("info", "--json", PYTHONPATH=str(folder.parent))
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert rows["infoflow"] == "9.9"
    assert rows["numpy"] == version("numpy")
    assert rows["no-such.package_1"] == "not installed: pip install 'no-such.package_1>=3,<4'"
    assert "no-such-extra" not in rows


def test_info_explains_a_pair_that_does_not_fit(run, tmp_path):
    pytest.importorskip("torchvision")
    fake = tmp_path / "fake" / "torchvision"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    rows = json.loads(run("info", "--json", PYTHONPATH=str(fake.parent)).stdout)
    assert "does not fit torch" in rows["torchvision"]
    assert "Install both together" in rows["torchvision"]


def test_selftest_passes(run):
    result = run("selftest", "--json")
    assert result.returncode == 0, result.stdout
    assert all(check["passed"] for check in json.loads(result.stdout))


def test_unknown_command_and_option(run):
    assert run("analyse").returncode == 2
    assert run("analyze", "x", "--jsno").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [["analyze", SAMPLES / "vgg-cifar10.safetensors"], ["check", SAMPLES / "lenet5-mnist.pt"]],
)
def test_a_reader_that_leaves_early_changes_no_exit_code(arguments, tmp_path):
    command = [sys.executable, "-m", "infoflow", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert b"Traceback" not in said
