from __future__ import annotations

import numpy as np
import pytest

from infoflow.operators.arrays import as_float64, as_numpy, log_abs_det


def test_unaligned_memory_is_copied() -> None:
    raw = np.zeros(8 * 6 + 1, dtype=np.uint8)
    view = raw[1:].view(np.float64).reshape(2, 3)
    assert not view.flags.aligned
    array = as_float64(view)
    assert array.flags.aligned
    assert array.flags.c_contiguous
    aligned = np.zeros((2, 3))
    assert as_float64(aligned) is aligned


def test_bfloat16_and_float8() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([0.5, -2.0, 1.5])
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        np.testing.assert_array_equal(as_float64(values.astype(dtype)), values)


@pytest.mark.parametrize("complex_numbers", [False, True])
def test_log_abs_det(complex_numbers: bool) -> None:
    generator = np.random.default_rng(0)
    matrices = generator.standard_normal((3, 2, 5, 5))
    if complex_numbers:
        matrices = matrices + 1j * generator.standard_normal((3, 2, 5, 5))
    np.testing.assert_allclose(log_abs_det(matrices), np.log(np.abs(np.linalg.det(matrices))))
    assert log_abs_det(np.zeros((1, 2, 2)))[0] == -np.inf


def test_torch_on_the_cpu_goes_through_numpy() -> None:
    """Regression: torch's batched LU is off by tens of nats with two threads (pytorch#141358)."""
    torch = pytest.importorskip("torch")
    matrices = np.random.default_rng(1).standard_normal((3, 256, 256))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = log_abs_det(torch.from_numpy(matrices))
    finally:
        torch.set_num_threads(threads)
    assert isinstance(found, np.ndarray)
    one_by_one = [np.linalg.slogdet(matrix)[1] for matrix in matrices]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12)


def test_as_numpy_detaches() -> None:
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(as_numpy(torch.ones(2, requires_grad=True)), [1, 1])
