"""Tensors that cannot be read are listed in the report, with the reason, and do no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import infoflow
from infoflow.report import Report, Status
from tests.checkpoints.test_safetensors import entry, write


def check(report: Report, **reasons: str) -> None:
    records = {record.name: record for record in report.coverage.tensors}
    for name, reason in reasons.items():
        found = records[f"{name}.weight"]
        assert found.status is Status.NOT_SUPPORTED
        assert found.reason == f"{reason}, which is not read"
    assert records["plain.weight"].status is Status.ANALYSED
    assert [layer.name for layer in report.layers] == ["plain"]
    assert report.coverage.accounted < 1
    assert len(report.digest) == 64


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage:UserWarning")
@pytest.mark.parametrize("way", ["zip", "legacy", "trusted", "module"])
def test_torchs_kinds(tmp_path: Path, way: str) -> None:
    torch = pytest.importorskip("torch")
    tensors = {
        "plain": torch.randn(4, 3),
        "sparse": torch.eye(3).to_sparse(),
        "quantised": torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8),
        "meta": torch.empty(4, 5, device="meta"),
    }
    module = torch.nn.Module()
    for name, tensor in tensors.items():
        part = torch.nn.Linear(*tensor.shape[::-1], bias=False)
        part.weight = torch.nn.Parameter(tensor, requires_grad=False)
        module.add_module(name, part)
    saved = module if way == "trusted" else module.state_dict()
    torch.save(saved, tmp_path / "m.pt", _use_new_zipfile_serialization=way != "legacy")
    source = module if way == "module" else tmp_path / "m.pt"
    report = infoflow.analyze(source, trust_pickle=way == "trusted")
    check(
        report,
        sparse="sparse tensor",
        quantised="quantised tensor",
        meta="tensor without data (meta)",
    )


def test_numbers_of_half_a_byte(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype="float32").tobytes()
    header = {"plain.weight": entry([4, 3], 0, 48), "four.weight": entry([2, 4], 48, 52, "F4")}
    report = infoflow.analyze(write(tmp_path / "file", header, numbers + bytes(4)))
    check(report, four="numbers of the type F4")
