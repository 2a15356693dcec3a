"""Every recipe runs: small on drawn shapes, and as it is on its own data."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("lightning_fabric", reason="needs the extra train")

from infoflow.training import train
from infoflow.training.reading import changed
from infoflow.training.recipes import FINE_TUNE, names, recipe
from tests.cases import SAMPLES
from tests.data_sets import unpack_tests

STEPS = 20

SMALL = {
    "autoencoder-mnist": ["width=32"],
    "cnn-cifar10": ["width=4"],
    "fine-tune": [],
    "lbe-fnn-mnist": ["width=32", "batch_size=64"],
    "lbe-resnet-cifar10": ["depth=8", "warmup=5"],
    "unet-shapes": ["width=4"],
}


def run(name, out, *assignments):
    """The recipe for some steps; its figures are numbers, and its loss fell or was low."""
    own = [f"network.name={SAMPLES}/vgg-cifar10.safetensors"] if name == FINE_TUNE else []
    made = changed(
        recipe(name),
        [*own, f"run.steps={STEPS}", "threads=1", "device=cpu", "log_every=5", *assignments],
    )
    trained = train(made, out)
    assert trained.steps == STEPS
    assert all(map(math.isfinite, trained.figures.values()))
    assert trained.figures.keys() > {"loss"}
    return trained


def test_every_recipe_is_run_here():
    assert set(names()) == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_small_on_shapes(name, tmp_path):
    kind = "shapes:masks" if "unet" in name else "shapes"
    side = 28 if "mnist" in name else 32
    run(
        name, tmp_path / "run", f"data.name={kind}", "data.samples=200", "validation=40",
        f"size=[{side},{side}]", "batch_size=32", *SMALL[name],
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Real test images; recipes train on a part of them here."""
    return unpack_tests(("mnist", "cifar10"), tmp_path_factory.mktemp("data"))


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_as_it_is_on_its_own_data(name, root, tmp_path):
    data = ["data.name=cifar10"] if name == FINE_TUNE else []
    if "shapes" not in name:
        data += [f"data.root={root}", "data.split=test"]
    run(name, tmp_path / "run", *data, "data.samples=4000", "validation=500")
