"""Small graphs that once converted to something else, or that nobody's exporter writes every day: against ONNX Runtime, or refused."""

import pathlib
import sys

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402

FLOAT, INT64, UINT8, INT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8, TensorProto.INT8
RNG = np.random.default_rng(7)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def save(path, nodes, inputs, outputs, constants=(), opset=17, domains=(), functions=()):
    """inputs and outputs: (name, type, shape); constants: name to array."""
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info(*entry) for entry in inputs],
        [helper.make_tensor_value_info(*entry) for entry in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)],
                              functions=list(functions), ir_version=9)
    onnx.save(model, path)
    return path


def litert(path, feeds):
    interpreter = Interpreter(str(path))
    details = {detail["name"]: detail for detail in interpreter.get_input_details()}
    for name, value in feeds.items():
        if value.shape:  # scalars stay scalars
            interpreter.resize_tensor_input(details[name]["index"], value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(details[name]["index"], value)
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


def check(tmp_path, source, *runs, tolerance=1e-5):
    """Converts, and compares the first output for every set of inputs."""
    target = support.convert(source, tmp_path / "model.tflite")
    for feeds in runs:
        wanted = support.onnxruntime_outputs(source, feeds)
        got = litert(target, feeds)
        for name in wanted:
            if wanted[name].dtype == np.float32:
                assert support.distance(got[name], wanted[name]) <= tolerance, name
            else:
                assert np.array_equal(got[name], wanted[name]), name
    return target


def refused(source, words, tmp_path):
    done = support.run("convert", source, "-o", tmp_path / "model.tflite")
    assert done.returncode not in (0, -6, -11), done
    assert words in done.stderr
    assert not (tmp_path / "model.tflite").exists()


# ---- shapes that are computed ----


def test_reshape_keeps_sizes_where_others_are_computed(tmp_path):
    nodes = [helper.make_node("Shape", ["x"], ["sizes"]),
             helper.make_node("Gather", ["sizes", "two"], ["width"]),
             helper.make_node("Concat", ["zero", "zero", "width", "half", "two_long"], ["target"], axis=0),
             helper.make_node("Reshape", ["x", "target"], ["y"])]
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [1, 3, "w", 8])], [("y", FLOAT, None)],
                  {"two": np.int64([2]), "zero": np.int64([0]), "half": np.int64([4]), "two_long": np.int64([2])})
    check(tmp_path, source, {"x": array(1, 3, 5, 8)}, {"x": array(1, 3, 11, 8)})


def test_slices_of_computed_bounds(tmp_path):
    nodes = [helper.make_node("Shape", ["x"], ["sizes"]), helper.make_node("Slice", ["sizes", "one", "two"], ["end"]),
             helper.make_node("Div", ["end", "two"], ["half"]),
             helper.make_node("Slice", ["x", "one", "half", "one"], ["y"])]
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [2, "w", 3])], [("y", FLOAT, None)],
                  {"one": np.int64([1]), "two": np.int64([2])})
    check(tmp_path, source, {"x": array(2, 8, 3)}, {"x": array(2, 13, 3)})


@pytest.mark.parametrize("mode, coordinates, nearest", [
    ("nearest", "asymmetric", "floor"), ("nearest", "half_pixel", "round_prefer_floor"), ("nearest", "half_pixel", "round_prefer_ceil"),
    ("linear", "half_pixel", "round_prefer_floor"), ("linear", "asymmetric", "round_prefer_floor"),
    ("linear", "align_corners", "round_prefer_floor"), ("linear", "pytorch_half_pixel", "round_prefer_floor")])
def test_resize_of_an_open_size(tmp_path, mode, coordinates, nearest):
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode=mode, coordinate_transformation_mode=coordinates,
                            nearest_mode=nearest)
    source = save(tmp_path / "model.onnx", [node], [("x", FLOAT, [1, 3, "h", "w"])], [("y", FLOAT, None)],
                  {"scales": np.float32([1, 1, 2, 3])})
    check(tmp_path, source, {"x": array(1, 3, 5, 7)}, {"x": array(1, 3, 8, 4)})


