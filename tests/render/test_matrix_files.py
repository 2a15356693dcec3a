"""Matrices in files: every format read back, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from infoflow.errors import OutputError
from infoflow.render.files import write_all
from infoflow.render.to_matrix import ENDINGS, ending_of, writer

MATRIX = np.random.default_rng(0).standard_normal((5, 7)) * (np.arange(7) % 2)


def read(path):
    """A file's matrix, dense."""
    if path.suffix == ".npz":
        return scipy.sparse.load_npz(path).toarray()
    if path.suffix == ".npy":
        return np.load(path)
    found = scipy.io.mmread(path) if path.suffix == ".mtx" else scipy.io.loadmat(path)["C_M"]
    return found.toarray() if scipy.sparse.issparse(found) else found


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("form", [scipy.sparse.csr_array, np.asarray])
def test_every_ending_holds_every_bit(tmp_path, ending, form):
    if (ending == ".npz") != (form is scipy.sparse.csr_array) and ending in {".npz", ".npy"}:
        pytest.skip("the one is sparse and the other dense")
    path = tmp_path / f"x{ending}"
    write_all({path: writer(form(MATRIX), ending, "file.pt · conv · C_M 0,0")})
    np.testing.assert_array_equal(read(path), MATRIX)


def test_a_symmetric_matrix_is_written_in_full(tmp_path):
    path = tmp_path / "x.mtx"
    write_all({path: writer(scipy.sparse.csr_array(np.eye(3)), ".mtx", "t")})
    assert path.read_text().startswith("%%MatrixMarket matrix coordinate real general")


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path, other = tmp_path / "x.npy", tmp_path / "y.npy"
    path.write_bytes(b"old")

    def fails(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="no space left on device"):
        write_all({other: b"new", path: fails})
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.npy"]


def test_endings():
    assert ending_of(Path("a/b.NPZ")) == ".npz"
    assert ending_of(Path("s.mat"), matrix=False) == ".mat"
    with pytest.raises(OutputError, match="its ending does not say a format"):
        ending_of(Path("x.txt"))
    with pytest.raises(OutputError, match=r"write \.npy or \.mat"):
        ending_of(Path("x.mtx"), matrix=False)
