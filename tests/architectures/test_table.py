"""The shipped table: it reads back what was written, is small, and can be made again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from infoflow.architectures import table
from infoflow.architectures.architecture import Architecture
from infoflow.architectures.fingerprint import Fingerprint
from infoflow.facts import Geometry, Initialisation, ParameterFacts

ODD = Fingerprint(
    Architecture(
        name="somebody:odd",
        title="Odd × net",
        input_size=None,
        parameters={
            "up.weight": ParameterFacts(
                "convolution",
                Geometry((2, 1), (0, 3), (1, 2), 4, True, "circular", (1, 0), (5, 7)),
                normalisation="norm.weight",
                initialisation=Initialisation("uniform", 0.1),
            ),
            "norm.weight": ParameterFacts("normalisation", epsilon=1e-3),
            "token": ParameterFacts("other", reason="class token"),
        },
        shapes={"up.weight": (4, 2, 3, 3), "up.bias": (8,), "token": (1, 1, 8), "n": ()},
    ),
    classes=3,
    head={"up.bias": 2},
    optional=("aux.",),
    first="up.weight",
)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    table.write([ODD], {"torch": "0"}, tmp_path)
    assert table.names(tmp_path) == ("somebody:odd",)
    assert table.read("somebody:odd", tmp_path) == ODD
    found = table.recognise(ODD.architecture.shapes, tmp_path)
    assert found is not None
    assert found.parameters == ODD.architecture.parameters


def test_the_same_fingerprints_give_the_same_bytes(tmp_path: Path) -> None:
    blobs = []
    for _ in range(2):
        table.write([ODD], {"torch": "0"}, tmp_path)
        blobs.append([(tmp_path / file).read_bytes() for file in (table.INDEX, table.MEMBERS)])
    assert blobs[0] == blobs[1]


def test_the_shipped_table_is_small_and_readable_by_anybody() -> None:
    files = [table.FOLDER / table.INDEX, table.FOLDER / table.MEMBERS]
    assert sum(file.stat().st_size for file in files) < 1_500_000
    lines = gzip.decompress(files[1].read_bytes()).decode().splitlines()
    assert [json.loads(line)["name"] for line in lines] == list(table.names())


@pytest.mark.parametrize(
    "name",
    [
        "infoflow:lenet5",
        "infoflow:vgg-style",
        "infoflow:transformer-encoder",
        "torchvision:resnet18",
        *(
            pytest.param(f"torchvision:{name}", marks=pytest.mark.long)
            for name in ("vit_b_16", "regnet_y_400mf", "ssdlite320_mobilenet_v3_large", "swin_v2_t")
        ),
    ],
)
def test_the_generator_makes_it_again(name: str) -> None:
    pytest.importorskip("torchvision")
    from infoflow.architectures.generate import fingerprint

    assert table.decode(name, table.encode(fingerprint(name))) == table.read(name)


def test_every_sample_model_is_in_the_table() -> None:
    pytest.importorskip("torch")
    from infoflow.zoo import ZOO

    assert {f"infoflow:{name}" for name in ZOO} <= set(table.names())
