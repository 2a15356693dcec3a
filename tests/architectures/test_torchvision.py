"""Every network of torchvision, freshly built, against a plain walk over its modules."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

torch = pytest.importorskip("torch")
models = pytest.importorskip("torchvision.models")

from infoflow.architectures import recognise, table  # noqa: E402

LISTED = [name for name in models.list_models() if not name.startswith("quantized_")]
KNOWN = {name.partition(":")[2] for name in table.names() if name.startswith("torchvision:")}
QUICK = {
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "fasterrcnn_resnet50_fpn_v2",
    "googlenet",
    "inception_v3",
    "mobilenet_v3_small",
    "r2plus1d_18",
    "regnet_y_400mf",
    "resnet50",
    "resnext101_64x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "ssd300_vgg16",
    "swin_t",
    "vgg16",
    "vit_b_16",
    "wide_resnet50_2",
}
PINNED_SIDE = {"vit_h_14": (224, 224), "ssd300_vgg16": (300, 300)}
PINNED_SIDE["ssdlite320_mobilenet_v3_large"] = (320, 320)
CLIP_LENGTH = {"r3d_18": 16, "mc3_18": 16, "r2plus1d_18": 16, "s3d": 128, "mvit_v1_b": 16}
CLIP_LENGTH |= {"mvit_v2_s": 16, "swin3d_t": 32, "swin3d_s": 32, "swin3d_b": 32}


@contextmanager
def regnets_on_meta() -> Iterator[None]:
    """RegNets compute their widths with tensors: those have to be real."""
    from torchvision.models.regnet import BlockParams

    original = BlockParams.from_init_params.__func__

    def real(cls: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.device("cpu"):
            return original(cls, *args, **kwargs)

    with mock.patch.object(BlockParams, "from_init_params", classmethod(real)):
        yield


def fresh(name: str, **options: Any) -> Any:
    """The network on the meta device, as torchvision builds it by default."""
    builder = models.get_model_builder(name)
    if "weights_backbone" in inspect.signature(builder).parameters:
        options["weights_backbone"] = None
    if name in {"googlenet", "inception_v3"}:
        options["init_weights"] = True
    with torch.device("meta"), regnets_on_meta():
        return builder(weights=None, **options)


def shapes_of(module: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def usual_size(name: str) -> tuple[int, ...] | None:
    """What the published weights' preprocessing yields."""
    if name in PINNED_SIDE:
        return PINNED_SIDE[name]
    transform = models.get_model_weights(name).DEFAULT.transforms()
    crop = getattr(transform, "crop_size", None)
    if crop is None:
        resize = getattr(transform, "resize_size", None)
        return (resize[0], resize[0]) if resize else None
    size = (crop[0], crop[-1])
    return (CLIP_LENGTH[name], *size) if name in CLIP_LENGTH else size


def hooked_sizes(name: str, module: Any, size: tuple[int, ...]) -> dict[str, set[tuple[int, ...]]]:
    """Spatial size of every convolution's input, from one pass on the meta device."""
    seen: dict[str, set[tuple[int, ...]]] = {}

    def hook(part_name: str) -> Any:
        def note(part: Any, inputs: Any) -> None:
            seen.setdefault(part_name, set()).add(tuple(inputs[0].shape[2:]))

        return note

    for part_name, part in module.named_modules():
        if hasattr(part, "kernel_size") and hasattr(part, "groups"):
            part.register_forward_pre_hook(hook(part_name))
    image = torch.empty(1, 3, *size, device="meta")
    with torch.no_grad():
        if name.startswith("ssd"):
            module.eval().head(list(module.eval().backbone(image).values()))
        else:
            module.eval()(image)
    return seen


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in LISTED if n in KNOWN],
)
def test_a_fresh_network_is_recognised_with_its_geometry(name: str) -> None:
    module = fresh(name)
    found = recognise(shapes_of(module))
    assert found is not None
    size = usual_size(name)
    assert found.input_size == size
    sizes = hooked_sizes(name, module, size) if size else {}
    unreached = [n for n in found.parameters if found.parameters[n].geometry]
    unreached = [n for n in unreached if n.removesuffix(".weight") not in sizes]
    assert not size or all(n.startswith(("aux", "AuxLogits")) for n in unreached)
    kinds = {}
    for part_name, part in module.named_modules():
        facts = found.parameters.get(f"{part_name}.weight")
        if isinstance(part, torch.nn.modules.conv._ConvNd):
            assert facts is not None
            geometry = facts.geometry
            assert geometry is not None
            assert geometry.stride == tuple(part.stride)
            assert geometry.padding == tuple(part.padding)
            assert geometry.dilation == tuple(part.dilation)
            assert geometry.groups == part.groups
            assert geometry.transposed == part.transposed
            assert geometry.padding_mode == part.padding_mode
            if part_name in sizes:
                (expected,) = sizes[part_name] if len(sizes[part_name]) == 1 else (None,)
                assert geometry.input_size == expected
            kinds[f"{part_name}.weight"] = "convolution"
        elif isinstance(part, torch.nn.Linear):
            packed = part_name.endswith("qkv")
            kinds[f"{part_name}.weight"] = "attention" if packed else "dense"
        elif "Norm" in type(part).__name__ and getattr(part, "weight", None) is not None:
            assert facts is not None
            assert facts.epsilon == pytest.approx(part.eps)
            kinds[f"{part_name}.weight"] = "normalisation"
    assert {name: found.parameters[name].kind for name in kinds} == kinds
    # Nothing of two or more dimensions is without a word.
    wordless = {n for n, s in shapes_of(module).items() if len(s) > 1 and n not in found.parameters}
    assert not wordless


