"""The estimate grows with the work, and is said before long work only."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from pathlib import Path

import pytest

from infoflow.cli.progress import Progress
from infoflow.cost import Cost, estimate
from infoflow.report import LayerSummary
from infoflow.sharing import Step

ALL = ["log-volume.density", "spectral-norm", "entropy-change.c11"]


def layer(*shape, stride=(), groups=1, kind="convolution"):
    size = 1
    for n in shape:
        size *= n
    return LayerSummary("x", kind, shape, "float32", size, stride=stride, groups=groups)


def seconds(one, measures=ALL, fast=False):
    return estimate([one], measures, fast=fast).total


def test_more_channels_cost_more():
    assert seconds(layer(512, 512, 3, 3)) > 4 * seconds(layer(128, 128, 3, 3))


def test_one_tap_needs_one_frequency():
    assert seconds(layer(256, 256, 3, 3)) > 3 * seconds(layer(256, 256, 1, 1))
    patches = layer(384, 192, 2, 2, stride=(2, 2))
    assert seconds(layer(384, 192, 2, 2, stride=(1, 1))) > seconds(patches)


def test_fast_and_paper_cost_less():
    one = layer(256, 256, 3, 3)
    assert seconds(one, fast=True) < seconds(one)
    assert seconds(one, ["entropy-change.c11"]) < seconds(one, fast=True)


def test_memory_is_four_times_the_largest_tensor_and_the_start():
    cost = estimate([layer(4096, 25088, kind="dense")], ALL, fast=False)
    assert 4 * 4 * 4096 * 25088 < cost.memory < 4.4 * 4 * 4096 * 25088


@pytest.mark.parametrize(("total", "said"), [(5.0, False), (300.0, True)])
def test_long_work_is_announced(monkeypatch, total, said):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with closing(Progress(Path("m.pt"), quiet=False)) as progress:
        progress(Step(0, 1, "a", Cost((total,), 2**30), 0.0))
    assert ("5 min 0 s and 1.0 GiB" in stream.getvalue()) is said


def test_quiet_work_says_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with closing(Progress(Path("m.pt"), quiet=True)) as progress:
        progress(Step(0, 1, "a", Cost((300.0,), 2**30), 0.0))
    assert stream.getvalue() == ""


def test_an_update_of_low_rank_costs_its_width():
    shape, width = (4096, 4096), 16
    update = LayerSummary("u", "low-rank update", shape, "float32", width * sum(shape))
    dense = LayerSummary("d", "dense", shape, "float32", 4096 * 4096)
    cheap, dear = estimate([update, dense], {"rank", "spectral-norm"}, fast=False).seconds
    assert cheap < dear / 100
