"""ONNX models against the weights they were made of, by torch's exporters and by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.onnx import sniff
from infoflow.checkpoints.parts import weight_files
from infoflow.errors import CheckpointError
from infoflow.facts import Geometry
from infoflow.network import open_network
from tests.cases import gaussian

onnx = pytest.importorskip("onnx")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto
Array = np.ndarray[Any, Any]


def save(
    path: Path, nodes: list[Any], tensors: dict[str, Array | Any], sizes: tuple[int, ...] = ()
) -> Path:
    """A model of these nodes from ``x`` to ``y``."""
    protos = [
        value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, name)
        for name, value in tensors.items()
    ]
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes or None)
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [entry], [end], protos)
    model = helper.make_model(graph, producer_name="test")
    path.write_bytes(model.SerializeToString())
    return path


def node(operator: str, *inputs: str, output: str = "y", name: str = "", **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, [output], name, **attributes)


def only(path: Path, name: str = "w") -> Any:
    return open_checkpoint(path).tensors[name]


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "turned"),
    [
        ("MatMul", {}, ("x", "w"), True),
        ("MatMul", {}, ("w", "x"), False),
        ("Gemm", {}, ("x", "w"), True),
        ("Gemm", {"transB": 1}, ("x", "w"), False),
        ("Gemm", {}, ("w", "x"), False),
        ("Gemm", {"transA": 1}, ("w", "x"), True),
    ],
)
def test_products_are_out_by_in(
    tmp_path: Path, operator: str, attributes: Any, inputs: Any, turned: bool
) -> None:
    weight = gaussian(4, 6)
    path = save(tmp_path / "m.onnx", [node(operator, *inputs, **attributes)], {"w": weight})
    tensor = only(path)
    expected = weight.T if turned else weight
    assert (tensor.shape, tensor.facts.kind) == (expected.shape, "dense")
    np.testing.assert_array_equal(tensor.load(), expected)


def test_a_factor_of_gemm_is_multiplied_in_and_told(tmp_path: Path) -> None:
    weight = gaussian(4, 6)
    path = save(tmp_path / "m.onnx", [node("Gemm", "x", "w", alpha=0.5, transB=1)], {"w": weight})
    np.testing.assert_array_equal(only(path).load(), weight / 2)
    assert any("multiplied by 0.5" in note for note in open_checkpoint(path).notes)


def test_convolutions(tmp_path: Path) -> None:
    weight = gaussian(8, 2, 3, 3)
    geometry = {"strides": [2, 1], "pads": [1, 2, 1, 2], "dilations": [1, 2], "group": 2}
    path = save(
        tmp_path / "m.onnx", [node("Conv", "x", "w", **geometry)], {"w": weight}, (1, 4, 9, 9)
    )
    expected = Geometry((2, 1), (1, 2), (1, 2), 2, input_size=(9, 9))
    assert only(path).facts.geometry == expected
    path = save(tmp_path / "t.onnx", [node("ConvTranspose", "x", "w", **geometry)], {"w": weight})
    assert only(path).facts.geometry == Geometry(
        (2, 1), (1, 2), (1, 2), 2, transposed=True, output_padding=(0, 0)
    )


@pytest.mark.parametrize(
    ("attributes", "padding"),
    [
        ({"pads": [0, 1, 1, 1]}, ()),
        ({"auto_pad": "SAME_UPPER"}, (1, 1)),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, ()),
        ({"auto_pad": "VALID"}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_padding_is_told_only_where_it_is_alike_at_both_ends(
    tmp_path: Path, attributes: Any, padding: tuple[int, ...]
) -> None:
    path = save(
        tmp_path / "m.onnx", [node("Conv", "x", "w", **attributes)], {"w": gaussian(2, 2, 3, 3)}
    )
    assert only(path).facts.geometry.padding == padding
    assert any("both ends" in note for note in open_checkpoint(path).notes) == (padding == ())


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_weights_gate_by_gate(
    tmp_path: Path, kind: str, gates: int, directions: int
) -> None:
    w, r = gaussian(directions, 5 * gates, 3), gaussian(directions, 5 * gates, 5, seed=1)
    attributes = {"hidden_size": 5, "direction": "bidirectional" if directions == 2 else "forward"}
    path = save(tmp_path / "m.onnx", [node(kind, "x", "w", "r", **attributes)], {"w": w, "r": r})
    for name, value in (("w", w), ("r", r)):
        tensor = only(path, name)
        np.testing.assert_array_equal(tensor.load(), value.reshape(-1, value.shape[-1]))
        assert len(tensor.facts.parts) in (0 if gates * directions == 1 else gates * directions,)
    if kind == "LSTM" and directions == 1:
        assert only(path).facts.parts == ("input", "output", "forget", "cell")


def test_normalisations_get_torchs_names_and_their_epsilon(tmp_path: Path) -> None:
    vectors = {name: np.abs(gaussian(4, seed=i)) for i, name in enumerate("sbmv")}
    names = {"s": "bn_scale", "b": "bn_bias", "m": "bn_mean", "v": "bn_var"}
    nodes = [
        node("Conv", "x", "w", output="a"),
        node("BatchNormalization", "a", *names.values(), epsilon=1e-3),
    ]
    tensors = {names[key]: vector for key, vector in vectors.items()}
    path = save(tmp_path / "m.onnx", nodes, {"w": gaussian(4, 2, 3, 3), **tensors})
    opened = open_network(path)
    facts = opened.checkpoint.tensors["w"].facts
    assert (facts.normalisation, facts.epsilon) == ("bn.weight", pytest.approx(1e-3))
    layers = {layer.summary.name: layer.read() for layer in opened.plan.layers}
    np.testing.assert_array_equal(layers["bn"].normalisation.variance, vectors["v"].astype(float))
    np.testing.assert_array_equal(layers["w"].normalisation.gamma, vectors["s"].astype(float))
    assert any("Given torch's names" in note for note in opened.checkpoint.notes)


def test_a_normalisation_that_is_not_the_only_user_is_not_folded(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x", "w", output="a"),
        node("BatchNormalization", "a", "s", "s", "s", "v", output="n"),
        node("Add", "a", "n"),
    ]
    ones = np.ones(4, np.float32)
    path = save(tmp_path / "m.onnx", nodes, {"w": gaussian(4, 2, 3, 3), "s": ones, "v": ones})
    assert only(path).facts.normalisation == ""


def test_embeddings_and_what_is_added(tmp_path: Path) -> None:
    nodes = [node("Gather", "table", "x", output="a"), node("Add", "a", "shift")]
    path = save(tmp_path / "m.onnx", nodes, {"table": gaussian(9, 4), "shift": gaussian(1, 4)})
    assert only(path, "table").facts.kind == "embedding"
    assert only(path, "shift").facts.reason.startswith("added")


@pytest.mark.parametrize("axis", [None, 0])
def test_quantised_weights_are_multiplied_by_their_scales(tmp_path: Path, axis: int | None) -> None:
    numbers = np.arange(-12, 12, dtype=np.int8).reshape(4, 6)
    count = 1 if axis is None else 4
    scale = np.linspace(0.1, 0.4, count, dtype=np.float32)
    zero = np.arange(count, dtype=np.int8)
    if axis is None:
        scale, zero = scale.reshape(()), zero.reshape(())
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        node("DequantizeLinear", "w", "scale", "zero", output="d", **attributes),
        node("Gemm", "x", "d", transB=1),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": numbers, "scale": scale, "zero": zero})
    column = (-1, 1) if axis == 0 else ()
    expected = (numbers - zero.reshape(column).astype(np.float32)) * scale.reshape(column)
    np.testing.assert_allclose(only(path).load(), expected, rtol=1e-6)
    assert any("Quantised" in note for note in open_checkpoint(path).notes)


def test_dynamic_quantisation_and_quantised_convolutions(tmp_path: Path) -> None:
    numbers, scale = np.arange(-12, 12, dtype=np.int8).reshape(4, 6), np.float32(0.5)
    path = save(
        tmp_path / "d.onnx",
        [node("MatMulInteger", "x", "w_quantized", "", "z")],
        {"w_quantized": numbers, "w_scale": np.array(scale), "z": np.array(2, np.int8)},
    )
    expected = (numbers.T.astype(np.float32) - 2) / 2
    np.testing.assert_array_equal(only(path, "w_quantized").load(), expected)
    kernel = np.arange(-9, 9, dtype=np.int8).reshape(2, 1, 3, 3)
    path = save(
        tmp_path / "q.onnx",
        [node("QLinearConv", "x", "s", "z", "w", "s", "z", "s", "z")],
        {"w": kernel, "s": np.array(scale), "z": np.array(0, np.int8)},
    )
    np.testing.assert_array_equal(only(path).load(), kernel / np.float32(2))
    path = save(tmp_path / "u.onnx", [node("MatMulInteger", "x", "w")], {"w": numbers})
    assert "scale" in only(path).unread


def test_what_graphs_do_to_constants_is_followed(tmp_path: Path) -> None:
    """The way torch's exporter turns a weight's gates, with numpy as the twin."""
    weight = gaussian(8, 3)
    index = {f"i{n}": np.array([n], np.int64) for n in (0, 2, 4, 8)}
    nodes = [
        node("Identity", "w", output="a"),
        node("Slice", "a", "i0", "i2", "i0", output="b"),
        node("Slice", "a", "i4", "i8", "i0", output="c"),
        node("Concat", "c", "b", output="d", axis=0),
        node("Unsqueeze", "d", "i0", output="e"),
        node("Squeeze", "e", "i0", output="f"),
        node("Transpose", "f", output="g", perm=[1, 0]),
        node("Cast", "g", output="h", to=1),
        node("MatMul", "x", "h"),
    ]
    tensor = only(save(tmp_path / "m.onnx", nodes, {"w": weight, **index}))
    np.testing.assert_array_equal(tensor.load(), np.concatenate([weight[4:], weight[:2]]))


@pytest.mark.parametrize("step", [1, 2, -1, -2])
@pytest.mark.parametrize("start", [-20, -3, 0, 2, 20])
@pytest.mark.parametrize("end", [-20, -2, 0, 4, 20])
def test_slices_are_those_of_the_reference(tmp_path: Path, start: int, end: int, step: int) -> None:
    from onnx.reference import ReferenceEvaluator

    weight = gaussian(6, 3)
    given = {"s": start, "e": end, "a": 0, "t": step}
    tensors = {key: np.array([value], np.int64) for key, value in given.items()}
    nodes = [
        node("Slice", "w", "s", "e", "a", "t", output="c"),
        node("MatMul", "x", "c"),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": weight, **tensors})
    graph = helper.make_graph(
        nodes[:1],
        "slice",
        [helper.make_tensor_value_info(n, TensorProto.INT64, [1]) for n in "seat"],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    (expected,) = ReferenceEvaluator(helper.make_model(graph)).run(None, tensors)
    tensor = open_checkpoint(path).tensors["w"]
    assert tensor.shape == expected.T.shape
    np.testing.assert_array_equal(tensor.load(), expected.T)


def test_graphs_within_nodes(tmp_path: Path) -> None:
    def branch(name: str, weight: Array) -> Any:
        body = [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weight, "w")),
            node("MatMul", "x", "w", output=name),
        ]
        return helper.make_graph(
            body, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        )

    one, two = gaussian(3, 2), gaussian(3, 4)
    choice = node(
        "If", "flag", name="If_0", then_branch=branch("a", one), else_branch=branch("b", two)
    )
    path = save(tmp_path / "m.onnx", [choice], {"flag": np.array(True)})
    tensors = open_checkpoint(path).tensors
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert sorted(shapes.values()) == [(2, 3), (4, 3)]
    assert len(shapes) == 2
    assert any(name.startswith("If_0.") for name in shapes)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn]
)
def test_types_as_bytes_and_as_numbers(tmp_path: Path, dtype: Any, raw: bool) -> None:
    weight = gaussian(3, 4).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    if raw:
        proto = helper.make_tensor("w", kind, (3, 4), weight.tobytes(), raw=True)
    else:
        proto = helper.make_tensor("w", kind, (3, 4), weight.astype(np.float32).ravel())
    tensor = only(save(tmp_path / "m.onnx", [node("MatMul", "w", "x")], {"w": proto}))
    assert tensor.dtype == np.dtype(dtype).name
    assert tensor.load().dtype == np.dtype(dtype)
    np.testing.assert_array_equal(tensor.load().astype(float), weight.astype(float))


def external(path: Path, location: str, size: int = 48, **entries: str) -> Path:
    proto = onnx.TensorProto(name="w", data_type=1, dims=(3, 4), data_location=1)
    for key, value in {"location": location, **entries}.items():
        proto.external_data.add(key=key, value=value)
    return save(path, [node("MatMul", "w", "x")], {"w": proto})


def test_data_in_a_folder_below_is_a_file_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("data/w.bin", "data/other.bin"):
        (tmp_path / name).write_bytes(bytes(64))
    path = external(tmp_path / "m.onnx", "data/w.bin", offset="16", length="48")
    assert weight_files(path) == [tmp_path / "data" / "w.bin", path]


def test_data_beside_the_model(tmp_path: Path) -> None:
    weight = gaussian(3, 4)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(16) + weight.tobytes())
    path = external(tmp_path / "m.onnx", "data/w.bin", offset="16", length="48")
    opened = open_checkpoint(path)
    np.testing.assert_array_equal(opened.tensors["w"].load(), weight)
    assert len(opened.digest()) == 64


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../secret", {}, "outside its folder"),
        ("a/../../secret", {}, "outside its folder"),
        ("/etc/passwd", {}, "outside its folder"),
        ("C:\\secret", {}, "outside its folder"),
        ("", {}, "outside its folder"),
        ("link", {}, "leads out of its folder"),
        ("missing", {}, "not there"),
        (".", {}, "not a regular file"),
        ("short", {"offset": "1"}, "ends before"),
        ("short", {"offset": "-1"}, "bytes instead of"),
        ("short", {"offset": "x"}, "no number"),
        ("short", {"length": "47"}, "bytes instead of"),
    ],
)
def test_data_that_lie_elsewhere(
    tmp_path: Path, location: str, entries: dict[str, str], message: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (folder / "short").write_bytes(bytes(48))
    (folder / "link").symlink_to(tmp_path / "secret")
    path = external(folder / "m.onnx", location, **entries)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        ({"dims": (10**6, 10**6), "raw_data": bytes(48)}, "4,000,000,000,000 bytes"),
        ({"dims": (10**6, 10**6), "float_data": [1.0]}, "1,000,000,000,000 numbers"),
        ({"dims": (-3, 4), "raw_data": bytes(48)}, "has the shape"),
        ({"dims": (1,) * 70, "raw_data": bytes(4)}, "has the shape"),
    ],
)
def test_claims_that_do_not_fit(tmp_path: Path, proto: Any, message: str) -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, **proto)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(save(tmp_path / "m.onnx", [node("MatMul", "w", "x")], {"w": tensor}))


def test_joining_again_and_again_is_not_followed(tmp_path: Path) -> None:
    nodes = [node("Concat", f"w{i}", f"w{i}", output=f"w{i + 1}", axis=0) for i in range(60)]
    path = save(tmp_path / "m.onnx", [*nodes, node("MatMul", "w60", "x")], {"w0": gaussian(3, 4)})
    assert open_checkpoint(path).tensors["w0"].facts is None


def test_not_protocol_buffers(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [node("MatMul", "w", "x")], {"w": gaussian(30, 40)})
    content = path.read_bytes()
    for keep in (8, 100, len(content) // 2, len(content) - 3):
        path.write_bytes(content[:keep])
        with pytest.raises(CheckpointError, match=r"truncated|damaged"):
            open_checkpoint(path)


@pytest.mark.parametrize("dynamo", [pytest.param(True, marks=pytest.mark.long), False])
def test_torchs_exporters(tmp_path: Path, dynamo: bool) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(2), nn.Linear(16, 5)
    ).eval()
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            net, (torch.randn(1, 3, 8, 8),), tmp_path / "m.onnx", dynamo=dynamo, verbose=False
        )
    tensors = open_checkpoint(tmp_path / "m.onnx").tensors
    kernel = tensors["0.weight"]
    (dense,) = (t for t in tensors.values() if t.facts and t.facts.kind == "dense")
    np.testing.assert_array_equal(kernel.load(), net[0].weight.detach().numpy())
    np.testing.assert_array_equal(dense.load(), net[3].weight.detach().numpy())
    assert kernel.facts is not None
    assert kernel.facts.geometry == Geometry((2, 2), (1, 1), (1, 1), input_size=(8, 8))


def test_a_torchvision_network_is_recognised(tmp_path: Path) -> None:
    torch, models = pytest.importorskip("torch"), pytest.importorskip("torchvision.models")
    net = models.resnet18(weights=None).eval()
    # The exporter stores equal tensors once, and those of fresh normalisations are equal.
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            torch.nn.init.normal_(tensor.data, 1, 0.1)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            net,
            (torch.randn(1, 3, 64, 64),),
            tmp_path / "m.onnx",
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    opened = open_network(tmp_path / "m.onnx")
    assert opened.architecture is not None
    assert opened.architecture.title == "ResNet-18 (torchvision)"
    weight = opened.checkpoint.tensors["fc.weight"].load()
    np.testing.assert_array_equal(weight, net.fc.weight.detach().numpy())


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Transpose", {"perm": 5}),
        *(("Concat", {"axis": axis}) for axis in ("a", 0.5)),
        ("Slice", {"ends": [1], "starts": [0.5]}),
        ("Slice", {"starts": [0], "ends": [1], "axes": [0.5]}),
        ("Unsqueeze", {"axes": 1}),
        ("Gemm", {"transB": "a"}),
        ("Gemm", {"alpha": "b"}),
        ("Conv", {"group": "a"}),
        ("Conv", {"auto_pad": 3}),
        ("Conv", {"strides": 2}),
        ("LayerNormalization", {"epsilon": "a"}),
        ("DequantizeLinear", {"axis": [1]}),
        ("Constant", {"value_float": "x"}),
        ("Constant", {"value": 1}),
        ("Constant", {"sparse_value": [1]}),
        ("Cast", {"to": "float"}),
    ],
)
def test_an_attribute_of_the_wrong_type_is_told(
    tmp_path: Path, operator: str, attributes: dict[str, Any]
) -> None:
    inputs = ("w", "x") if operator in ("Transpose", "Slice", "Unsqueeze", "Cast") else ("x", "w")
    if operator in ("Concat", "DequantizeLinear"):
        inputs = ("w", "w")
    path = save(
        tmp_path / "m.onnx",
        [node(operator, *inputs, **attributes)],
        {"w": gaussian(2, 2, 3, 3) if operator == "Conv" else gaussian(4, 6)},
    )
    with pytest.raises(CheckpointError, match=rf"'\w+' of '{operator}' has the wrong type"):
        open_checkpoint(path)


def test_attributes_of_an_unknown_operator_may_have_any_type(tmp_path: Path) -> None:
    nodes = [node("Mine", "x", output="z", axis="a", group=0.5), node("MatMul", "z", "w")]
    assert only(save(tmp_path / "m.onnx", nodes, {"w": gaussian(4, 6)})).shape == (6, 4)


@pytest.mark.parametrize("length", range(5))
def test_the_beginning_of_a_short_file_is_looked_at(tmp_path: Path, length: int) -> None:
    beginning = b"\x08\x0a\x12\x00"[:length]
    assert sniff(beginning, tmp_path) is (length > 2)
    (tmp_path / "m.onnx").write_bytes(beginning)
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "m.onnx")


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_groups_that_do_not_divide_the_channels(tmp_path: Path, operator: str) -> None:
    nodes = [node(operator, "x", "w", group=7)]
    tensor = only(save(tmp_path / "m.onnx", nodes, {"w": gaussian(8, 3, 3, 3)}))
    assert "geometry is damaged" in tensor.facts.reason