@pytest.mark.parametrize("scales, attributes", [
    ([1, 1, 1.5, 2], {"mode": "linear"}), ([1, 2, 2, 2], {"mode": "linear"}), ([1, 1, 0.5, 0.5], {"mode": "nearest"}),
    ([1, 1, 2, 2], {"mode": "nearest", "nearest_mode": "floor"}), ([1, 1, 2, 2], {"mode": "nearest", "nearest_mode": "ceil"}),
    ([1, 1, 2, 2], {"mode": "linear", "coordinate_transformation_mode": "tf_half_pixel_for_nn"})])
def test_resize_of_an_open_size_that_tflite_rounds_otherwise_is_refused(tmp_path, scales, attributes):
    source = save(tmp_path / "model.onnx", [helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)],
                  [("x", FLOAT, [1, 3, "h", "w"])], [("y", FLOAT, None)], {"scales": np.float32(scales)})
    refused(source, "give it with --shape", tmp_path)


# ---- numbers ----


def test_dynamic_quantization_of_zeros(tmp_path):
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
             helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"])]
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [2, 8])], [("y", FLOAT, [2, 8]), ("scale", FLOAT, [])])
    target = support.convert(source, tmp_path / "model.tflite")
    for x in (np.zeros((2, 8), np.float32), array(2, 8)):
        wanted, got = support.onnxruntime_outputs(source, {"x": x}), litert(target, {"x": x})
        assert np.abs(got["y"] - wanted["y"]).max() <= 1e-6 and got["scale"] == pytest.approx(wanted["scale"], rel=1e-6)


def test_batch_normalization_is_rounded_once(tmp_path):
    constants = {"s": RNG.uniform(0.5, 2, 6), "b": RNG.normal(0, 1, 6), "m": RNG.normal(0, 30, 6), "v": RNG.uniform(1e-4, 4, 6)}
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3)
    source = save(tmp_path / "model.onnx", [node], [("x", FLOAT, [1, 6, 4, 4])], [("y", FLOAT, [1, 6, 4, 4])],
                  {name: value.astype(np.float32) for name, value in constants.items()})
    check(tmp_path, source, {"x": array(1, 6, 4, 4)}, tolerance=1e-6)


