"""Layers and records of arrays, with what a folder's configurations would add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from infoflow.layers import Layer, Plan, plan
from infoflow.report import Status, TensorRecord
from tests.cases import in_memory


def planned(arrays: Mapping[str, np.ndarray[Any, Any]], **metadata: str) -> Plan:
    """The plan of a checkpoint in memory; ``__`` in a key stands for a dot."""
    said = {key.replace("__", "."): value for key, value in metadata.items()}
    return plan(replace(in_memory(arrays), metadata=said))


def layers(arrays: Mapping[str, np.ndarray[Any, Any]], **metadata: str) -> dict[str, Layer]:
    """Its layers by name, read; each as its summary says."""
    found = {}
    for one in planned(arrays, **metadata).layers:
        layer = one.read()
        assert layer.name == one.summary.name
        assert one.summary.shape in {layer.weight.shape, layer.whole}
        assert layer.name not in found
        found[layer.name] = layer
    return found


def records(arrays: Mapping[str, np.ndarray[Any, Any]], **metadata: str) -> dict[str, TensorRecord]:
    """Its records by tensor: one for each tensor of the file, none twice."""
    found = planned(arrays, **metadata).records
    assert sorted(record.name for record in found) == sorted(arrays)
    assert all(record.reason for record in found)
    return {record.name: record for record in found}


def refusal(arrays: Mapping[str, np.ndarray[Any, Any]], **metadata: str) -> str:
    """The one reason for which nothing of these tensors is analysed."""
    found = records(arrays, **metadata)
    assert not layers(arrays, **metadata)
    reasons = {r.reason for r in found.values() if r.status is Status.NOT_SUPPORTED}
    assert len(reasons) == 1
    return reasons.pop()
