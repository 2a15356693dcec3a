"""Named sets and files of arrays: every batch size gives the same samples; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from infoflow.data import DATASETS, Preprocessing, open_data  # noqa: E402
from infoflow.data.arrays import from_arrays  # noqa: E402
from infoflow.data.data import chosen  # noqa: E402
from infoflow.data.names import NAMES, default_root  # noqa: E402
from infoflow.errors import DataError, MissingDependencyError  # noqa: E402

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (20, 6, 5), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 4


def gathered(data, size):
    batches = list(data.batches(size))
    x = torch.cat([batch.x for batch in batches])
    if batches[0].targets is None:
        return x, None
    return x, torch.cat([batch.targets for batch in batches])


def test_labels_of_which_none_counts_are_refused():
    for labels in (np.full(20, -100), np.full((20, 6, 5), -100)):
        with pytest.raises(DataError, match="every label is -100"):
            from_arrays("a", IMAGES, labels)


@given(st.integers(2, 25), st.integers(1, 25), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_batch_size_changes_nothing(samples, size, seed):
    data = from_arrays("a", IMAGES, LABELS, samples=samples, seed=seed)
    assert data.samples == min(samples, 20)
    x, targets = gathered(data, size)
    again, _ = gathered(data, 20)
    assert torch.equal(x, again)
    assert torch.equal(data.first(7).x, x[:7])
    assert sum(batch.size for batch in data.batches(size)) == data.samples == len(x)
    # Labels still belong to their pictures.
    for picture, label in zip(x, targets, strict=True):
        index = [i for i in range(20) if torch.equal(picture[0], torch.tensor(IMAGES[i]) / 255)]
        assert int(label) == LABELS[index[0]]


def test_a_choice_is_seeded_without_replacement_and_nested():
    assert len(set(chosen(100, 60, 1))) == 60
    assert list(chosen(100, 60, 1)) == list(chosen(100, 60, 1))
    assert list(chosen(100, 60, 1)) != list(chosen(100, 60, 2))
    assert list(chosen(100, 10, 1)) == list(chosen(100, 60, 1)[:10])
    assert list(chosen(5, 9, 1)) == [0, 1, 2, 3, 4]


def test_more_samples_than_there_are_is_said():
    data = from_arrays("a", IMAGES, LABELS, samples=50)
    assert "50 samples were asked for; there are 20" in data.notes[0]
    assert "all 20 samples" in data.description
    assert "5 of 20 samples, drawn with seed 3" in (
        from_arrays("a", IMAGES, LABELS, samples=5, seed=3).description
    )


def test_pictures_are_kept_for_showing():
    data = from_arrays("a", IMAGES, LABELS, samples=4, seed=1)
    order = chosen(20, 4, 1)
    assert np.array_equal(data.pictures([2])[0], IMAGES[order[2]])


def test_kinds_of_targets():
    assert from_arrays("a", IMAGES, None).task == "none"
    found = from_arrays("a", IMAGES, LABELS)
    assert (found.task, found.classes) == ("classification", ("0", "1", "2", "3"))
    found = from_arrays("a", IMAGES, RANDOM.random((20, 2)))
    assert (found.task, found.first(3).targets.dtype) == ("regression", torch.float64)
    masks = RANDOM.integers(0, 3, (20, 6, 5)).astype(np.uint8)
    masks[0, 0, 0] = 255
    found = from_arrays("a", IMAGES, masks, preprocessing=Preprocessing(size=(6, 5)))
    assert (found.task, found.classes) == ("segmentation", ("0", "1", "2"))
    assert int(found.first(2).targets[0, 0, 0]) == -100


def test_floats_and_tokens_are_taken_as_they_are():
    floats = RANDOM.standard_normal((20, 3, 4, 4))
    found = from_arrays("a", floats, LABELS, preprocessing=Preprocessing(size=(9, 9)))
    assert torch.equal(found.first(20).x, torch.from_numpy(floats))
    assert "as they are" in found.preprocessing
    assert found.pictures is None
    found = from_arrays("a", RANDOM.integers(0, 9, (20, 7)), LABELS)
    assert (found.x_name, found.first(2).x.dtype) == ("token ids", torch.int64)


def test_channels_first_is_seen():
    found = from_arrays("a", np.zeros((4, 3, 8, 9), np.uint8), None)
    assert found.first(2).x.shape == (2, 3, 8, 9)
    assert "channels first" in found.notes[0]


def test_one_class_is_said():
    found = from_arrays("a", IMAGES, np.ones(20, int), classes=("cat", "dog"))
    assert "All 20 samples are of one class (dog)" in found.notes[0]


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (IMAGES[:1], LABELS[:1], "1 sample; .*at least 2 are needed"),
        (IMAGES[:0], LABELS[:0], "0 samples; "),
        (IMAGES, LABELS[:7], "20 inputs and 7 labels"),
        (IMAGES, -LABELS.astype(int), "the label -3 is outside its 1 class"),
        (IMAGES, LABELS.astype(str), "labels are one integer a sample"),
        (IMAGES, np.full(20, np.nan), "not finite"),
        (IMAGES[:, 0], LABELS, "pictures in bytes are"),
        (np.zeros((3, 4, 4, 5), np.uint8), None, "3×4×4×5"),
        (np.zeros((3, 0, 4), np.uint8), None, "no pixels"),
        (np.full((3, 4), np.inf), None, "sample 0 of those drawn holds NaN or an infinity"),
        (np.zeros(()), None, "1 sample; "),
        (np.zeros(5), None, "inputs are pictures in bytes"),
        (IMAGES, np.array(3), "20 inputs and 1 labels"),
        (np.zeros((3, 4), bool), None, "inputs are pictures in bytes"),
    ],
)
def test_arrays_that_do_not_fit(inputs, targets, words):
    with pytest.raises(DataError, match=words):
        from_arrays("a", inputs, targets)


def test_a_label_outside_named_classes():
    with pytest.raises(DataError, match="the label 3 is outside its 2 classes"):
        from_arrays("a", IMAGES, LABELS, classes=("cat", "dog"))


def test_one_sample_asked_for():
    with pytest.raises(DataError, match="at least 2 are needed"):
        from_arrays("a", IMAGES, LABELS, samples=1)


def test_batches_have_a_sample():
    with pytest.raises(DataError, match="at least one sample, not 0"):
        next(from_arrays("a", IMAGES, LABELS).batches(0))


def test_npz(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, images=IMAGES, labels=LABELS, classes=["a", "b", "c", "d"], other=np.ones(3))
    data = open_data(f"npz:{path}", samples=5)
    assert (data.classes, data.task, data.samples) == (("a", "b", "c", "d"), "classification", 5)
    assert data.first(2).x.shape == (2, 1, 6, 5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", "is no .npz file"),
        (b"PK\x03\x04 broken", "cannot be read as an .npz file"),
        ({"pictures": IMAGES}, "no array 'images'"),
        ({"images": np.array([object()])}, "its array 'images' holds objects of Python"),
    ],
)
def test_a_file_of_arrays_that_is_none(tmp_path, content, words):
    path = tmp_path / "mine.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(DataError, match=words):
        open_data(f"npz:{path}")


def test_a_single_array_is_no_set(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match="is one array"):
        open_data(f"npz:{tmp_path / 'a.npz'}")


def test_names_below_the_root(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mnist" / "test.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "mine" / "val.npz", images=IMAGES, labels=LABELS)
    data = open_data("mnist", root=tmp_path)
    assert data.description == "MNIST, test: all 20 samples."
    assert data.classes == tuple("0123456789")
    assert open_data("mine", root=tmp_path, split="val").classes == tuple("0123")
    monkeypatch.setenv("INFOFLOW_DATA", str(tmp_path))
    assert open_data("mnist").samples == 20
    with pytest.raises(DataError, match=r"test.npz is not there; .* has the .*'val'"):
        open_data("mine")
    with pytest.raises(DataError, match=r"'mnits' is no data set.*nearest: 'mnist'"):
        open_data("mnits")
    with pytest.raises(DataError, match=r"cifar10-jpeg: there is no .*--data-root"):
        open_data("cifar10-jpeg")


def test_torchvisions_sets(tmp_path, monkeypatch):
    datasets = pytest.importorskip("torchvision.datasets")
    with pytest.raises(DataError, match="--download"):
        open_data("cifar10", root=tmp_path)
    with pytest.raises(DataError, match="the splits 'train' and 'test', not 'val'"):
        open_data("cifar10", root=tmp_path, split="val")

    class SVHN:
        def __init__(self, root, split, download):
            assert (split, download) == ("train", False)
            self.data, self.labels = np.zeros((5, 3, 32, 32), np.uint8), np.arange(5)

    monkeypatch.setattr(datasets, "SVHN", SVHN)
    found = open_data("svhn", root=tmp_path, split="train")
    assert found.first(2).x.shape == (2, 3, 32, 32)

    def broken(root, train, download):
        raise RuntimeError("no\nnet")

    monkeypatch.setattr(datasets, "MNIST", broken)
    with pytest.raises(DataError, match=r"could not be fetched into .*: no$"):
        open_data("mnist", root=tmp_path, download=True)


def test_a_torchvision_that_does_not_fit_its_torch(tmp_path, monkeypatch):
    import importlib

    real = importlib.import_module

    def failing(name, *rest):
        if name.startswith("torchvision"):
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name, *rest)

    monkeypatch.setattr("infoflow.architectures.factories.importlib.import_module", failing)
    with pytest.raises(MissingDependencyError, match=r"torchvision::nms.*belong together"):
        open_data("mnist", root=tmp_path)


def test_torchvisions_own_folder(monkeypatch):
    utils = pytest.importorskip("torchvision._internally_replaced_utils")
    monkeypatch.delenv("TORCH_HOME", raising=False)
    assert str(default_root()) == utils._HOME


def test_every_kind_says_what_it_is():
    assert all(kind.form and kind.summary for kind in DATASETS)
    assert {"mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "svhn"} <= set(NAMES)


def test_shapes_need_no_file():
    data = open_data("shapes", samples=30)
    x, targets = gathered(data, 7)
    assert x.shape == (30, 3, 32, 32)
    assert torch.equal(x, gathered(data, 30)[0])
    masks = open_data("shapes:masks", samples=30)
    same, labels = gathered(masks, 11)
    assert torch.equal(same, x)
    assert labels.shape == (30, 32, 32)
    for mask, label in zip(labels, targets, strict=True):
        assert set(mask.unique().tolist()) == {0, int(label) + 1}
    assert len(masks.classes) == len(data.classes) + 1 == 11


def test_shapes_are_the_same_at_another_size_and_otherwise_in_training():
    small = open_data("shapes:masks", samples=5, preprocessing=Preprocessing(size=(28, 28)))
    large = open_data("shapes:masks", samples=5, preprocessing=Preprocessing((56, 56), channels=1))
    assert large.first(5).x.shape == (5, 1, 56, 56)
    shares = [(data.first(5).targets > 0).double().mean(dim=(1, 2)) for data in (small, large)]
    assert torch.allclose(*shares, atol=0.02)
    train = open_data("shapes", samples=5, split="train")
    assert not torch.equal(train.first(5).x, open_data("shapes", samples=5).first(5).x)


def test_shapes_of_every_class_differ_from_their_ground():
    data = open_data("shapes", samples=400)
    counts = torch.bincount(data.first(400).targets, minlength=10)
    assert int(counts.min()) > 20
    assert np.array_equal(data.pictures([3])[0], data.pictures([3])[0])


@pytest.mark.parametrize("spec", ["shapes:squares", "shapes:"])
def test_other_shapes(spec):
    if spec == "shapes:":
        assert open_data(spec, samples=2).task == "classification"
        return
    with pytest.raises(DataError, match="write shapes, or shapes:masks"):
        open_data(spec)
    with pytest.raises(DataError, match="the splits 'train' and 'test'"):
        open_data("shapes", split="val")