def test_encoder_of_int64_ids_and_mask(tmp_path):
    """What PyTorch writes for a transformer's block: table, attention with a mask, exact GELU, layer norms."""
    hidden, heads, steps, words = 16, 2, 6, 20
    constants = {"table": array(words, hidden), "places": array(steps, hidden), "one": np.float32(1), "least": np.float32(-1e4),
                 "split": np.int64([0, 0, heads, hidden // heads]), "join": np.int64([0, 0, hidden]), "axes": np.int64([1, 2]),
                 "root": np.float32(2**0.5), "half": np.float32(0.5), "scale": np.float32((hidden / heads) ** -0.5),
                 "g": array(hidden), "h": array(hidden), "w1": array(hidden, 32), "b1": array(32), "w2": array(32, hidden)}
    nodes = [helper.make_node("Gather", ["table", "ids"], ["words"]), helper.make_node("Add", ["words", "places"], ["x"]),
             helper.make_node("Unsqueeze", ["mask", "axes"], ["wide"]), helper.make_node("Cast", ["wide"], ["real"], to=FLOAT),
             helper.make_node("Sub", ["one", "real"], ["gone"]), helper.make_node("Mul", ["gone", "least"], ["bias"])]
    for name, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        constants["w" + name] = array(hidden, hidden)
        nodes += [helper.make_node("MatMul", ["x", "w" + name], [name + "0"]), helper.make_node("Reshape", [name + "0", "split"], [name + "1"]),
                  helper.make_node("Transpose", [name + "1"], [name], perm=perm)]
    nodes += [helper.make_node("MatMul", ["q", "k"], ["s0"]), helper.make_node("Mul", ["s0", "scale"], ["s1"]),
              helper.make_node("Add", ["s1", "bias"], ["s2"]), helper.make_node("Softmax", ["s2"], ["p"], axis=-1),
              helper.make_node("MatMul", ["p", "v"], ["m0"]), helper.make_node("Transpose", ["m0"], ["m1"], perm=[0, 2, 1, 3]),
              helper.make_node("Reshape", ["m1", "join"], ["m2"]), helper.make_node("Add", ["x", "m2"], ["r"]),
              helper.make_node("LayerNormalization", ["r", "g", "h"], ["n"], axis=-1), helper.make_node("MatMul", ["n", "w1"], ["f0"]),
              helper.make_node("Add", ["f0", "b1"], ["f1"]), helper.make_node("Div", ["f1", "root"], ["e0"]),
              helper.make_node("Erf", ["e0"], ["e1"]), helper.make_node("Add", ["e1", "one"], ["e2"]),
              helper.make_node("Mul", ["f1", "e2"], ["e3"]), helper.make_node("Mul", ["e3", "half"], ["e4"]),
              helper.make_node("MatMul", ["e4", "w2"], ["y"])]
    source = save(tmp_path / "model.onnx", nodes, [("ids", INT64, ["batch", steps]), ("mask", INT64, ["batch", steps])],
                  [("y", FLOAT, None)], constants)
    runs = [{"ids": RNG.integers(0, words, (n, steps)), "mask": (np.arange(steps) < steps - n).astype(np.int64)[None].repeat(n, 0)}
            for n in (1, 3)]
    target = check(tmp_path, source, *runs)
    assert "GELU" in support.operators(target)


# ---- functions ----


def double(inner, name, opset=17):
    """A function that calls another one twice."""
    return helper.make_function("local", name, ["x"], ["y"], [
        helper.make_node(inner, ["x"], ["a"], domain="" if inner == "Neg" else "local"),
        helper.make_node(inner, ["a"], ["y"], domain="" if inner == "Neg" else "local")], [helper.make_opsetid("", opset),
                                                                                         helper.make_opsetid("local", 1)])


def calling(tmp_path, name, functions):
    return save(tmp_path / "model.onnx", [helper.make_node(name, ["x"], ["y"], domain="local")], [("x", FLOAT, [2, 3])],
                [("y", FLOAT, [2, 3])], domains=["local"], functions=functions)


def test_functions_have_opsets_of_their_own(tmp_path):
    """Softmax flattened its input before opset 13."""
    function = helper.make_function("local", "F", ["x"], ["y"], [helper.make_node("Softmax", ["x"], ["y"], axis=1)],
                                    [helper.make_opsetid("", 11)])
    source = save(tmp_path / "model.onnx", [helper.make_node("F", ["x"], ["y"], domain="local")], [("x", FLOAT, [2, 3, 4])],
                  [("y", FLOAT, [2, 3, 4])], domains=["local"], functions=[function])
    x = array(2, 3, 4)
    got = litert(support.convert(source, tmp_path / "model.tflite"), {"x": x})["y"]
    flat = np.exp(x.reshape(2, 12))
    assert np.abs(got - (flat / flat.sum(1, keepdims=True)).reshape(2, 3, 4)).max() <= 1e-6


def test_functions_that_double_end(tmp_path):
    functions = [double("Neg", "F0")] + [double(f"F{i}", f"F{i + 1}") for i in range(30)]
    refused(calling(tmp_path, "F30", functions), "operators", tmp_path)


def test_functions_that_call_each_other_are_refused(tmp_path):
    refused(calling(tmp_path, "F0", [double("F1", "F0"), double("F0", "F1")]), "deep", tmp_path)


# ---- what is refused ----


def simple(tmp_path, op, inputs=("x",), constants=(), shape=(1, 4, 5, 5), **attributes):
    domain = attributes.pop("domain", "")
    node = helper.make_node(op, list(inputs), ["y"], domain=domain, name="the_node", **attributes)
    return save(tmp_path / "model.onnx", [node], [("x", FLOAT, list(shape))], [("y", FLOAT, None)], constants,
                domains=[domain] if domain else [])


@pytest.mark.parametrize("op, words, arguments", [
    ("Pad", "padding of mode 'odd'", dict(inputs=("x", "p"), constants={"p": np.int64([0, 0, 1, 1, 0, 0, 1, 1])}, mode="odd")),
    ("LSTM", "activations with parameters", dict(inputs=("x", "w", "r"), shape=(3, 1, 4), hidden_size=2, activation_alpha=[0.1],
                                                 constants={"w": array(1, 8, 4), "r": array(1, 8, 2)})),
    ("Gelu", "somebody.else.Gelu", dict(domain="somebody.else")),
    ("Sequence", "Sequence (1 of them): 'the_node'", {}),
])
def test_refused(tmp_path, op, words, arguments):
    refused(simple(tmp_path, op, **arguments), words, tmp_path)


def test_every_unknown_operator_is_named_at_once(tmp_path):
    nodes = [helper.make_node("Alpha", ["x"], ["a"], name="first"), helper.make_node("Beta", ["a"], ["b"], name="second"),
             helper.make_node("Alpha", ["b"], ["y"], name="third")]
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [1])], [("y", FLOAT, [1])])
    for words in ("Alpha (2 of them): 'first', 'third'", "Beta (1 of them): 'second'", "cut it before them"):
        refused(source, words, tmp_path)


