"""Folders of pictures: classes, masks, no labels; what cannot be read is left out and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from infoflow.data import Preprocessing, open_data  # noqa: E402
from infoflow.data.folder import decoded  # noqa: E402
from infoflow.errors import DataError  # noqa: E402

RANDOM = np.random.default_rng(0)


def draw(path: Path, height: int = 8, width: int = 8, value: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(0, 256, (height, width, 3), np.uint8)
    if value is not None:
        pixels[:] = value
    Image.fromarray(pixels).save(path)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for label, name in enumerate(("cat", "dog", "emu")):
        for i in range(4):
            draw(tmp_path / name / f"{i}.png", value=10 * label + i)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_a_class(classes):
    data = open_data(f"folder:{classes}")
    assert (data.classes, data.task, data.samples) == (("cat", "dog", "emu"), "classification", 12)
    whole = data.first(12)
    for x, label in zip(whole.x, whole.targets, strict=True):
        assert int(x[0, 0, 0] * 255 + 0.5) // 10 == int(label)
    parts = [batch.x for batch in data.batches(5)]
    assert torch.equal(torch.cat(parts), whole.x)
    some = open_data(f"folder:{classes}", samples=5, seed=1)
    assert some.samples == 5
    assert "5 of 12 samples, drawn with seed 1" in some.description
    assert len({float(x.sum()) for x in some.first(5).x}) == 5
    assert some.pictures([1])[0].shape == (8, 8, 3)


def test_a_folder_of_the_split(classes, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "val").symlink_to(classes)
    for i in range(3):
        draw(home / "train" / "cat" / f"{i}.png")
    assert open_data(f"folder:{home}").samples == 12
    assert open_data(f"folder:{home}", split="train").samples == 3


def test_a_split_that_is_not_there_is_refused(tmp_path):
    for i in range(3):
        draw(tmp_path / "train" / "cat" / f"{i}.png")
    with pytest.raises(DataError, match="no folder of the split 'test'; there are: 'train'"):
        open_data(f"folder:{tmp_path}")


def test_masks_in_folders_of_their_own(tmp_path):
    for place, label in (("x", 0), ("y", 1)):
        draw(tmp_path / "images" / place / "0.png")
        (tmp_path / "masks" / place).mkdir(parents=True)
        mask = np.full((8, 8), label, np.uint8)
        Image.fromarray(mask).save(tmp_path / "masks" / place / "0.png")
    targets = open_data(f"folder:{tmp_path}").first(2).targets
    assert targets.amax(dim=(1, 2)).tolist() == [0, 1]


def test_masks(tmp_path):
    for i in range(3):
        draw(tmp_path / "images" / f"{i}.jpg", 6, 8)
        mask = np.full((6, 8), i, np.uint8)
        mask[0, 3] = 255
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    data = open_data(f"folder:{tmp_path}")
    assert data.task == "segmentation"
    targets = data.first(3).targets
    assert targets[:, 0, 0].tolist() == [0, 1, 2]
    assert int(targets[1, 0, 3]) == -100
    (tmp_path / "masks" / "2.png").unlink()
    with pytest.raises(DataError, match=r"1 picture without a mask \(2.jpg\)"):
        open_data(f"folder:{tmp_path}")


def test_pictures_alone_have_no_labels(classes):
    data = open_data(f"folder:{classes / 'dog'}")
    assert (data.task, data.classes, data.first(2).targets) == ("none", None, None)


def test_what_cannot_be_read_is_left_out_and_said(classes):
    (classes / "cat" / "0.png").write_bytes(b"")
    (classes / "dog" / "1.png").write_bytes((classes / "dog" / "2.png").read_bytes()[:45])
    data = open_data(f"folder:{classes}")
    assert data.samples == 10
    assert data.notes[0].startswith("2 files cannot be read and are left out: ")
    assert "cat/0.png" in data.notes[0]
    assert "dog/1.png" in data.notes[0]
    assert sum(batch.size for batch in data.batches(4)) == 10
    some = open_data(f"folder:{classes}", samples=10)
    assert some.samples == 10


def test_a_bomb_is_left_out(classes, monkeypatch):
    draw(classes / "cat" / "big.png", 100, 100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    assert "big.png" in open_data(f"folder:{classes}").notes[0]


def test_a_picture_that_changes_meanwhile(classes):
    data = open_data(f"folder:{classes}")
    for path in classes.rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="cannot be read as a picture"):
        data.first(2)


def test_sizes(classes):
    draw(classes / "emu" / "wide.png", 8, 12)
    with pytest.raises(DataError, match=r"different sizes \(8×8, 8×12\).*--input-size"):
        open_data(f"folder:{classes}")
    data = open_data(f"folder:{classes}", preprocessing=Preprocessing(size=(4, 4)))
    assert data.first(13).x.shape == (13, 3, 4, 4)
    assert "resized to a shorter edge" in data.preprocessing


@pytest.mark.parametrize("make", [False, True])
def test_no_folder_and_no_pictures(tmp_path, make):
    path = tmp_path / "a"
    if make:
        path.mkdir()
    with pytest.raises(DataError, match="has no pictures" if make else "no such folder"):
        open_data(f"folder:{path}")


def test_nothing_that_can_be_read(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"none of its 3 pictures can be read: .*0.png, .*"):
        open_data(f"folder:{tmp_path}")


def test_one_class(classes):
    home = classes / "home"
    for i in range(3):
        draw(home / "cat" / f"{i}.png")
    assert "are of one class (cat)" in open_data(f"folder:{home}").notes[0]


def test_odd_pictures(tmp_path):
    deep = np.array([[0, 65535], [257, 25700]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert decoded(tmp_path / "deep.png", "L").tolist() == [[0, 255], [1, 100]]
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(DataError, match="numbers of the mode F"):
        decoded(tmp_path / "float.tiff", "RGB")
    Image.new("RGBA", (2, 2), (1, 2, 3, 0)).save(tmp_path / "clear.png")
    assert decoded(tmp_path / "clear.png", "RGB")[0, 0].tolist() == [1, 2, 3]
    palette = Image.new("P", (2, 2))
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.putpixel((0, 0), 1)
    palette.save(tmp_path / "palette.png")
    assert decoded(tmp_path / "palette.png", "RGB")[0, 0].tolist() == [9, 8, 7]
    assert decoded(tmp_path / "palette.png", "mask")[0].tolist() == [1, 0]


def test_grey_for_a_network_of_one_channel(classes):
    plan = Preprocessing(channels=1)
    data = open_data(f"folder:{classes}", preprocessing=plan)
    assert data.first(3).x.shape == (3, 1, 8, 8)
