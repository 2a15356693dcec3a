"""`infoflow extract` as a user meets it: every file is read back."""

from __future__ import annotations

import math
import os
import re
import stat
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from safetensors.numpy import save_file

from infoflow.facts import Geometry
from infoflow.operators import (
    completed,
    completed_toeplitz,
    convolution_kernel,
    doubly_block_toeplitz,
    frequency_symbol,
    layer_operator,
)
from tests.cases import SAMPLES, gaussian
from tests.cli.test_analyze import mistake
from tests.cli.test_commands import loaded

FIRST = gaussian(8, 3, 3, 3, seed=1, scale=0.1).astype(np.float64)
HEAD = gaussian(4, 8, seed=3).astype(np.float64)
PLAIN = Geometry((1, 1), (0, 0), (1, 1))
VARIABLES = {"C_M-square": "C_M_square", "W-square": "W_square"}

EXPECTED = {
    ("features.0", "layer"): lambda: layer_operator(FIRST, PLAIN, (6, 6)).to_dense(),
    ("features.0", "C_M"): lambda: doubly_block_toeplitz(FIRST[5, 2], (6, 6)).toarray(),
    ("features.0", "C_M-square"): lambda: completed_toeplitz(FIRST[5, 2], (6, 6)).toarray(),
    ("head", "layer"): lambda: HEAD,
    ("head", "W"): lambda: HEAD,
    ("head", "W-square"): lambda: completed(HEAD),
}
ARCHITECTURE = """
from torch import nn
def net():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, padding_mode="reflect", groups=2, bias=False),
        nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1, bias=False),
        nn.Conv2d(3, 3, 2, padding="same", bias=False),
    )
"""