# ---- what is broken ----


def broken(tmp_path, data):
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    return path


def test_truncated_and_damaged_files(tmp_path):
    source = simple(tmp_path, "Conv", ("x", "w"), {"w": array(2, 4, 3, 3)}).read_bytes()
    for size in (0, 1, 10, len(source) // 2, len(source) - 1):
        refused(broken(tmp_path, source[:size]), "broken.onnx", tmp_path)


def external(tmp_path, location, offset="0"):
    tensor = helper.make_tensor("w", FLOAT, [4], np.zeros(4, np.float32).tobytes(), raw=True)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "graph", [helper.make_tensor_value_info("x", FLOAT, [4])],
                              [helper.make_tensor_value_info("y", FLOAT, [4])], [tensor])
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString())
    return path


def test_external_data(tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(8) + np.arange(4, dtype=np.float32).tobytes())
    target = support.convert(external(tmp_path, "weights.bin", "8"), tmp_path / "model.tflite")
    assert np.array_equal(litert(target, {"x": np.ones(4, np.float32)})["y"], np.float32([1, 2, 3, 4]))


@pytest.mark.parametrize("location, offset, words", [
    ("../secret.bin", "0", "not a file in the model's folder"), ("/etc/passwd", "0", "not a file in the model's folder"),
    ("a/../../secret.bin", "0", "not a file in the model's folder"), ("missing.bin", "0", "missing.bin"),
    ("weights.bin", "9", "too few"), ("weights.bin", "99999999999999999999", "offset"), ("weights.bin", "-4", "offset")])
def test_external_data_elsewhere_or_too_short(tmp_path, location, offset, words):
    (tmp_path / "weights.bin").write_bytes(bytes(24))
    refused(external(tmp_path, location, offset), words, tmp_path)


@pytest.mark.parametrize("dims", [[1 << 40], [1 << 31, 1 << 31], [-4], [1 << 20, 1 << 20, 1 << 20]])
def test_absurd_shapes(tmp_path, dims):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=bytes(16))
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "graph", [helper.make_tensor_value_info("x", FLOAT, [4])],
                              [helper.make_tensor_value_info("y", FLOAT, [4])], [tensor])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    refused(broken(tmp_path, data), "'w'", tmp_path)


def test_nodes_in_a_circle(tmp_path):
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    refused(save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [1])], [("b", FLOAT, [1])]), "nothing before it makes its input 'b'", tmp_path)


@pytest.mark.parametrize("nodes, words", [
    ([helper.make_node("Constant", [], [], value=numpy_helper.from_array(np.zeros(1, np.float32)))], "has no output"),
    ([helper.make_node("Sum", [], ["y"])], "output 0 ('y')"), ([helper.make_node("Concat", [], ["y"], axis=0)], "output 0 ('y')")])
def test_nodes_without_outputs_or_inputs(tmp_path, nodes, words):
    nodes.append(helper.make_node("Neg", ["x"], ["z"]))
    refused(save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [1])], [("z", FLOAT, [1])]), words, tmp_path)
