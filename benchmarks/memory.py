"""Peak memory and time against the number of layers, the file's size, and its largest tensor.

Run: python benchmarks/memory.py [SMALL]
Needs numpy, safetensors, ml_dtypes and infoflow, and 6.5 GB of disk in the temporary folder;
everything is removed at the end. Four minutes, one thread. SMALL (any word) leaves out the 6 GB.
Goals: time linear in the number of layers, memory flat; and for a sharded file of 6 GB a peak of
at most the process's start-up footprint (its peak on a file of one tiny layer) and four times the
largest tensor.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).parent))
from harness import INFOFLOW, Run, header, once

MEBIBYTE = 2**20
SIDE = (512, 1024)
"""Of the layers of the first table: 2 MiB each."""

SHARDS, IN_A_SHARD, LAYER = {"float32": 40, "bfloat16": 8}, 8, (1024, 4096)
"""Of the 6 GB file: 320 layers of 16 MiB, and a matrix of the size of an embedding, 800 MB; of
bfloat16 fewer."""

EMBEDDING = (50_000, 4096)


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Gaussian float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def analysed(path: Path, measures: str) -> Run:
    """A whole process; the report is checked to hold every layer."""
    report = path.parent / "report.json"
    run = once(
        [INFOFLOW, "analyze", str(path), "-q", "--measures", measures, "--json", str(report)]
    )
    found = json.loads(report.read_text())
    names = {row["layer"] for row in found["measurements"] if row["value"] is not None}
    assert names == {layer["name"] for layer in found["layers"]}
    report.unlink()
    return run


def start_up(folder: Path, measures: str) -> Run:
    """The same command on a single layer of 128 × 128, which loads every library too."""
    save_file({"a.weight": drawn((128, 128), 0)}, folder / "tiny.safetensors")
    return analysed(folder / "tiny.safetensors", measures)


def by_layers(folder: Path) -> None:
    """25 to 400 equal layers in one file."""
    base = start_up(folder, "default")
    print(header("layers | file | time | time a layer | peak"))
    for count in (25, 50, 100, 200, 400):
        path = folder / "layers.safetensors"
        save_file({f"layers.{i}.weight": drawn(SIDE, i) for i in range(count)}, path)
        size = path.stat().st_size / MEBIBYTE
        run = analysed(path, "default")
        each = 1000 * (run.seconds - base.seconds) / count
        print(
            f"| {count} | {size:,.0f} MiB | {run.seconds:.2f} s | {each:.0f} ms "
            f"| {run.peak:,.0f} MiB |",
            flush=True,
        )
        path.unlink()


def sharded(folder: Path, dtype: np.dtype) -> tuple[Path, int, int]:
    """A sharded checkpoint; the index, the bytes in all and those of the largest tensor."""
    places, total = {}, 0
    base = drawn((IN_A_SHARD, *LAYER), 0)
    for shard in range(SHARDS[dtype.name]):
        name = f"model-{shard:05}.safetensors"
        # Each layer another one, without drawing 1.6 billion numbers.
        rolled = np.roll(base, 17 * shard, axis=2) * np.float32(1 + shard / 100)
        tensors = {
            f"layers.{shard * IN_A_SHARD + i}.weight": rolled[i].astype(dtype)
            for i in range(IN_A_SHARD)
        }
        if shard == 0:
            rows = -(-EMBEDDING[0] // LAYER[0])
            tiled = np.concatenate([np.roll(base[0], 29 * i, axis=1) for i in range(rows)])
            tiled = tiled[: EMBEDDING[0]] * drawn((EMBEDDING[0], 1), 1)
            tensors["head.weight"] = tiled.astype(dtype)
        save_file(tensors, folder / name)
        places |= dict.fromkeys(tensors, name)
        total += sum(tensor.nbytes for tensor in tensors.values())
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index, total, dtype.itemsize * EMBEDDING[0] * EMBEDDING[1]


def by_size(folder: Path) -> None:
    """The 6 GB file in float32, a smaller one in bfloat16, and what the bound allows."""
    import ml_dtypes

    print(header("sharded file | measures | time | peak | start-up + 4 × largest tensor"))
    for dtype in (np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16)):
        place = folder / dtype.name
        place.mkdir()
        index, total, largest = sharded(place, dtype)
        for measures in ("paper", "default"):
            allowed = start_up(folder, measures).peak + 4 * largest / MEBIBYTE
            run = analysed(index, measures)
            name = f"{total / 1e9:.1f} GB, {dtype.name}, {SHARDS[dtype.name]} shards"
            print(
                f"| {name} | {measures} | {run.seconds:.0f} s | {run.peak:,.0f} MiB "
                f"| {allowed:,.0f} MiB |",
                flush=True,
            )
            assert run.peak <= allowed, "the bound on memory"
        shutil.rmtree(place)


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        by_layers(folder)
        if len(sys.argv) == 1:
            if shutil.disk_usage(folder).free < 7e9:
                sys.exit(f"{folder} has less than 7 GB free: TMPDIR names another place")
            print()
            by_size(folder)


if __name__ == "__main__":
    main()