def read_back(path, what):
    """The matrix of a file, dense."""
    if path.suffix == ".npz":
        return scipy.sparse.load_npz(path).toarray()
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".mtx":
        found = scipy.io.mmread(path)
    else:
        found = scipy.io.loadmat(path)[VARIABLES.get(what, what)]
    return found.toarray() if scipy.sparse.issparse(found) else found


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """As ``run``, but in this process: a start of Python for each mistake would take minutes."""
    from infoflow import cli

    def command(*arguments, columns=80):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["infoflow", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        code = ended.value.code or 0
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    return command


@pytest.fixture
def network(tmp_path):
    """A file of a network with known, odd geometry, and the file that tells it."""
    torch = pytest.importorskip("torch")
    source = tmp_path / "net.py"
    source.write_text(ARCHITECTURE)
    torch.manual_seed(0)
    scope = {}
    exec(ARCHITECTURE, scope)
    net = scope["net"]()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    return net.double().eval()


@pytest.mark.parametrize("ending", [".npz", ".npy", ".mtx", ".mat"])
@pytest.mark.parametrize(("layer", "what"), EXPECTED)
def test_every_matrix_in_every_format(ask, small_file, tmp_path, layer, what, ending):
    out = tmp_path / f"matrix{ending}"
    result = ask(
        "extract", small_file, "--layer", layer, "--what", what, "--input-size", 6,
        "--slice", "5,2", "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"wrote {out}\n"
    np.testing.assert_array_equal(read_back(out, what), EXPECTED[layer, what]())
    assert {path.name for path in tmp_path.iterdir()} == {small_file.name, out.name}


@pytest.mark.parametrize("ending", [".npy", ".mat"])
def test_the_symbol(ask, small_file, tmp_path, ending):
    out = tmp_path / f"symbol{ending}"
    result = ask(
        "extract", small_file, "--layer", "features.0", "--what", "symbol", "--out", out,
        "--grid", 5,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    kernel = convolution_kernel(FIRST, stride=(1, 1), dilation=(1, 1))
    found = read_back(out, "symbol")
    assert found.dtype == np.complex128
    np.testing.assert_array_equal(found, frequency_symbol(kernel, (5, 5)))


def test_the_symbols_grid_is_the_layers_positions_else_eight(ask, small_file, tmp_path):
    for size, side in (((), 8), (("--input-size", 6), 6)):
        result = ask(
            "extract", small_file, "--layer", "features.0", "--what", "symbol", *size,
            "--out", "s.npy",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert np.load(tmp_path / "s.npy").shape == (side, side, 1, 8, 3)


def test_known_geometries_are_torchs_layers(ask, tmp_path, network):
    torch = pytest.importorskip("torch")
    x = torch.randn(1, 2, 7, 7, dtype=torch.float64, generator=torch.manual_seed(1))
    for index in (0, 2, 3):
        result = ask(
            "extract", "net.pt", "--arch", "net.py:net", "--input-size", 7,
            "--layer", index, "--out", "x.npz",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert "known" in result.stdout
        matrix = scipy.sparse.load_npz(tmp_path / "x.npz")
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = network[:index](x)
            after = network[index](before)
        np.testing.assert_allclose(
            matrix @ before.numpy().ravel(), after.numpy().ravel(), atol=1e-12
        )


def test_the_summary_says_what_it_is(ask, small_file):
    result = ask(
        "extract", small_file, "--layer", "features.0", "--input-size", 6, "--out", "x.npz"
    )
    text = " ".join(result.stdout.split())
    assert "small.safetensors · features.0 · layer" in text
    assert "128 × 108, float64" in text
    assert f"{128 * 27:,} (25.0 %)" in text
    assert "output: 8 channels × 4 × 4 positions" in text
    assert "assumed stride 1, groups 1, input size" in text
    dense = EXPECTED["features.0", "layer"]()
    exact = np.log(np.linalg.svd(dense, compute_uv=False)).sum()
    told = re.search(r"log-volume (−?[\d.]+) nats", text)[1]
    assert float(told.replace("−", "-")) == pytest.approx(exact, abs=1e-4)
    assert "circular" in text


def test_figures_of_squares_and_filters(ask, small_file):
    corner = math.log(abs(FIRST[1, 2, 0, 0]))
    result = ask(
        "extract", small_file, "--layer", "features.0", "--input-size", 6, "--what", "C_M-square",
        "--slice", "1,2", "--out", "x.npz",
    )  # fmt: skip
    assert f"{16 * corner:.4f} nats (= 16 · log|c₁₁|)".replace("-", "−") in result.stdout
    result = ask("extract", small_file, "--layer", "head", "--what", "W-square", "--out", "x.npy")
    found = np.linalg.slogdet(HEAD[:, :4])[1]
    assert f"{found:.4f} nats (= log|det W_sq|)".replace("-", "−") in result.stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 140])
def test_the_summary_fits_the_terminal(ask, small_file, columns):
    for extra in (["--out", "x.npz"], ["--dry-run"]):
        result = ask(
            "extract", small_file, "--layer", "features.0", "--input-size", 6, *extra,
            columns=columns,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert max(map(len, result.stdout.splitlines())) <= columns
        assert "\x1b" not in result.stdout


def test_quiet_prints_nothing(run, small_file, tmp_path):
    result = run("extract", small_file, "--layer", "head", "--out", "x.npy", "--quiet")
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
    assert (tmp_path / "x.npy").exists()


def test_the_same_command_gives_the_same_bytes(run, small_file, tmp_path):
    files = []
    for name in ("a", "b"):
        run(
            "extract", small_file, "--layer", "features.0", "--input-size", 6,
            "--out", f"{name}.npz", "--picture", f"{name}.png",
        )  # fmt: skip
        files.append([(tmp_path / f"{name}{end}").read_bytes() for end in (".npz", ".png")])
    assert files[0] == files[1]


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_picture(ask, small_file, tmp_path, format):
    picture = tmp_path / f"picture.{format}"
    result = ask(
        "extract", small_file, "--layer", "features.0", "--input-size", 6, "--picture", picture
    )
    assert result.returncode == 0, result.stderr
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert picture.read_bytes().startswith(starts[format])


def large_file(tmp_path):
    """VGG16's 512 → 512 layer and a small one beside it."""
    path = tmp_path / "large.safetensors"
    save_file(
        {
            "features.28.weight": np.zeros((512, 512, 3, 3), np.float16),
            "head.weight": gaussian(4, 8),
        },
        path,
    )
    return path


def test_a_large_layers_size_is_told_without_making_it(ask, tmp_path):
    path = large_file(tmp_path)
    asked = ("extract", path, "--layer", "features.28", "--input-size", 14)
    told = " ".join(ask(*asked, "--dry-run").stdout.split())
    assert "73,728 × 100,352" in told  # no padding is known: 12 × 12 positions of the output
    assert f"at most {512 * 512 * 9 * 144:,}" in told
    assert "4.1 GB" in told
    assert "59.2 GB" in told
    assert not list(tmp_path.glob("*.npz"))
    refused = ask(*asked, "--out", "x.npz", "--max-memory", "2GB")
    mistake(refused, "73,728 × 100,352", "2.0 GB may be used", "--what C_M needs")
    refused = ask(*asked, "--out", "x.npy", "--max-memory", "6GB")
    mistake(refused, "a sparse file (.npz) needs 4.3 GB")
    asked = ("extract", path, "--layer", "features.28", "--input-size", 16, "--out", "x.mat")
    mistake(ask(*asked), "5.5 GB and a .mat file holds at most 4.3 GB; write a .npz file")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_estimate_depends_on_shapes_alone(ask, tmp_path):
    path = large_file(tmp_path)
    huge = ask(
        "extract", path, "--layer", "features.28", "--input-size", "1000000x1000000", "--dry-run"
    )
    assert huge.returncode == 0
    assert "it does not fit" in " ".join(huge.stdout.split())
    refused = ask(
        "extract", path, "--layer", "features.28", "--input-size", 9999999, "--out", "x.npz"
    )
    mistake(refused, "--what symbol --grid 8 needs")


def test_refusals_of_dense_layers_name_a_smaller_one(ask, tmp_path):
    save_file(
        {"wide.weight": np.zeros((1000, 16000), np.float16), "head.weight": gaussian(4, 8)},
        tmp_path / "w.safetensors",
    )
    asked = ("extract", "w.safetensors", "--layer", "wide", "--max-memory", "600MB")
    mistake(ask(*asked, "--what", "W-square", "--out", "x.npy"), "--what W needs")
    asked = ("extract", "w.safetensors", "--layer", "wide", "--max-memory", "200MB")
    mistake(ask(*asked, "--what", "W", "--out", "x.npy"), "--layer head needs")
    asked = ("extract", "w.safetensors", "--layer", "wide", "--max-memory", "1MB")
    mistake(ask(*asked, "--what", "W", "--out", "x.npy"), "linear_operator()")


def test_mistakes_end_in_one_sentence(ask, small_file, tmp_path):
    def wrong(*arguments, words):
        mistake(ask("extract", small_file, *arguments), *words)
        assert {path.name for path in tmp_path.iterdir()} <= {small_file.name, "folder"}

    conv, head, out = ("--layer", "features.0"), ("--layer", "head"), ("--out", "x.npz")
    size = ("--input-size", "6")
    wrong("--layer", "feature.0", *out, words=["feature.0", "nearest: 'features.0'"])
    wrong("--layer", "features.*", *out, words=["matches 2 layers (features.0, features.1)"])
    wrong("--layer", "features.0.bias", *out, words=["features.0.bias", "bias: adds a constant"])
    wrong("--layer", "features.0.weight", *out, words=["its layers are features.0"])
    wrong(*conv, *out, words=["the size of its input is not known", "--input-size 32x32"])
    wrong(*conv, *out, "--input-size", "2", words=["spans 3 positions", "input of 2"])
    wrong(*conv, *out, *size, "--what", "W", words=["has no W ", "C_M, C_M-square, layer, symbol"])
    wrong(*head, *out, "--what", "C_M", words=["head is a dense layer and has no C_M"])
    wrong(*head, *out, "--what", "symbol", words=["write .npy or .mat"])
    wrong(*head, "--out", "x.npy", "--what", "symbol", words=["head is a dense layer"])
    wrong(*conv, *out, *size, "--what", "C_M", "--slice", "8,0", words=["--slice 8,0", "0 to 7"])
    wrong(*conv, *out, *size, "--what", "C_M", "--slice", "0,3", words=["--slice 0,3", "0 to 2"])
    wrong(*conv, *out, *size, "--what", "C_M", "--slice", "first", words=["--slice 'first'"])
    wrong(*conv, *out, *size, "--max-memory", "lots", words=["--max-memory 'lots'"])
    wrong(*conv, *size, words=["Say where the matrix goes"])
    wrong(*conv, *size, "--out", "-", words=["standard output cannot hold it"])
    wrong(*conv, *size, "--out", "x.csv", words=["x.csv", ".npz (scipy sparse)"])
    wrong(*conv, *size, "--out", "matrix", words=["its ending does not say a format"])
    wrong(*conv, *size, "--out", tmp_path / "no" / "x.npz", words=["its folder does not exist"])
    (tmp_path / "folder").mkdir()
    wrong(*conv, *size, "--out", tmp_path / "folder", words=["is a folder"])
    wrong(*conv, *size, *out, "--picture", "x.gif", words=["x.gif", ".png, .svg, .pdf"])
    wrong(*conv, "--what", "symbol", "--picture", "x.png", words=["no sparsity pattern"])
    mistake(ask("extract", "missing.pt", *head, "--out", "x.npy"), "missing.pt")


def test_choices_that_are_no_words_of_theirs(run, small_file):
    result = run("extract", small_file, "--layer", "head", "--what", "matrix", "--out", "x.npy")
    assert result.returncode == 2
    assert "W-square" in result.stderr
    assert run("extract", small_file, "--out", "x.npy").returncode == 2


def test_normalisations_have_no_matrix(ask, tmp_path):
    weights = {"bn.weight": gaussian(4), "bn.running_var": np.ones(4, np.float32)}
    save_file(weights | {"head.weight": HEAD}, tmp_path / "n.safetensors")
    mistake(ask("extract", "n.safetensors", "--layer", "bn", "--out", "x.npy"), "normalisation")


def test_one_and_three_dimensions(ask, tmp_path):
    weights = {"a.weight": gaussian(2, 3, 4), "c.weight": gaussian(3, 2, 2, 2, 2, seed=1)}
    save_file(weights, tmp_path / "n.safetensors")
    plain = {n: Geometry((1,) * n, (0,) * n, (1,) * n) for n in (1, 3)}
    for layer, size in (("a", (7,)), ("c", (7, 7, 7)), ("c", (3, 4, 5))):
        words = "x".join(map(str, size)) if len(set(size)) > 1 else "7"
        result = ask(
            "extract", "n.safetensors", "--layer", layer, "--input-size", words, "--out", "x.npz"
        )
        assert result.returncode == 0, result.stderr
        weight = weights[f"{layer}.weight"]
        expected = layer_operator(weight, plain[len(size)], size).to_dense()
        found = scipy.sparse.load_npz(tmp_path / "x.npz").toarray()
        np.testing.assert_array_equal(found, expected)
    one = ("extract", "n.safetensors", "--layer", "a", "--input-size", "7", "--what", "C_M")
    assert ask(*one, "--out", "x.npz").returncode == 0
    expected = doubly_block_toeplitz(weights["a.weight"][0, :1], (1, 7)).toarray()
    np.testing.assert_array_equal(scipy.sparse.load_npz(tmp_path / "x.npz").toarray(), expected)
    three = ("extract", "n.safetensors", "--layer", "c", "--input-size", "7", "--out", "x.npz")
    mistake(ask(*three, "--what", "C_M"), "3 spatial dimensions")
    two = ("extract", "n.safetensors", "--layer", "a", "--input-size", "7x8", "--out", "y.npz")
    mistake(ask(*two), "1 spatial dimension")


def test_nan_weights_are_written_as_they_are(ask, tmp_path):
    weight = gaussian(4, 4)
    weight[1, 2] = np.nan
    save_file({"a.weight": weight}, tmp_path / "n.safetensors")
    result = ask("extract", "n.safetensors", "--layer", "a", "--what", "W", "--out", "x.npz")
    assert result.returncode == 0, result.stderr
    assert "not computed: the weight holds NaN" in " ".join(result.stdout.split())
    assert np.isnan(scipy.sparse.load_npz(tmp_path / "x.npz").toarray()).sum() == 1


def test_hostile_names_are_escaped(run, tmp_path):
    name = "evil\x1b[2J\n%%<script>\u202e"
    save_file({f"{name}.weight": gaussian(2, 3)}, tmp_path / "evil.safetensors")
    result = run(
        "extract", "evil.safetensors", "--layer", name, "--what", "W", "--out", "x.mtx",
        "--picture", "x.svg",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    assert b"\x1b" not in (tmp_path / "x.mtx").read_bytes()
    assert scipy.io.mmread(tmp_path / "x.mtx").shape == (2, 3)
    mistake(run("extract", "evil.safetensors", "--layer", "x", "--out", "y.npy"), "evil\\x1b")


def test_a_written_file_replaces_and_a_failed_one_leaves_nothing(ask, small_file, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"old")
    bad = ask("extract", small_file, "--layer", "head", "--out", "x.npy", "--slice", "?")
    assert bad.returncode == 2
    assert (tmp_path / "x.npy").read_bytes() == b"old"
    assert ask("extract", small_file, "--layer", "head", "--out", "x.npy").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), HEAD)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written(run, small_file, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    mistake(run("extract", small_file, "--layer", "head", "--out", locked / "x.npy"), "x.npy")


def test_a_known_network(run, tmp_path):
    result = run(
        "extract", SAMPLES / "lenet5-mnist.pt", "--layer", "conv1", "--out", "x.npz",
        "--what", "C_M", columns=100,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert scipy.sparse.load_npz(tmp_path / "x.npz").shape == (24 * 24, 28 * 28)
    assert "C_M is of stride 1, without padding or dilation" in result.stdout
    assert "lower bound" in result.stdout


def test_nothing_heavy_is_loaded_without_need(small_file, tmp_path):
    assert loaded("extract", "--help") == set()
    asked = ("extract", small_file, "--layer", "features.0", "--input-size", "6")
    assert not loaded(*asked, "--dry-run") & {"torch", "matplotlib", "torchvision"}
    out = tmp_path / "x.npz"
    assert not loaded(*asked, "--out", out) & {"torch", "matplotlib", "torchvision"}


def test_an_output_over_the_input_is_refused(ask, tmp_path):
    save_file({"head.weight": HEAD}, tmp_path / "n.npy")
    before = (tmp_path / "n.npy").read_bytes()
    mistake(ask("extract", "n.npy", "--layer", "head", "--out", "n.npy"), "belongs to the input")
    assert (tmp_path / "n.npy").read_bytes() == before


def test_an_embedding_is_the_map_from_tokens_to_vectors(ask, tmp_path):
    table = gaussian(9, 4)
    save_file({"wte.weight": table}, tmp_path / "n.safetensors")
    for what in ("W", "layer"):
        asked = ("extract", "n.safetensors", "--layer", "wte", "--what", what)
        result = ask(*asked, "--out", "x.npy", "--picture", "x.svg")
        assert result.returncode == 0, result.stderr
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), table.T)
        assert "columns are tokens, in no order" in " ".join(result.stdout.split())
    # W′ is of the first tokens only, whose order says nothing.
    square = ask(
        "extract", "n.safetensors", "--layer", "wte", "--what", "W-square", "--out", "y.npy"
    )
    mistake(square, "is an embedding and has no W-square")


def test_an_update_of_low_rank_is_its_whole_product(ask, tmp_path):
    down, up = gaussian(2, 5), gaussian(6, 2, seed=1)
    arrays = {"q.lora_down.weight": down, "q.lora_up.weight": up, "q.alpha": np.float32([8])}
    save_file(arrays, tmp_path / "n.safetensors")
    exact = 8 / 2 * up.astype(float) @ down.astype(float)
    for what in ("W", "layer"):
        asked = ("extract", "n.safetensors", "--layer", "q", "--what", what, "--out", "x.npy")
        result = ask(*asked)
        assert result.returncode == 0, result.stderr
        np.testing.assert_allclose(np.load(tmp_path / "x.npy"), exact, rtol=1e-12)
        assert "scaled by its alpha/r" in " ".join(result.stdout.split())
        volume = np.log(np.linalg.svd(exact, compute_uv=False)[:2]).sum()
        found = re.search(r"over its rank\s+(\S+) nats, rank 2 of 5", result.stdout)
        assert found is not None
        assert float(found[1].replace("−", "-")) == pytest.approx(volume, abs=1e-3)


def test_an_update_of_a_convolution_is_a_convolution(ask, tmp_path):
    down, up = gaussian(2, 3, 3, 3), gaussian(5, 2, 1, 1, seed=1)
    arrays = {"c.lora_A.weight": down, "c.lora_B.weight": up}
    save_file(arrays, tmp_path / "n.safetensors")
    weight = np.einsum("or,rihw->oihw", up[:, :, 0, 0].astype(float), down.astype(float))
    asked = ("extract", "n.safetensors", "--layer", "c", "--input-size", 4, "--out", "x.npy")
    assert ask(*asked).returncode == 0
    exact = layer_operator(weight, PLAIN, (4, 4)).to_dense()
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), exact, rtol=1e-12)
    symbol = ask(*asked, "--what", "symbol", "--grid", 3)
    assert symbol.returncode == 0
    kernel = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    found = np.load(tmp_path / "x.npy")
    np.testing.assert_allclose(found, frequency_symbol(kernel, (3, 3)), rtol=1e-12)
    mistake(ask(*asked, "--what", "W"), "has no W")
