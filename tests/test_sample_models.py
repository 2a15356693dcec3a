"""The sample models: files, cards and checksums agree, and the script that made them runs."""

import hashlib
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

import safetensors  # noqa: E402

from infoflow.zoo import ZOO  # noqa: E402

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_models"
SHARED = Path(os.environ.get("INFOFLOW_SHARED", ROOT.parent / "shared"))
RECIPES = runpy.run_path(str(SAMPLES / "recipes.py"), run_name="sample_recipes")["RECIPES"]
LEGACY_BEGINNING = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled


def card_of(recipe):
    return (SAMPLES / f"{recipe.name}.md").read_text(encoding="utf-8")


def stated_accuracy(recipe):
    """Share, number of right answers and of images that the card states."""
    text = card_of(recipe)
    share, images = re.search(
        r"Accuracy: \*\*([\d.]+) %\*\* on ([\d,]+) test images", text
    ).groups()
    correct = re.search(r"\(([\d,]+) right;", text).group(1)
    return float(share), int(correct.replace(",", "")), int(images.replace(",", ""))


def weights_of(path):
    """The state dict, by the strictest loader there is for the format."""
    if path.suffix == ".safetensors":
        return safetensors_torch.load_file(path)
    content = torch.load(path, weights_only=True)
    return content.get("state_dict", content)


def network_of(recipe):
    network = ZOO[recipe.network].factory()
    network.load_state_dict(weights_of(SAMPLES / recipe.file), strict=True)
    return network.eval()


@pytest.fixture(params=RECIPES.values(), ids=RECIPES.keys())
def recipe(request):
    return request.param