def test_the_table_holds_what_this_torchvision_has() -> None:
    """Names that a newer torchvision adds are fine; names that it lost are not looked for."""
    installed = table.index()["versions"]["torchvision"].split("+")[0]
    import torchvision

    if torchvision.__version__.split("+")[0] != installed:
        pytest.skip(f"the table is of torchvision {installed}")
    assert set(LISTED) == KNOWN


@pytest.mark.parametrize(
    ("name", "layer", "groups"),
    [
        ("resnext101_32x8d", "layer1.0.conv2.weight", 32),
        ("resnext101_64x4d", "layer1.0.conv2.weight", 64),
        ("resnext50_32x4d", "layer1.0.conv2.weight", 32),
        ("resnet101", "layer1.0.conv2.weight", 1),
        ("wide_resnet101_2", "layer1.0.conv2.weight", 1),
    ],
)
def test_names_shared_by_several_networks_are_told_apart_by_shapes(
    name: str, layer: str, groups: int
) -> None:
    found = recognise(shapes_of(fresh(name)))
    assert found is not None
    assert found.name == f"torchvision:{name}"
    assert found.parameters[layer].geometry.groups == groups  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("inception_v3", "AuxLogits.conv0.conv.weight", (5, 5)),
        ("googlenet", "aux1.conv.conv.weight", (4, 4)),
        ("fcn_resnet50", "aux_classifier.0.weight", (65, 65)),
    ],
)
def test_auxiliary_heads_may_be_there_or_not(name: str, layer: str, size: tuple[int, int]) -> None:
    option = "aux_loss" if name.startswith("fcn") else "aux_logits"
    head = layer.partition(".")[0]
    whole = shapes_of(fresh(name, **{option: True}))
    found = recognise(whole)
    assert found is not None
    assert found.parameters[layer].geometry.input_size == size  # type: ignore[union-attr]
    assert "without" not in found.note
    bare = {n: s for n, s in whole.items() if not n.startswith(head)}
    found = recognise(bare)
    assert found is not None
    assert layer not in found.parameters
    assert f"without its auxiliary head {head}" in found.note
    # Half a head is something else.
    assert recognise({n: s for n, s in whole.items() if n != layer}) is None


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("resnet50", "a head of 7 outputs instead of 1000"),
        ("vgg16", "a head of 7 outputs instead of 1000"),
        ("vit_b_16", "a head of 7 outputs instead of 1000"),
        ("swin_t", "a head of 7 outputs instead of 1000"),
        ("squeezenet1_0", "a head of 7 outputs instead of 1000"),
        ("inception_v3", "a head of 7 outputs instead of 1000"),
        ("fasterrcnn_resnet50_fpn", "a head of 7 outputs instead of 91"),
        ("retinanet_resnet50_fpn", "a head of 7 outputs instead of 91"),
        ("ssd300_vgg16", "a head of 7 outputs instead of 91"),
    ],
)
def test_another_number_of_classes_is_noted(name: str, note: str) -> None:
    found = recognise(shapes_of(fresh(name, num_classes=7)))
    assert found is not None
    assert note in found.note
    usual = recognise(shapes_of(fresh(name)))
    assert usual is not None
    differing = {n for n in found.parameters if found.parameters[n] != usual.parameters[n]}
    # Of the new head its draw is not known; nothing else changes.
    assert differing
    assert all(found.parameters[n].initialisation is None for n in differing)
    geometries = [(found.parameters[n].geometry, usual.parameters[n].geometry) for n in differing]
    assert all(one == other for one, other in geometries)


def test_two_networks_of_one_shape_keep_what_they_agree_on() -> None:
    found = recognise(shapes_of(fresh("fasterrcnn_mobilenet_v3_large_fpn")))
    assert found is not None
    assert "they have the same names and shapes" in found.note
    assert " or " in found.title


def test_published_older_spellings_are_read() -> None:
    shapes = shapes_of(fresh("densenet121"))
    older = {
        n.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2.")
        if "denselayer" in n
        else n: s
        for n, s in shapes.items()
    }
    assert older != shapes
    found = recognise(older)
    assert found is not None
    assert "older spelling" in found.note
    facts = found.parameters["features.denseblock1.denselayer1.conv.2.weight"]
    assert facts.geometry is not None
    assert set(found.parameters) <= set(older)

    shapes = shapes_of(fresh("vit_b_16"))
    older = {
        n.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): s
        for n, s in shapes.items()
    }
    found = recognise(older)
    assert found is not None
    assert found.parameters["encoder.layers.encoder_layer_0.mlp.linear_2.weight"].kind == "dense"


def test_a_vision_transformer_for_larger_images_says_so() -> None:
    shapes = shapes_of(fresh("vit_b_16", image_size=384))
    found = recognise(shapes)
    assert found is not None
    assert found.input_size == (384, 384)
    assert found.parameters["conv_proj.weight"].geometry.input_size == (384, 384)  # type: ignore[union-attr]
    assert "384×384" in found.note
    shapes["encoder.pos_embedding"] = (1, 578, 768)
    assert recognise(shapes) is None
