"""The floor under the papers' measures of a VGG16: as little as a process can do for them.

Run: python benchmarks/vgg16_floor.py vgg16.pth
Without torch and without infoflow: unpickles a zip file's state dict, maps the storages, takes
log|c₁₁| of every kernel, and log|det| of the square parts of the dense layers by LU in float64 on
a Fortran-ordered view that is overwritten, and gives the map's pages back.
"""

from __future__ import annotations

import mmap
import pickle
import struct
import sys
from collections import OrderedDict
from typing import Any
from zipfile import ZipFile

import numpy as np
from scipy.linalg.lapack import dgetrf


class Reader(pickle.Unpickler):
    """Tensors as arrays on the map; whatever else a state dict needs is a mapping."""

    def __init__(self, archive: ZipFile, mapped: mmap.mmap, name: str) -> None:
        super().__init__(archive.open(name))
        self.stem = name.removesuffix("data.pkl")
        self.members = {member.filename: member.header_offset for member in archive.infolist()}
        self.mapped = mapped

    def persistent_load(self, pid: Any) -> int:
        """Where a storage begins in the file (all are float32 here)."""
        start = self.members[f"{self.stem}data/{pid[2]}"]
        name, extra = struct.unpack_from("<HH", self.mapped, start + 26)
        return start + 30 + name + extra

    def find_class(self, module: str, name: str) -> Any:
        """Nothing of torch is called."""
        if name == "_rebuild_tensor_v2":
            return self.tensor
        return OrderedDict if name == "OrderedDict" else None

    def tensor(self, start: int, offset: int, shape: Any, strides: Any, *rest: Any) -> Any:
        """A tensor on the map."""
        steps = tuple(4 * stride for stride in strides)
        return np.ndarray(shape, "<f4", self.mapped, start + 4 * offset, steps)


def main() -> None:
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123 (pathlib costs an import)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        archive = ZipFile(file)
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        state = Reader(archive, mapped, name).load()
    for name, weight in state.items():
        if weight.ndim == 4:
            print(name, np.log(np.abs(weight[:, :, 0, 0].astype(np.float64))).mean())
        elif weight.ndim == 2:
            k = min(weight.shape)
            square = np.array(weight[:k, :k], dtype=np.float64, order="C").T
            mapped.madvise(mmap.MADV_DONTNEED)
            factor, _, _ = dgetrf(square, overwrite_a=1)
            print(name, np.log(np.abs(np.diagonal(factor))).sum())


if __name__ == "__main__":
    main()