def test_every_file_has_a_recipe_a_card_and_a_checksum():
    checkpoints = {p.name for p in SAMPLES.iterdir() if p.suffix in (".pt", ".pth", ".safetensors")}
    assert checkpoints == {recipe.file for recipe in RECIPES.values()}
    lines = (SAMPLES / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == checkpoints
    for name, digest in sums.items():
        assert hashlib.sha256((SAMPLES / name).read_bytes()).hexdigest() == digest, name


def test_readme_lists_every_file_with_the_accuracy_of_its_card():
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    rows = {m[1]: line for line in text.splitlines() if (m := re.match(r"\| `([^`]+)`", line))}
    assert set(rows) == {recipe.file for recipe in RECIPES.values()}
    for recipe in RECIPES.values():
        share, _, images = stated_accuracy(recipe)
        assert f"| {share:.2f} % of {images:,} |" in rows[recipe.file]
        assert f"({recipe.name}.md)" in rows[recipe.file]


def test_size_and_format(recipe):
    path = SAMPLES / recipe.file
    assert path.stat().st_size < 3_000_000
    beginning = path.read_bytes()[:64]
    assert zipfile.is_zipfile(path) == (recipe.format == "PyTorch zip")
    assert beginning.startswith(LEGACY_BEGINNING) == (recipe.format == "PyTorch legacy")
    assert (path.suffix == ".safetensors") == (recipe.format == "safetensors")


def test_card_says_how_the_sample_was_made(recipe):
    text = card_of(recipe)
    share, correct, images = stated_accuracy(recipe)
    assert share == pytest.approx(100 * correct / images, abs=0.005)
    assert images == (1_000 if recipe.data.name == "cifar10" else 10_000)
    for row in (
        f"| steps | {recipe.steps:,} (",
        f"| seed | {recipe.seed} |",
        f"| optimiser | {recipe.optimiser}",
        f"| file | `{recipe.file}`: {recipe.format}, ",
        f"| data | {recipe.data.title}, ",
        "| licence | Apache-2.0",
        f"| network | {ZOO[recipe.network].title}: ",
        "| made with | torch 2.",
    ):
        assert row in text
    command = f"python sample_models/train.py {recipe.name} --data-root FOLDER --out NEW\n"
    assert command in text


def test_weights_fit_their_network_and_are_finite(recipe):
    network = network_of(recipe)
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
    with torch.no_grad():
        logits = network(torch.randn(4, *ZOO[recipe.network].input_shape))
    assert logits.shape == (4, 10)
    assert torch.isfinite(logits).all()


def test_weights_of_another_sample_do_not_fit():
    network = ZOO["lenet5"].factory()
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_state_dict(weights_of(SAMPLES / RECIPES["vgg-cifar10"].file), strict=True)


@pytest.mark.parametrize("name", [r.name for r in RECIPES.values() if r.format != "safetensors"])
def test_nested_and_bare_dictionaries(name):
    recipe = RECIPES[name]
    content = torch.load(SAMPLES / recipe.file, weights_only=True)
    assert ("state_dict" in content) == recipe.nested
    if recipe.nested:
        assert content["step"] == recipe.steps
        assert 100 * content["accuracy"] == pytest.approx(stated_accuracy(recipe)[0], abs=0.005)


@pytest.mark.parametrize("name", [r.name for r in RECIPES.values() if r.format == "safetensors"])
def test_safetensors_metadata_say_what_the_network_needs(name):
    recipe = RECIPES[name]
    with safetensors.safe_open(SAMPLES / recipe.file, "numpy") as file:
        metadata = file.metadata()
    entry = ZOO[recipe.network]
    assert metadata["architecture"] == f"infoflow:{recipe.network}"
    assert metadata["input_size"] == "x".join(str(size) for size in entry.input_shape)
    assert len(metadata["mean"].split(",")) == len(metadata["std"].split(",")) == entry.channels
    assert 100 * float(metadata["accuracy"]) == pytest.approx(stated_accuracy(recipe)[0], abs=0.01)


def test_the_pair_of_deep_networks_shows_what_it_is_there_for():
    images = torch.randn(256, 1, 28, 28)
    with torch.no_grad():
        dead, alive = (network_of(RECIPES[f"deep-fnn-{n}-init"])(images) for n in ("torch", "he"))
    assert float(dead.std(dim=0).max()) < 1e-4
    assert len(dead.argmax(dim=1).unique()) == 1
    assert len(alive.argmax(dim=1).unique()) > 1
    assert stated_accuracy(RECIPES["deep-fnn-torch-init"])[:2] == (11.35, 1135)  # always a one
    assert stated_accuracy(RECIPES["deep-fnn-he-init"])[0] > 80


@pytest.mark.parametrize(
    ("name", "least"),
    [("lenet5-mnist", 98), ("vgg-cifar10", 75), ("transformer-encoder-fashion-mnist", 85)],
)
def test_the_others_are_trained(name, least):
    assert stated_accuracy(RECIPES[name])[0] > least


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """The real data, as ``shared/data/unpack.py`` writes them."""
    script = SHARED / "data" / "unpack.py"
    if not script.is_file():
        pytest.skip(f"no data: there is no {script} (INFOFLOW_SHARED names its folder)")
    pytest.importorskip("PIL", reason="unpack.py needs Pillow")
    folder = tmp_path_factory.mktemp("data")
    names = sorted({recipe.data.name for recipe in RECIPES.values()})
    subprocess.run([sys.executable, script, folder, *names], check=True, capture_output=True)
    return folder


@pytest.mark.long
def test_accuracy_is_the_one_of_the_card(recipe, unpacked):
    with np.load(unpacked / recipe.data.name / "test.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    if images.ndim == 3:
        images = images[..., np.newaxis]
    pixels = (images / 255.0 - recipe.data.mean) / recipe.data.std
    inputs = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))
    network = network_of(recipe)
    with torch.no_grad():
        answers = torch.cat([network(part).argmax(dim=1) for part in inputs.split(1000)])
    _, correct, count = stated_accuracy(recipe)
    assert len(labels) == count
    # Another machine rounds otherwise: an image on the border between two classes may flip.
    assert int((answers.numpy() == labels).sum()) == pytest.approx(correct, abs=3)


# ------------------------------------------------------------------ the script that made them


def generated(folder, count=40):
    """Data sets of noise, in the layout and with the shapes of the real ones."""
    generator = np.random.default_rng(0)
    shapes = {"mnist": (28, 28), "fashion-mnist": (28, 28), "cifar10": (32, 32, 3)}
    for name, shape in shapes.items():
        (folder / name).mkdir(parents=True)
        for split in ("train", "test"):
            images = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
            labels = generator.integers(0, 10, count, dtype=np.uint8)
            np.savez(folder / name / f"{split}.npz", images=images, labels=labels)
    return folder


def run_script(*words):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, SAMPLES / "train.py", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_three_steps_give_the_same_weights_twice(tmp_path):
    data = generated(tmp_path / "data")
    for out in ("one", "two"):
        words = ["all", "--data-root", data, "--steps", 3, "--threads", 1, "--out", tmp_path / out]
        run = run_script(*words)
        assert (run.returncode, run.stderr) == (0, "")
        assert len(run.stdout.splitlines()) == len(RECIPES)
    for recipe in RECIPES.values():
        one, two = (weights_of(tmp_path / out / recipe.file) for out in ("one", "two"))
        assert one.keys() == two.keys() == weights_of(SAMPLES / recipe.file).keys()
        assert all(torch.equal(one[name], two[name]) for name in one), recipe.name
        text = (tmp_path / "one" / f"{recipe.name}.md").read_text(encoding="utf-8")
        assert "| steps | 3 (" in text
        assert "--steps 3\n" in text
        assert "40 test images" in text
    assert len(list((tmp_path / "one").iterdir())) == 2 * len(RECIPES)  # nothing left over


