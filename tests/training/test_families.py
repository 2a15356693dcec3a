"""Families: every member can be spelled, built again from its name, and named by a file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from infoflow.analysis import analyze
from infoflow.architectures import build
from infoflow.errors import InfoflowError
from infoflow.models import runnable
from infoflow.zoo.families import FAMILIES, built, member, read, spelled

OTHER = {
    "fnn": {"depth": 2, "width": 5, "initialisation": "he", "inputs": (4,), "classes": 3},
    "autoencoder": {"depth": 1, "width": 6, "latent": 2, "inputs": (7,)},
    "cnn": {"blocks": 2, "width": 3, "hidden": 4, "inputs": (1, 9, 8), "classes": 3},
    "lenet5": {"inputs": (3, 20, 16), "classes": 4},
    "resnet": {"depth": 8, "inputs": (1, 16, 16), "classes": 3},
    "vgg16": {"norm": True, "hidden": 8, "pool": 1, "inputs": (1, 32, 32), "classes": 3},
    "unet": {"depth": 2, "width": 3, "norm": False, "inputs": (1, 13, 11), "classes": 4},
    "transformer": {"width": 8, "heads": 2, "depth": 1, "inputs": (3, 8, 12), "classes": 5},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_member_is_spelled_built_and_named_by_a_file(name, tmp_path):
    family = FAMILIES[name]
    options = member(family, name, OTHER[name])
    text = spelled(name, options)
    again, given = read(text)
    assert (again, member(family, name, given)) == (name, options)
    network = built(family, name, options).eval()
    x = torch.randn(2, *options["inputs"])
    with torch.no_grad():
        output = network(x)
    if family.task == "reconstruction":
        assert output.shape == x.shape
    else:
        places = x.shape[2:] if family.task == "segmentation" else ()
        assert output.shape == (2, options["classes"], *places)

    path = tmp_path / "network.safetensors"
    size = "x".join(map(str, options["inputs"]))
    save_file(network.state_dict(), path, {"architecture": f"infoflow:{text}", "input_size": size})
    found = runnable(path)
    with torch.no_grad():
        torch.testing.assert_close(found.module(x), output)
    report = analyze(path, measures="paper", complete=False)
    if len(options["inputs"]) == 3:
        assert report.settings["input-size"] == "×".join(map(str, options["inputs"][1:]))
    assert report.architecture


@pytest.mark.parametrize(
    "text",
    [
        "fnn(depth=1000000)", "fnn(depth=-1)", "fnn(width=1e9)", "fnn(depth=true)", "fnn(depth)",
        "fnn(dpth=3)", "fnn(initialisation=3)", "cnn(inputs=4)", "cnn(blocks=16)",
        "resnet(depth=9)",
        "unet(depth=30)", "transformer(heads=3)", "vgg16(inputs=3x8x8)", "lenet5(inputs=1x4x4)",
        "cnn(width=1000000,hidden=1000000,inputs=3x100000x100000)", "fnn(depth=3", "fnn(width=0)",
    ],
)  # fmt: skip
def test_what_is_no_network_is_one_sentence(text, tmp_path):
    with pytest.raises(InfoflowError) as caught:
        build(f"infoflow:{text}")
    assert "\n" not in str(caught.value)
    path = tmp_path / "network.safetensors"
    save_file({"head.weight": torch.ones(4, 2)}, path, {"architecture": f"infoflow:{text}"})
    report = analyze(path, measures="paper", complete=False)
    assert f"Its metadata name the network infoflow:{text}, which cannot be" in report.notes[0]
