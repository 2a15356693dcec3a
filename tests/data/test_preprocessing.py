"""Sizes, channels, means: what is done to pictures, and the sentence that says it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from infoflow.architectures import build, recognise  # noqa: E402
from infoflow.data.normalisations import own_preprocessing  # noqa: E402
from infoflow.data.preprocessing import Preprocessing  # noqa: E402
from infoflow.errors import DataError  # noqa: E402

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)


def test_normalisation_is_pixels_over_255_minus_mean_over_deviation():
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    x = Preprocessing(mean=mean, std=std).prepared(PIXELS)
    assert x.shape == (4, 3, 6, 8)
    expected = (PIXELS[2, 5, 7, 1] / 255 - 0.2) / 0.5
    assert float(x[2, 1, 5, 7]) == pytest.approx(expected, abs=1e-6)
    assert x.dtype == torch.float32


def test_bgr():
    turned = Preprocessing(order="bgr").prepared(PIXELS)
    assert torch.equal(turned, Preprocessing().prepared(PIXELS[..., ::-1]))
    assert "BGR" in Preprocessing(order="bgr").sentence((6, 8), 3)


def test_channels():
    grey = Preprocessing(channels=1).prepared(PIXELS)
    expected = (PIXELS.astype(float) @ [0.299, 0.587, 0.114]) / 255
    assert np.allclose(grey[:, 0].numpy(), expected, atol=1e-6)
    three = Preprocessing(channels=3).prepared(PIXELS[..., 0])
    assert torch.equal(three[:, 0], three[:, 2])
    assert "grey repeated to RGB" in Preprocessing(channels=3).sentence((6, 8), 1)
    assert "RGB to grey" in Preprocessing(channels=1).sentence((6, 8), 3)
    assert "grey" not in Preprocessing(channels=3).sentence((6, 8), 3)


def test_pictures_are_shrunk_to_the_shorter_edge_and_cut_in_their_middle():
    plan = Preprocessing(size=(3, 3))
    assert plan.edges((6, 8)) == ((3, 4), (3, 3))
    assert plan.prepared(PIXELS).shape == (4, 3, 3, 3)
    assert Preprocessing(size=(224, 224), resize=256).edges((300, 400)) == ((256, 341), (224, 224))
    assert Preprocessing(size=(3, 9)).edges((6, 8)) == ((7, 9), (3, 9))
    same = Preprocessing(size=(6, 8)).prepared(PIXELS)
    assert torch.equal(same, Preprocessing().prepared(PIXELS))
    assert "resized" not in Preprocessing(size=(6, 8)).sentence((6, 8), 3)
    assert "a shorter edge of 3, its middle 3×3" in plan.sentence((6, 8), 3)


def test_resizing_is_torchvisions():
    transforms = pytest.importorskip("torchvision.transforms.v2.functional")
    big = np.random.default_rng(1).integers(0, 256, (2, 40, 60, 3), np.uint8)
    plan = Preprocessing(size=(16, 16), resize=20)
    x = torch.from_numpy(big).permute(0, 3, 1, 2).float() / 255
    expected = transforms.center_crop(transforms.resize(x, [20], antialias=True), [16, 16])
    assert torch.allclose(plan.prepared(big), expected, atol=1e-6)


def test_masks_keep_their_labels():
    masks = np.zeros((1, 4, 4), np.int64)
    masks[0, :2], masks[0, 3, 3] = 7, -100
    shrunk = Preprocessing(size=(2, 2)).masks(masks)
    assert shrunk.shape == (1, 2, 2)
    assert set(shrunk.flatten().tolist()) <= {7, 0, -100}
    assert torch.equal(Preprocessing().masks(masks), torch.from_numpy(masks))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 4}, "1 or 3 channels, and the network takes 4"),
        ({"channels": 1, "mean": (0.1, 0.2, 0.3)}, "the mean has 3 numbers"),
        ({"std": (0.1, 0.2)}, "the standard deviation has 2 numbers"),
        ({"std": (0.0,)}, "no deviation of 0"),
        ({"mean": (float("nan"),)}, "finite numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(DataError, match=words):
        Preprocessing(**options)


def test_flags_come_before_everything_and_are_said():
    known = own_preprocessing({"mean": "0.5", "std": "0.25", "input_size": "1x28x28"}, None)
    assert (known.size, known.channels, known.mean, known.std) == ((28, 28), 1, (0.5,), (0.25,))
    assert "from the file's metadata" in known.source
    changed = known.changed(mean=(0.1,))
    assert (changed.mean, changed.std) == ((0.1,), (0.25,))
    assert changed.source == f"mean as given; the rest: {known.source}"
    assert known.changed() is known


@pytest.mark.parametrize(
    "metadata", [{"mean": "much"}, {"input_size": "28"}, {"input_size": "0x1x1"}, {"std": "0"}]
)
def test_metadata_without_sense(metadata):
    with pytest.raises(DataError):
        own_preprocessing(metadata, None)


def test_what_is_known_by_name():
    lenet = own_preprocessing({}, build("infoflow:lenet5"))
    assert (lenet.size, lenet.channels, lenet.mean, lenet.std) == (
        (28, 28),
        1,
        (0.1307,),
        (0.3081,),
    )
    resnet = build("infoflow:cifar-resnet20")
    plain = own_preprocessing({}, resnet)
    assert plain.mean == (0.485, 0.456, 0.406)
    shapes = {name.replace("linear.", "fc."): s for name, s in resnet.shapes.items()}
    assert own_preprocessing({}, recognise(shapes)).mean == (0.5,)
    assert own_preprocessing({}, None).source.startswith("nothing is known")


def test_a_network_of_other_channels_has_no_known_normalisation():
    found = own_preprocessing({}, build("infoflow:cifar-resnet20"), channels=1)
    assert (found.channels, found.size, found.mean) == (1, (32, 32), (0.0,))


def test_torchvision():
    pytest.importorskip("torchvision")
    found = own_preprocessing({}, build("torchvision:resnet50"))
    assert (found.size, found.resize) == ((224, 224), 232)
    assert found.mean == (0.485, 0.456, 0.406)
    assert own_preprocessing({}, build("torchvision:inception_v3")).mean == (0.5,)