@pytest.fixture
def main(monkeypatch):
    """The script's ``main``, in this process: for what fails before any training."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    for name in ("card", "recipes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield runpy.run_path(str(SAMPLES / "train.py"), run_name="sample_train")["main"]
    for name in ("card", "recipes"):
        sys.modules.pop(name, None)


def refused(main, capsys, *words):
    """The one sentence of a run that ends with exit code 2."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("train.py: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_missing_data_root_in_its_own_process(tmp_path):
    missing = tmp_path / "nowhere"
    run = run_script("lenet5-mnist", "--data-root", missing, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr == f"train.py: the data root {missing} is not a folder\n"
    assert run.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lenet5-mnist"], "--data-root"),
        (["lenet6", "--data-root", "."], "invalid choice: 'lenet6'"),
        (["lenet5-mnist", "--data-root", ".", "--steps", "0"], "at least 1"),
        (["lenet5-mnist", "--data-root", ".", "--threads", "0"], "at least 1"),
        (["lenet5-mnist", "--data-root", ".", "--steps", "some"], "invalid int value: 'some'"),
    ],
)
def test_mistakes_on_the_command_line(main, capsys, words, sentence):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert sentence in capsys.readouterr().err


def test_a_data_set_that_is_not_there(main, capsys, tmp_path):
    error = refused(main, capsys, "lenet5-mnist", "--data-root", tmp_path, "--out", tmp_path / "o")
    assert f"there is no {tmp_path / 'mnist' / 'train.npz'}" in error
    assert not (tmp_path / "o").exists()


ZEROS = np.zeros((5, 28, 28), np.uint8)
LABELS = np.arange(5, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"labels": LABELS}, "has no array images"),
        ({"images": ZEROS}, "has no array labels"),
        ({}, "has no array images and no array labels"),
        (
            {"images": ZEROS[:, :27], "labels": LABELS},
            "5 images of uint8 (27, 28, 1), not at least one of uint8 (28, 28, 1)",
        ),
        ({"images": ZEROS.astype(np.float32), "labels": LABELS}, "5 images of float32"),
        ({"images": ZEROS[:0], "labels": LABELS[:0]}, "0 images of uint8 (28, 28, 1)"),
        ({"images": ZEROS, "labels": LABELS[:4]}, "one label from 0 to 9"),
        ({"images": ZEROS, "labels": LABELS + 9}, "one label from 0 to 9"),
        ({"images": ZEROS, "labels": LABELS + 0.5}, "one label from 0 to 9"),
        ({"images": ZEROS, "labels": LABELS.astype(np.int16) - 1}, "one label from 0 to 9"),
        ({"images": np.array([None]), "labels": LABELS}, "cannot be read as an .npz file"),
    ],
)
def test_data_of_the_wrong_kind(main, capsys, tmp_path, arrays, sentence):
    data = generated(tmp_path / "data")
    np.savez(data / "mnist" / "test.npz", **arrays)
    error = refused(main, capsys, "lenet5-mnist", "--data-root", data, "--out", tmp_path / "out")
    assert str(data / "mnist" / "test.npz") in error
    assert sentence in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "not an archive", "half", "one array"])
def test_files_that_are_no_archives(main, capsys, tmp_path, content):
    data = generated(tmp_path / "data")
    path = data / "mnist" / "train.npz"
    if content == "half":
        path.write_bytes(path.read_bytes()[:20_000])
    elif content == "one array":
        with path.open("wb") as stream:
            np.save(stream, ZEROS)
    else:
        path.write_text(content)
    error = refused(main, capsys, "lenet5-mnist", "--data-root", data, "--out", tmp_path / "out")
    assert error == f"train.py: {path} cannot be read as an .npz file of plain arrays\n"


def test_files_that_are_there_stay_as_they_are(main, capsys, tmp_path):
    data = generated(tmp_path / "data")
    (tmp_path / "lenet5-mnist.md").write_text("mine")
    error = refused(main, capsys, "lenet5-mnist", "--data-root", data, "--out", tmp_path)
    assert "lenet5-mnist.md is there already; --overwrite would replace it" in error
    assert (tmp_path / "lenet5-mnist.md").read_text() == "mine"
    assert not (tmp_path / "lenet5-mnist.pt").exists()


def test_output_that_cannot_be_written(main, capsys, tmp_path):
    data = generated(tmp_path / "data")
    (tmp_path / "taken").write_text("a file")
    error = refused(main, capsys, "lenet5-mnist", "--data-root", data, "--out", tmp_path / "taken")
    assert "cannot be written" in error
